"""Stand-in for planning in a study: true paths of a chest of boxes, ranked as asked. The first word of the
case's file says how planning ends; each beginning and each end leaves a mark."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import plan_work
from slow_work import mark
from true_plans import box_patient, honest_plan

from anatomy.errors import ReadError
from planner.paths.ranking import ranked
from planner.records.plan import Outcome, Plan, PlanningResult, SkinAccess, Status
from planner.records.progress import Phase, Progress
from planner.records.request.request import Request
from planner.records.verification import Check, Verification
from service.operations.case import Case
from service.operations.job_tasks import Work

GOOD, NO_PATH, GOALS, UNREADABLE, BROKEN, SLOW = "good", "nopath", "goals", "unreadable", "broken", "slow"

STEPS, STEP_S = 30, 0.05
"""What a slow one takes."""


def write_case(path: Path, how: str = GOOD, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{how} {more}", encoding="utf-8")
    return path


def word_of(case: Case) -> str:
    assert isinstance(case.source, Path)
    file = next(case.source.iterdir()) if case.source.is_dir() else case.source
    return file.read_text(encoding="utf-8").split()[0]


def plan(case: Case, request: Request, report: Callable[[Progress], None]) -> PlanningResult:
    what = "+".join(request.weights) or request.ranking[0]
    how = word_of(case)
    mark("begun", f"{how}-{what}")
    if how == SLOW:
        for step in range(STEPS):
            report(Progress(Phase.SEARCH, step / STEPS, ""))
            time.sleep(STEP_S)
    if how == UNREADABLE:
        raise ReadError(f"{case.source}", "it is no image", "Give one.")
    if how == BROKEN:
        raise RuntimeError("secret")
    planned = plan_work.planned(request) if how == NO_PATH else _planned(request, how)
    mark("ended", f"{how}-{what}")
    return PlanningResult(planned, SkinAccess(np.zeros((0, 3)), np.zeros(0)))


def _planned(request: Request, how: str) -> Plan:
    patient = box_patient()
    planned = honest_plan(patient)
    paths = tuple(replace(p, rank=n) for n, p in enumerate(ranked(planned.paths, request.path_order), 1))
    status = Status.GOALS_NOT_MET if how == GOALS else Status.PLANNED
    return replace(
        planned,
        request=request,
        paths=paths,
        outcome=Outcome(status, "As planned."),
        verification=Verification(True, (Check("a claim", "plan", "held", "held", 0.0, True),), ()),
    )


WORK = Work(plan_work.describe, plan)
