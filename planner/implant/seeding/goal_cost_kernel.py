"""The cost of a dose with respect to the goals, in integers, so that the order of summation does not matter.

Each goal is about a range of points, a dose and a share of these points: at least (D90 and V100 of the PTV)
or at most (V150, V200, the hottest cm3 of an organ). A missed goal costs in proportion to the share that is
missing or too much. In addition, every point on the wrong side of the dose costs a little, in proportion to
its distance from the dose: this guides the search.

            at least d                        at most d
    cost | .                                         ______
         |  .                                       /
         |    .  (squared)                        /   (linear, no more than half of d)
         |_______._______ dose        ___________/_________ dose
                 d (1 + SLACK)                   d
"""

from typing import NamedTuple

import numpy as np

from anatomy.runtime.jit import jit, jit_inline

COLD_SLACK = np.float32(0.03)
"""Cold points cost until their dose is above the goal's by this part: points between the samples are colder
[U]."""
COST_UNIT = 1 << 15
"""The integer that stands for a cost of 1. A point costs at most (1 + COLD_SLACK)^2, so that sums over 60,000
points fit into int32, of which a processor adds several at a time."""


class GoalTable(NamedTuple):
    """Goals as arrays (g,): the range of points from `first` to `last`, the dose, the `sense` (+1 at least,
    -1 at most), the share of points, the cost of missing the goal, and the cost of points on the wrong
    side."""

    first: np.ndarray
    last: np.ndarray
    dose_gy: np.ndarray
    sense: np.ndarray
    share: np.ndarray
    missed_cost: np.ndarray
    slope_cost: np.ndarray


@jit_inline
def _cold_points(dose, row, wanted):  # type: ignore[no-untyped-def]
    """Number of points with less than the wanted dose, and the total cost of what they lack."""
    few = np.int32(0)
    lack = np.int32(0)
    enough = wanted * (np.float32(1.0) + COLD_SLACK)
    scale = np.float32(COST_UNIT) / (wanted * wanted)
    for i in range(dose.shape[0]):
        x = dose[i] + row[i]
        t = enough - x
        t = t if t > np.float32(0.0) else np.float32(0.0)
        few = np.int32(few + (np.int32(1) if x < wanted else np.int32(0)))
        lack = np.int32(lack + np.int32(t * t * scale))
    return few, lack


@jit_inline
def _hot_points(dose, row, allowed):  # type: ignore[no-untyped-def]
    """Number of points with at least the allowed dose, and the total cost of their excess."""
    many = np.int32(0)
    excess = np.int32(0)
    half = np.float32(0.5) * allowed
    scale = np.float32(COST_UNIT) / allowed
    for i in range(dose.shape[0]):
        x = dose[i] + row[i]
        t = x - allowed
        t = t if t > np.float32(0.0) else np.float32(0.0)
        t = t if t < half else half
        many = np.int32(many + (np.int32(1) if x >= allowed else np.int32(0)))
        excess = np.int32(excess + np.int32(t * scale))
    return many, excess


@jit_inline
def _goal_cost(goals, g, dose, row):  # type: ignore[no-untyped-def]
    """Cost of one goal: for points on the wrong side, and for being missed."""
    first, last = goals.first[g], goals.last[g]
    count = max(last - first, 1)
    if goals.sense[g] > 0:
        wrong, by = _cold_points(dose[first:last], row[first:last], goals.dose_gy[g])
        short = wrong - (1.0 - goals.share[g]) * count
    else:
        wrong, by = _hot_points(dose[first:last], row[first:last], goals.dose_gy[g])
        short = wrong - goals.share[g] * count
    missed = goals.missed_cost[g] * short / count if short > 0.0 else 0.0
    return goals.slope_cost[g] * (by / COST_UNIT) / count, missed


@jit
def cost_with(goals, dose, row):  # type: ignore[no-untyped-def]
    """Cost of the sum of two doses (m,), both float32 [Gy]; and the part of it that is for missed goals."""
    return _cost_up_to(goals, dose, row, np.inf)


@jit
def cost_below(goals, dose, row, limit):  # type: ignore[no-untyped-def]
    """The cost as in `cost_with`; infinity as soon as it cannot be below the limit."""
    return _cost_up_to(goals, dose, row, limit)[0]


@jit
def _cost_up_to(goals, dose, row, limit):  # type: ignore[no-untyped-def]
    """The cost and its part for missed goals; infinity for the cost as soon as it cannot be below the
    limit."""
    total = 0.0
    missed = 0.0
    for g in range(goals.first.shape[0]):
        slope, short = _goal_cost(goals, g, dose, row)
        total += slope
        missed += short
        if total + missed >= limit:
            return np.inf, missed
    return total + missed, missed
