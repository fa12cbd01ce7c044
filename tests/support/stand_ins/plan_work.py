"""Stand-ins for planning and reading, importable in worker processes. `random_seed` says how one ends."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from bare_plans import BARE_PLAN

from anatomy.errors import ReadError
from planner.errors import RequestError
from planner.records.plan import Outcome, Plan, PlanningResult, SkinAccess, Status
from planner.records.progress import Phase, Progress
from planner.records.request.request import Request
from planner.records.search import Proof, SearchReport
from planner.records.verification import Check, Verification
from service.operations.case import Case

AT_ONCE, UNTIL_CANCELLED, REFUSED, BROKEN, KILLED, PATH_IN_MESSAGE = range(6)

LONG_S = 600.0
"""Longer than any test waits."""


def planned(request: Request) -> Plan:
    return replace(
        BARE_PLAN,
        request=request,
        skin_source="",
        outcome=Outcome(Status.NO_PATH, "Nothing was searched."),
        search=SearchReport(0, 0, 0, 2.0, True, 0.0, None, 0.0, Proof.NONE_STAYS_SAFE, ()),
        verification=Verification(True, (Check("a claim", "plan", "held", "held", 0.0, True),), ()),
    )


ENTRY_MM, LUNG_MM = (1.0, -2.0, 0.0), 12.5
"""The one place of the skin access map."""


def planning(request: Request) -> PlanningResult:
    return PlanningResult(planned(request), SkinAccess(np.array([ENTRY_MM]), np.array([LUNG_MM])))


def plan(case: Case, request: Request, report: Callable[[Progress], None]) -> PlanningResult:
    match request.random_seed:
        case n if n == UNTIL_CANCELLED:
            report(Progress(Phase.SEARCH, 0.25, ""))
            time.sleep(LONG_S)
        case n if n == REFUSED:
            raise RequestError(("target", "structure"), "'x' is not in the input", "Known: y.")
        case n if n == BROKEN:
            raise RuntimeError("secret")
        case n if n == KILLED:
            os._exit(9)
        case n if n == PATH_IN_MESSAGE:
            raise ReadError(f"{case.source}", f"{case.source} is damaged", "Mend it.")
    return planning(request)


def describe_slowly(case: Case) -> dict[str, Any]:
    """As `describe`; what begins with "slow" takes longer than any test, of "nice" the note is that value."""
    start = b"" if isinstance(case.source, str) or case.source.is_dir() else case.source.read_bytes()
    if start.startswith(b"slow"):
        time.sleep(LONG_S)
    return describe(case) | ({"notes": [str(os.nice(0))]} if start.startswith(b"nice") else {})


def describe(case: Case) -> dict[str, Any]:
    """Reads nothing but the first bytes."""
    if isinstance(case.source, str):
        names = [case.source]
    elif case.source.is_dir():
        names = sorted(f.name for f in case.source.iterdir())
    else:
        names = [case.source.name]
        if case.source.read_bytes().startswith(b"bad"):
            raise ReadError(case.source.name, f"{case.source} is no image", "Give one.")
    return {
        "grid": {"shape": [1, 1, 1], "spacing_mm": [1.0, 1.0, 1.0]},
        "structures": [
            {"name": name, "role": "forbidden", "known_name": False, "volume_mm3": 1.0} for name in names
        ],
        "targets": [target.name for target in case.targets],
        "notes": [],
        "inputs": [],
    }
