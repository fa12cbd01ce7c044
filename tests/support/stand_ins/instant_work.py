"""Stand-ins for work that end at once and well, whatever is asked: with them the service's edge is tried."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from plan_work import describe as describe_nothing
from sample_implants import a_replanning, an_evaluation, implant_plan

from anatomy.structures import InputDigest
from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan, PlanningResult, SkinAccess
from planner.records.progress import Progress
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request
from service.interactive import appraise_task, slice_task
from service.interactive.appraise_task import AppraisalJson, NeedlesTask
from service.interactive.slice_task import SliceTask
from service.operations.case import Case
from service.operations.job_tasks import Work
from service.schemas.in_patient import NeedlesMeasured

ReportProgress = Callable[[Progress], None]


def inputs(case: Case) -> list[dict[str, str]]:
    """Names and sha256 of the files that a plan is made from: what tells which case it belongs to."""
    if isinstance(case.source, str):
        return [{"name": case.source, "sha256": "0" * 64}]
    source = sorted(case.source.iterdir()) if case.source.is_dir() else [case.source]
    files = [*source, *case.targets, *([case.ct] if case.ct else [])]
    return [{"name": f.name, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files]


def describe(case: Case) -> dict[str, Any]:
    return describe_nothing(case) | {"inputs": inputs(case)}


def plan(case: Case, request: Request, report: ReportProgress) -> PlanningResult:
    del report
    with_inputs = replace(implant_plan(request), inputs=tuple(InputDigest(**file) for file in inputs(case)))
    return PlanningResult(with_inputs, SkinAccess(np.array([[1.0, -2.0, 0.0]]), np.array([12.5])))


def evaluate(
    case: Case, claimed: Plan, plan_sha256: str, seeds: tuple[GivenSeed, ...], report: ReportProgress
) -> Evaluation:
    del case, claimed, report
    return an_evaluation(plan_sha256, len(seeds), None)


def replan(
    case: Case, claimed: Plan, plan_sha256: str, found: NeedlesMeasured, report: ReportProgress
) -> Replanned:
    del case, found, report
    return a_replanning(plan_sha256, claimed)


WORK = Work(describe, plan, evaluate, replan)


def appraise(report: ReportProgress, task: NeedlesTask) -> AppraisalJson:
    """As it is done, but for the built-in thorax, which takes seconds to make: of it nothing is known."""
    if isinstance(task.case.source, str):
        return AppraisalJson(
            b"", b'{"missing_structures":[],"notes":[],"skin_structures":[],"skin_source":""}'
        )
    return appraise_task.appraise(report, task)


def cut(report: ReportProgress, task: SliceTask) -> bytes:
    """As it is done, but for the built-in thorax: of it nothing is shown."""
    if isinstance(task.case.source, str):
        return b'{"structures":[],"slices":[]}'
    return slice_task.cut(report, task)
