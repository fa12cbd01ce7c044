"""Chosen set: needles of a pool with the seeds on them, and the rules that such sets keep."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int

from planner.needles.conflicts import Hardware, Needles
from planner.needles.cover import Rule
from planner.needles.order import insertion_order
from planner.needles.tracks import Tracks
from planner.seeding.descent import Problem, as_few, descended
from planner.seeding.slots import Slots, slots_on

LADDER_STEP_MM, SEED_STEP_MM = 2.0, 1.0
"""Steps of slots: while needles are chosen, and for the seeds of the set [U]."""

MakeProblem = Callable[[Slots, int, bool], Problem]
"""The problem of seeds on slots of a number of tracks; on all points or, where False, on fewer."""


@dataclass(frozen=True, eq=False)
class ChosenSet:
    """Needles of a pool (its rows), the problem of their seeds with the slots that hold one, what the set
    costs and what none costs less than, and the radius within which it passes a share of the wanted
    places."""

    pool: Tracks
    rows: Int[np.ndarray, " k"]
    problem: Problem
    seeded: Bool[np.ndarray, " n"]
    objective: float
    bound: float
    radius_mm: float
    passed_share: float

    @property
    def missed(self) -> float:
        """What the goals missed cost on the points looked at; 0.0 where all are met."""
        return self.problem.cost(self.seeded)[1]

    @property
    def value(self) -> float:
        """What the set costs in all on the points looked at: of sets that miss as much, the colder is the
        dearer."""
        return self.problem.cost(self.seeded)[0]

    @property
    def seeds(self) -> Slots:
        """Where the seeds stand; `track` counts the rows of the set."""
        return self.problem.slots.take(self.seeded)


@dataclass(frozen=True, eq=False)
class Rules:
    """What forbids needles of a pool to be together (`needles` are its tracks in P), and what each costs."""

    pool: Tracks
    needles: Needles
    hardware: Hardware
    given: Int[np.ndarray, " g"]
    cost: Float[np.ndarray, " n"]
    conflicts: nx.Graph
    rules: list[Rule]

    def broken(self, rows: Int[np.ndarray, " k"]) -> list[Rule]:
        """The cycle that keeps a set from being driven one by one, where there is one of needles that are not
        all in already."""
        found = insertion_order(self.needles.of(rows), self.hardware)
        cycle = tuple(int(rows[n]) for n in found.cycle)
        if found.order is not None or set(cycle) <= set(self.given.tolist()):
            return []
        return [Rule(cycle, len(cycle) - 1)]


def nearest_slots(
    problem: Problem, track: Int[np.ndarray, " k"], from_tip_mm: Float[np.ndarray, " k"]
) -> Bool[np.ndarray, " n"]:
    """The slots nearest to places along tracks, one after the other, as long as seeds keep their
    distances."""
    slots = problem.slots
    start = np.zeros(len(slots), bool)
    for row, s in zip(track, from_tip_mm, strict=True):
        here = problem.free(start)
        here = here[slots.track[here] == row]
        if len(here):
            start[here[np.abs(slots.from_tip_mm[here] - s).argmin()]] = True
    return start


def refined(found: ChosenSet, make: MakeProblem) -> ChosenSet:
    """The same needles with seeds to the millimetre, judged on all points, and as few as meet the goals."""
    slots = slots_on(found.pool.take(found.rows), SEED_STEP_MM)
    problem = make(slots, len(found.rows), True)
    start = nearest_slots(problem, found.seeds.track, found.seeds.from_tip_mm)
    return replace(found, problem=problem, seeded=as_few(problem, descended(problem, start)))
