"""Descent: seeds are added, moved and removed, one at a time, as long as this lowers the cost.

    nothing --add, move, remove--> no single change helps --one seed less?--> the fewest seeds that meet goals

Every step takes the best change of one seed, or of the next seed to add. Ties go to the first slot, so that
equal requests give equal seeds. A set that meets its goals is then tried again with one seed less,
repeatedly.
"""

import numpy as np
from jaxtyping import Bool

from planner.implant.seeding.descent_kernel import descend
from planner.implant.seeding.placement_problem import SEED_COST, PlacementProblem

MIN_GAIN = 1e-4
"""A change that lowers the cost by less than this is not made."""
MAX_PASSES = 1_000
"""Most passes over all seeds, each of which may add one seed. Descents end far earlier."""


def descended(
    problem: PlacementProblem, start: Bool[np.ndarray, " n"], *, may_add: bool = True
) -> Bool[np.ndarray, " n"]:
    """The slots with a seed after changing one at a time, from `start` on, until no single change helps."""
    chosen = start.copy()
    descend(problem.goals, problem.slot_table, SEED_COST, MIN_GAIN, MAX_PASSES, may_add, chosen)
    return chosen


def with_fewest_seeds(problem: PlacementProblem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """A set that meets the goals with fewer seeds: one is removed and the others are moved, as long as the
    goals are met. A set that misses a goal is returned as it is."""
    best = chosen
    while best.any() and problem.cost(best)[1] == 0.0:
        fewer = descended(problem, _without_least(problem, best), may_add=False)
        if problem.cost(fewer)[1] > 0.0:
            return best
        best = fewer
    return best


def _without_least(problem: PlacementProblem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """The set without the seed whose removal costs least."""
    costs = []
    for row in np.flatnonzero(chosen):
        without = chosen.copy()
        without[row] = False
        costs.append((problem.cost(without)[0], int(row)))
    least = chosen.copy()
    least[min(costs)[1]] = False
    return least
