"""Tasks: the work of jobs, as worker processes do it. How it is done is handed in, and must be picklable."""

from collections.abc import Callable

from planner.implant_results import Evaluation, Replanned
from planner.progress import Cancelled, Progress
from planner.records import Plan
from planner.request import GivenSeed, Request
from service.case import Case
from service.found_schema import NeedlesMeasured
from service.made import Made, of_evaluation, of_plan, of_replanned
from service.pool import Desk

Report = Callable[[Progress], None]
AskCancelled = Callable[[], bool]

MakePlan = Callable[[Case, Request, Report, AskCancelled], Plan]
Evaluate = Callable[[Case, Plan, str, tuple[GivenSeed, ...], Report, AskCancelled], Evaluation]
Replan = Callable[[Case, Plan, str, NeedlesMeasured, Report, AskCancelled], Replanned]


def plan_task(desk: Desk, make_plan: MakePlan, case: Case, request: Request) -> Made:
    """Make a plan."""
    _refuse_cancelled(desk)
    return of_plan(make_plan(case, request, desk.report, desk.cancelled))


def evaluate_task(
    desk: Desk, evaluate: Evaluate, case: Case, plan: Plan, plan_sha256: str, seeds: tuple[GivenSeed, ...]
) -> Made:
    """Evaluate an implant."""
    _refuse_cancelled(desk)
    return of_evaluation(evaluate(case, plan, plan_sha256, seeds, desk.report, desk.cancelled))


def replan_task(
    desk: Desk, replan: Replan, case: Case, plan: Plan, plan_sha256: str, found: NeedlesMeasured
) -> Made:
    """Plan again around needles."""
    _refuse_cancelled(desk)
    return of_replanned(replan(case, plan, plan_sha256, found, desk.report, desk.cancelled))


def _refuse_cancelled(desk: Desk) -> None:
    if desk.cancelled():
        raise Cancelled
