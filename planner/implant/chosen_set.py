"""Chosen set: needles of a pool with the seeds on them."""

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
"""Step of the slots for the seeds of a set [U]."""


@dataclass(frozen=True, eq=False)
class ChosenSet:
    """Needles of a pool, with their seeds.

    `rows` are the needles' rows in the pool; `problem` is that of placing seeds on them, and `seeded` are its
    slots with a seed. `objective` is the cost of the set; no set that passes where its seeds are costs less
    than `bound`. [mm] `time_ended`: time was up before everything was tried.
    """

    pool: Tracks
    rows: Int[np.ndarray, " k"]
    problem: PlacementProblem
    seeded: Bool[np.ndarray, " n"]
    objective: float
    bound: float = 0.0
    time_ended: bool = False

    @property
    def missed(self) -> float:
        """Cost of the missed goals at the problem's points; 0.0 where all are met."""
        return self.problem.cost(self.seeded)[1]

    @property
    def seeds(self) -> Slots:
        """The slots with a seed; `track` is a row of the set."""
        return self.problem.slots.take(self.seeded)

    @property
    def seeds_of_pool(self) -> Slots:
        """The slots with a seed; `track` is a row of the pool."""
        seeds = self.seeds
        return replace(seeds, track=self.rows[seeds.track])

    @property
    def used(self) -> Int[np.ndarray, " j"]:
        """Rows of the needles that carry a seed."""
        return np.asarray(self.rows[self.problem.tracks(self.seeded)])


def nearest_slots(
    problem: PlacementProblem, track: Int[np.ndarray, " k"], from_tip_mm: Float[np.ndarray, " k"]
) -> Bool[np.ndarray, " n"]:
    """The slots nearest to these places along tracks, chosen in turn, each where a seed is still allowed."""
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
    """Needles with the fewest seeds that meet the goals, placed to the millimetre.

    The placement starts from `seeds`, whose tracks are rows of the pool; those on other needles are left out.
    The cost is that of the needles with a seed and the given ones.
    """
    slots = slots_on(rules.pool.take(rows), SEED_STEP_MM)
    problem = placement.on(slots, len(rows), FINE_POINTS, reserve)
    on_these = np.isin(seeds.track, rows)
    track, from_tip_mm = np.searchsorted(rows, seeds.track[on_these]), seeds.from_tip_mm[on_these]
    start = nearest_slots(problem, track, from_tip_mm)
    chosen = ChosenSet(rules.pool, rows, problem, with_fewest_seeds(problem, descended(problem, start)), 0.0)
    return replace(chosen, objective=rules.cost_of(rules.with_given(chosen.used)))
