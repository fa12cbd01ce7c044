"""Descent: seeds are added, moved and taken away, one at a time, for as long as that makes the dose better.

    nothing --add, move, take away--> no single change helps --fewer?--> as few seeds as keep the goals met

Every step takes the best change of one seed, or of the next seed to be added, and ties go to the first slot:
equal requests give equal seeds. A set that meets its goals is then tried with a seed less, again and again.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from planner.kernels.seeding import GoalTable, cost_with, costs_with
from planner.seeding.slots import Slots

SEED = 0.0015
"""What a seed costs beside points on the wrong side: enough that none is left that helps next to nothing
[U]."""
GAIN = 1e-4
"""A change that gains less is none."""
PASSES = 1_000
"""Passes over all seeds, each of which may add one more; descents end far earlier."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What seeds are chosen for: goals, slots, each slot's dose at all points (n, m), the dose that is there
    already (m,) [Gy], how far apart seeds on one track must stand [mm], and slots that are taken (n,).

    Where tracks are still to be chosen: what the first seed on each costs (t,), and which tracks cannot both
    have seeds (t, t).
    """

    goals: GoalTable
    slots: Slots
    dose: Float32[np.ndarray, "n m"]
    there: Float32[np.ndarray, " m"]
    spacing_mm: float
    shut: Bool[np.ndarray, " n"]
    opening: Float[np.ndarray, " t"]
    conflicts: Bool[np.ndarray, "t t"]

    def dose_of(self, chosen: Bool[np.ndarray, " n"]) -> Float32[np.ndarray, " m"]:
        """The dose of the chosen slots and what is there, always summed in the same order. [Gy]"""
        total = self.there.astype(float)
        for row in np.flatnonzero(chosen):
            total += self.dose[row]
        return total.astype(np.float32)

    def cost(self, chosen: Bool[np.ndarray, " n"]) -> tuple[float, float]:
        """What the chosen slots cost, seeds included, and how much of that is for goals missed."""
        dose = self.dose_of(chosen)
        total, missed = cost_with(self.goals, dose, np.zeros_like(dose))
        return total + SEED * int(chosen.sum()) + float(self.opening[self.tracks(chosen)].sum()), missed

    def tracks(self, chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
        """Tracks with a chosen slot."""
        return np.unique(self.slots.track[chosen])

    def free(self, chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
        """Slots where one more seed may stand."""
        excluded = self.conflicts[self.tracks(chosen)].any(axis=0)
        clear = self.slots.clear_of(chosen, self.spacing_mm) & ~self.shut
        return np.flatnonzero(clear & ~excluded[self.slots.track])

    def none(self) -> Bool[np.ndarray, " n"]:
        """No slot chosen."""
        return np.zeros(len(self.slots), bool)


def descended(
    problem: Problem, start: Bool[np.ndarray, " n"], *, may_add: bool = True
) -> Bool[np.ndarray, " n"]:
    """Slots changed one at a time from `start` on until no change of a single one helps."""
    chosen = start.copy()
    for _ in range(PASSES):
        moved = [_move(problem, chosen, row) for row in np.flatnonzero(chosen).tolist()]
        added = may_add and _move(problem, chosen, None)
        if not (any(moved) or added):
            break
    return chosen


def as_few(problem: Problem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """A set that meets the goals with as few seeds as taking one away and moving the others leads to; the set
    itself where it misses any."""
    best = chosen
    while best.any() and problem.cost(best)[1] == 0.0:
        fewer = descended(problem, _without_least(problem, best), may_add=False)
        if problem.cost(fewer)[1] > 0.0:
            return best
        best = fewer
    return best


def _without_least(problem: Problem, chosen: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """The set without the seed that is missed least."""
    costs = []
    for row in np.flatnonzero(chosen):
        without = chosen.copy()
        without[row] = False
        costs.append((problem.cost(without)[0], int(row)))
    least = chosen.copy()
    least[min(costs)[1]] = False
    return least


def _move(problem: Problem, chosen: Bool[np.ndarray, " n"], row: int | None) -> bool:
    """Put one seed (None: one more) where it does best, in place, or take it away where that is better. Says
    whether anything changed."""
    here, _ = problem.cost(chosen)
    rest = chosen.copy()
    if row is not None:
        rest[row] = False
    free = problem.free(rest)
    dose = problem.dose_of(rest)
    opened = problem.tracks(rest)
    standing = SEED * int(rest.sum()) + float(problem.opening[opened].sum())
    opening = problem.opening.copy()
    opening[opened] = 0.0
    without = cost_with(problem.goals, dose, np.zeros_like(dose))[0] + standing
    costs = costs_with(problem.goals, dose, problem.dose, free) + standing + SEED
    costs += opening[problem.slots.track[free]]
    best = int(costs.argmin()) if len(costs) else -1
    least = min(without, float(costs[best]) if best >= 0 else np.inf)
    if least >= here - GAIN:
        return False
    chosen[:] = rest
    if least < without:
        chosen[free[best]] = True
    return True
