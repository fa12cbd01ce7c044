"""Descent: seeds are added, moved and taken away, one at a time, for as long as that makes the dose better.

    nothing --add, move, take away--> no single change helps --fewer?--> as few seeds as keep the goals met

Every step takes the best change of one seed, or of the next seed to be added, and ties go to the first slot:
equal requests give equal seeds. A set that meets its goals is then tried with a seed less, again and again.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from planner.implant.seeding.descent_kernel import Places, descend
from planner.implant.seeding.goal_cost_kernel import GoalTable, cost_with
from planner.implant.seeding.slots import Apart, Slots

SEED = 0.0015
"""What a seed costs beside points on the wrong side: enough that none is left that helps next to nothing
[U]."""
GAIN = 1e-4
"""A change that gains less is none."""
PASSES = 1_000
"""Passes over all seeds, each of which may add one more; descents end far earlier."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What seeds are chosen for: goals, n slots, doses at all points of which each slot has a `row`, the dose
    that is `there` already (m,) [Gy], how far apart seeds must stand, and slots that are shut.

    Where tracks are still to be chosen: what the first seed on each costs (t,), and which tracks cannot both
    have seeds (t, t).
    """

    goals: GoalTable
    slots: Slots
    dose: Float32[np.ndarray, "r m"]
    row: Int[np.ndarray, " n"]
    there: Float32[np.ndarray, " m"]
    apart: Apart
    shut: Bool[np.ndarray, " n"]
    opening: Float[np.ndarray, " t"]
    conflicts: Bool[np.ndarray, "t t"]

    def dose_of(self, chosen: Bool[np.ndarray, " n"]) -> Float32[np.ndarray, " m"]:
        """The dose of the chosen slots and what is there, always summed in the same order. [Gy]"""
        total = self.there.astype(float)
        for row in np.flatnonzero(chosen):
            total += self.dose[self.row[row]]
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
        clear = self.slots.clear_of(chosen, self.apart) & ~self.shut
        return np.flatnonzero(clear & ~excluded[self.slots.track])

    @property
    def places(self) -> Places:
        """The slots as the kernel takes them."""
        return Places(
            self.dose,
            self.row,
            self.there,
            self.slots.track,
            self.slots.centre_B,
            self.shut,
            self.opening,
            self.conflicts,
            self.apart.same_track_mm**2,
            self.apart.any_track_mm**2,
        )

    def part(self, rows: Int[np.ndarray, " k"], others: Bool[np.ndarray, " n"]) -> "Problem":
        """The problem of seeds on some of the slots, beside `others` that stay in slots elsewhere."""
        opening = self.opening.copy()
        opening[self.tracks(others)] = 0.0
        shut = np.ones(len(others), bool)
        shut[self.free(others)] = False
        return replace(
            self,
            slots=self.slots.take(rows),
            row=self.row[rows],
            there=self.dose_of(others),
            shut=shut[rows],
            opening=opening,
        )

    def none(self) -> Bool[np.ndarray, " n"]:
        """No slot chosen."""
        return np.zeros(len(self.slots), bool)


def descended(
    problem: Problem, start: Bool[np.ndarray, " n"], *, may_add: bool = True
) -> Bool[np.ndarray, " n"]:
    """Slots changed one at a time from `start` on until no change of a single one helps."""
    chosen = start.copy()
    descend(problem.goals, problem.places, SEED, GAIN, PASSES, may_add, chosen)
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
