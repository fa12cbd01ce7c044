"""Stand-in for planning that takes a while and leaves a mark for each time it is begun and ended."""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import plan_work

from planner.records.plan import PlanningResult
from planner.records.progress import Phase, Progress
from planner.records.request.request import Request
from service.operations.case import Case
from service.operations.job_tasks import Work

MARKS = "MARKS"
"""Names the folder of marks; without it none are left."""

STEPS, LONG_STEPS, STEP_S = 20, 400, 0.05

LONG = 100
"""The random seed of a plan that takes long."""


def mark(what: str, name: object) -> None:
    folder = os.environ.get(MARKS)
    if folder is not None:
        (Path(folder) / f"{what}-{name}-{uuid.uuid4().hex}").touch()


def plan(case: Case, request: Request, report: Callable[[Progress], None]) -> PlanningResult:
    """A plan that depends on the request alone, after a second, or after LONG_STEPS."""
    mark("begun", request.random_seed)
    steps = LONG_STEPS if request.random_seed == LONG else STEPS
    for step in range(steps):
        report(Progress(Phase.SEARCH, step / steps, ""))
        time.sleep(STEP_S)
    mark("ended", request.random_seed)
    return plan_work.planning(request)


WORK = Work(plan_work.describe, plan)
