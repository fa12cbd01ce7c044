"""What a set of seeds is worth: a whole number, so that no order of summing changes it.

Each goal speaks of a run of points, one dose and one share of them: at least (the PTV's D90, V100) or at most
(V150, V200, an organ's hottest cm3). A goal that is missed costs by how much of the share is missing or too
much; below that, every point costs a little by how far it is on the wrong side, which tells the way.

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
"""Cold points cost until they have this much more than asked for: points between the samples are colder
[U]."""
COST_UNIT = 1 << 15
"""A point's cost of 1. Sums of 60,000 points stay within int32, which loops add several of at a time: a point
costs (1 + SLACK)^2 at the most."""


class GoalTable(NamedTuple):
    """Goals as arrays (g,): points first to last, dose, +1 at least or -1 at most, share of the points, and
    what missing it and a point's wrong side cost."""

    first: np.ndarray
    last: np.ndarray
    dose_gy: np.ndarray
    sense: np.ndarray
    share: np.ndarray
    missed_cost: np.ndarray
    slope_cost: np.ndarray


@jit_inline
def _cold_points(dose, row, wanted):  # type: ignore[no-untyped-def]
    """How many points get less than wanted, and what their lack costs in all."""
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
    """How many points get the allowed dose or more, and what their excess costs in all."""
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
    """What one goal costs: for points on the wrong side, and for being missed."""
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
    """Cost of dose (m) and a row (m) of dose added to it, both float32 [Gy]; and how much of it is for goals
    that are missed."""
    total = 0.0
    missed = 0.0
    for g in range(goals.first.shape[0]):
        slope, short = _goal_cost(goals, g, dose, row)
        total += slope
        missed += short
    return total + missed, missed


@jit
def cost_below(goals, dose, row, limit):  # type: ignore[no-untyped-def]
    """As `cost_with`, the cost alone; infinity as soon as it cannot stay below the limit."""
    total = 0.0
    missed = 0.0
    for g in range(goals.first.shape[0]):
        slope, short = _goal_cost(goals, g, dose, row)
        total += slope
        missed += short
        if total + missed >= limit:
            return np.inf
    return total + missed
