"""The planner, as benchmarks call it: the one place here that knows its inner names."""

from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from jaxtyping import Bool

from anatomy.scene import Scene
from benchmarks.lines import Lines
from planner.plan import plan
from planner.records.plan import Plan
from planner.records.progress import Phase, Progress
from planner.records.request.request import Request
from planner.search.kernels.line import test_lines
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.scene_fields import search_fields


def build(scene: Scene, request: Request) -> SearchFields:
    """Everything a search needs before its first line: fields, classes, tissue."""
    return search_fields(scene, request)


def line_is_clear(built: SearchFields, lines: Lines) -> Bool[np.ndarray, " n"]:
    """The full test of each line: needle radius, every clearance, length, skin, table, bore and hub."""
    verdicts, _ = test_lines(built, lines.point_B, lines.outward_B)
    return np.asarray(verdicts == SAFE)


@dataclass
class Clock:
    """A GoOn that notes when each phase began, and ends the search `limit_s` after it began."""

    limit_s: float = np.inf
    began: dict[Phase, float] = field(default_factory=dict)

    def __call__(self, progress: Progress) -> bool:
        """Note the time; False once the search has had its time."""
        now = perf_counter()
        self.began.setdefault(progress.phase, now)
        return now - self.began.get(Phase.SEARCH, now) <= self.limit_s


@dataclass(frozen=True)
class Timed:
    """A plan, and how long its fields, its search and all of it took. [s]"""

    plan: Plan
    fields_s: float
    search_s: float
    total_s: float

    @property
    def best_lung_mm(self) -> float:
        """Lung that the best path crosses; infinite where there is none. [mm]"""
        return min((p.lung_length_mm for p in self.plan.paths), default=np.inf)


def timed_plan(scene: Scene, request: Request, limit_s: float = np.inf) -> Timed:
    """Plan from scene to verified plan, with the search stopped after `limit_s`."""
    clock = Clock(limit_s)
    start = perf_counter()
    planned = plan(scene, request, clock).plan
    end = perf_counter()
    searched = clock.began.get(Phase.SEARCH, end)
    after = min((t for t in clock.began.values() if t > searched), default=end)
    return Timed(planned, searched - start, after - searched, end - start)
