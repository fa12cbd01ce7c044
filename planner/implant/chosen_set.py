"""Chosen set: needles of a pool with the seeds on them, and the rules that such sets keep."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from planner.implant.needles.tracks import Tracks
from planner.implant.seeding.descent import descended, with_fewest_seeds
from planner.implant.seeding.placement_problem import PlacementProblem
from planner.implant.seeding.seed_placement import FINE_POINTS, SeedPlacement
from planner.implant.seeding.slots import Slots, slots_on
from planner.implant.set_rules import SetRules

SEED_STEP_MM = 1.0
"""Step of slots for the seeds of a set [U]."""


@dataclass(frozen=True, eq=False)
class ChosenSet:
    """Needles of a pool (its rows), the problem of their seeds with the slots that hold one, what the set
    costs, what no set costs less than that passes where its seeds stand, and whether time ended before all
    was tried."""

    pool: Tracks
    rows: Int[np.ndarray, " k"]
    problem: PlacementProblem
    seeded: Bool[np.ndarray, " n"]
    objective: float
    bound: float = 0.0
    time_ended: bool = False

    @property
    def missed(self) -> float:
        """What the goals missed cost on the points looked at; 0.0 where all are met."""
        return self.problem.cost(self.seeded)[1]

    @property
    def seeds(self) -> Slots:
        """Where the seeds stand; `track` counts the rows of the set."""
        return self.problem.slots.take(self.seeded)

    @property
    def seeds_of_pool(self) -> Slots:
        """The seeds; `track` counts the rows of the pool."""
        seeds = self.seeds
        return replace(seeds, track=self.rows[seeds.track])

    @property
    def used(self) -> Int[np.ndarray, " j"]:
        """Rows of the needles that carry a seed."""
        return np.asarray(self.rows[self.problem.tracks(self.seeded)])


def nearest_slots(
    problem: PlacementProblem, track: Int[np.ndarray, " k"], from_tip_mm: Float[np.ndarray, " k"]
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


def seeded_on(
    rules: SetRules, placement: SeedPlacement, rows: Int[np.ndarray, " k"], seeds: Slots, reserve: float
) -> ChosenSet:
    """Needles with seeds to the millimetre, as few as meet the goals, found from `seeds` on, whose tracks are
    rows of the pool; those on other needles are left out. Needles without a seed are, unless given."""
    slots = slots_on(rules.pool.take(rows), SEED_STEP_MM)
    problem = placement.on(slots, len(rows), FINE_POINTS, reserve)
    stay = np.isin(seeds.track, rows)
    start = nearest_slots(problem, np.searchsorted(rows, seeds.track[stay]), seeds.from_tip_mm[stay])
    found = ChosenSet(rules.pool, rows, problem, with_fewest_seeds(problem, descended(problem, start)), 0.0)
    return replace(found, objective=rules.cost_of(rules.with_given(found.used)))
