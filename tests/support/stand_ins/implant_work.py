"""Stand-ins for planning an implant, evaluating it and planning it again, importable in worker processes.

How one ends is told by numbers that a request or a body may hold: `random_seed`, or how many seeds are found.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from plan_work import LONG_S
from plan_work import describe as describe_nothing
from sample_implants import a_replanning, an_evaluation, implant_plan

from anatomy.structures import InputDigest
from planner.errors import RequestError
from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Outcome, Plan, PlanningResult, SkinAccess, Status
from planner.records.progress import Phase, Progress
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request
from service.operations.case import Case
from service.schemas.in_patient import NeedlesMeasured

ReportProgress = Callable[[Progress], None]

COMPLETE, LACKING, UNTIL_CANCELLED, REFUSED, BROKEN = range(1, 6)
"""Seeds found, or dropped before replanning."""
NO_SEED_MAY_STAND = 7
"""Random seed of the request for a plan without needles."""


def inputs(case: Case) -> list[dict[str, str]]:
    if isinstance(case.source, str):
        return [{"name": case.source, "sha256": "0" * 64}]
    files = [case.source, *case.targets, *([case.ct] if case.ct else [])]
    return [{"name": f.name, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files]


def describe(case: Case) -> dict[str, Any]:
    return describe_nothing(case) | {"inputs": inputs(case)}


def plan(case: Case, request: Request, report: ReportProgress) -> PlanningResult:
    del report
    digests = tuple(InputDigest(file["name"], file["sha256"]) for file in inputs(case))
    with_inputs = replace(implant_plan(request), inputs=digests)
    if request.random_seed == NO_SEED_MAY_STAND:
        with_inputs = replace(with_inputs, needle_set=None, dose=None, robustness=None)
    return PlanningResult(with_inputs, SkinAccess(np.zeros((0, 3)), np.zeros(0)))


def evaluate(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    seeds: tuple[GivenSeed, ...],
    report: ReportProgress,
) -> Evaluation:
    assert inputs(case) == [{"name": i.name, "sha256": i.sha256} for i in claimed.inputs]
    end(len(seeds), report)
    supplement = None
    if len(seeds) == LACKING:
        supplement = replace(claimed, outcome=Outcome(Status.PLANNED, "2 seeds are added."))
    return an_evaluation(plan_sha256, len(seeds), supplement)


def replan(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    found: NeedlesMeasured,
    report: ReportProgress,
) -> Replanned:
    assert inputs(case) == [{"name": i.name, "sha256": i.sha256} for i in claimed.inputs]
    end(len(found.seeds), report)
    message = f"{len(found.needles)} needles as measured."
    return a_replanning(plan_sha256, replace(claimed, outcome=Outcome(Status.PLANNED, message)))


def end(how: int, report: ReportProgress) -> None:
    match how:
        case n if n == UNTIL_CANCELLED:
            report(Progress(Phase.SEARCH, 0.5, ""))
            time.sleep(LONG_S)
        case n if n == REFUSED:
            raise RequestError(("needles", 0, "path_id"), "'N9' is not a path of the plan", "Known: N1, N2.")
        case n if n == BROKEN:
            os._exit(9)
