"""Job tasks: what a job does. The functions are passed as `Work`, and must be picklable.

Planner and readers are loaded where the work is done: the web server and the workers of jobs pass tasks on,
and start without them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan, PlanningResult
from planner.records.progress import Progress
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request
from service.operations.case import Case
from service.schemas.in_patient import MAX_FOUND_BYTES, EvaluateBody, NeedlesMeasured, ReplanBody
from service.schemas.job_results import (
    evaluation_result,
    planning_result,
    replan_result,
)
from service.schemas.json.strict import read_model
from service.schemas.plan.file import read_plan
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import JobResult

ReportProgress = Callable[[Progress], None]

Describe = Callable[[Case], dict[str, Any]]
MakePlan = Callable[[Case, Request, ReportProgress], PlanningResult]
Evaluate = Callable[[Case, Plan, str, tuple[GivenSeed, ...], ReportProgress], Evaluation]
Replan = Callable[[Case, Plan, str, NeedlesMeasured, ReportProgress], Replanned]


def describe_case(case: Case) -> dict[str, Any]:
    """`service.operations.describe_case`."""
    from service.operations.describe_case import describe_case

    return describe_case(case)


def make_plan(case: Case, request: Request, report: ReportProgress) -> PlanningResult:
    """The planning of `service.operations.plan_case`: its scene stays in the process."""
    from service.operations.plan_case import plan_case

    return plan_case(case, request, report).planning


def evaluate_case(
    case: Case, plan: Plan, plan_id: str, seeds: tuple[GivenSeed, ...], report: ReportProgress
) -> Evaluation:
    """`service.operations.evaluate_case`."""
    from service.operations.evaluate_case import evaluate_case

    return evaluate_case(case, plan, plan_id, seeds, report)


def replan_case(
    case: Case, plan: Plan, plan_id: str, needles: NeedlesMeasured, report: ReportProgress
) -> Replanned:
    """`service.operations.replan_case`."""
    from service.operations.replan_case import replan_case

    return replan_case(case, plan, plan_id, needles, report)


@dataclass(frozen=True)
class Work:
    """The functions that describe and plan cases, and evaluate and replan implants."""

    describe: Describe = describe_case
    make_plan: MakePlan = make_plan
    evaluate: Evaluate = evaluate_case
    replan: Replan = replan_case


WORK = Work()
"""The work of this software."""


@dataclass(frozen=True)
class JobSpec:
    """What one job does: the body of its request, and its subject, a case and perhaps a plan."""

    kind: ResultKind
    case: Case
    body: bytes
    plan_id: str | None
    plan_text: bytes | None


def do(report: ReportProgress, work: Work, spec: JobSpec) -> JobResult:
    """Do the task. Raises what the work raises."""
    match spec.kind:
        case ResultKind.PLAN:
            request = read_model(PlanRequest, spec.body, MAX_REQUEST_BYTES).to_request()
            return planning_result(work.make_plan(spec.case, request, report))
        case ResultKind.EVALUATION:
            seeds = read_model(EvaluateBody, spec.body, MAX_FOUND_BYTES).seeds
            plan, plan_id = _plan(spec)
            return evaluation_result(work.evaluate(spec.case, plan, plan_id, seeds, report))
        case ResultKind.REPLAN:
            needles = read_model(ReplanBody, spec.body, MAX_FOUND_BYTES)
            plan, plan_id = _plan(spec)
            return replan_result(work.replan(spec.case, plan, plan_id, needles, report))


def describe(report: ReportProgress, work: Work, case: Case) -> dict[str, Any]:
    """What a case contains."""
    del report
    return work.describe(case)


def _plan(spec: JobSpec) -> tuple[Plan, str]:
    assert spec.plan_id is not None and spec.plan_text is not None
    return read_plan(spec.plan_text).plan, spec.plan_id
