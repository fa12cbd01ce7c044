"""Descent: seeds are added, moved and taken away, one at a time, for as long as that makes the dose better.

    nothing --add, move, take away--> no single change helps --fewer?--> as few seeds as keep the goals met

Every step takes the best change of one seed, or of the next seed to be added, and ties go to the first slot:
equal requests give equal seeds. A set that meets its goals is then tried with a seed less, again and again.
"""

import numpy as np
from jaxtyping import Bool

from planner.implant.seeding.descent_kernel import descend
from planner.implant.seeding.placement_problem import SEED_COST, PlacementProblem

LEAST_GAIN = 1e-4
"""A change that gains less is none."""
MAX_PASSES = 1_000
"""Passes over all seeds, each of which may add one more; descents end far earlier."""


def descended(
    problem: PlacementProblem, start: Bool[np.ndarray, " n"], *, may_add: bool = True
) -> Bool[np.ndarray, " n"]:
    """Slots changed one at a time from `start` on until no change of a single one helps."""
    chosen = start.copy()
    descend(problem.goals, problem.slot_table, SEED_COST, LEAST_GAIN, MAX_PASSES, may_add, chosen)
    return chosen


def with_fewest_seeds(problem: PlacementProblem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """A set that meets the goals with as few seeds as taking one away and moving the others leads to; the set
    itself where it misses any."""
    best = chosen
    while best.any() and problem.cost(best)[1] == 0.0:
        fewer = descended(problem, _without_least(problem, best), may_add=False)
        if problem.cost(fewer)[1] > 0.0:
            return best
        best = fewer
    return best


def _without_least(problem: PlacementProblem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """The set without the seed that is missed least."""
    costs = []
    for row in np.flatnonzero(chosen):
        without = chosen.copy()
        without[row] = False
        costs.append((problem.cost(without)[0], int(row)))
    least = chosen.copy()
    least[min(costs)[1]] = False
    return least
