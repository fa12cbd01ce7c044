"""Aims: the goals of a prescription as runs of sample points, doses and shares, as the optimiser sees them.

points   | PTV ........................ | organ A .... | organ B .. |
goals      D90, V100, V150, V200          D1cc           D0.1cc, D2cc
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from planner.implant.seeding.goal_cost_kernel import GoalTable
from planner.records.request import Prescription

MISSED_GOAL_COST = 50.0
"""What a share of 1 that a goal misses costs: far above all that points cost on the right side of it [U]."""
COLD_POINT_COST, HOT_POINT_COST = 5.0, 0.15
"""What points cost on the wrong side of a dose, in full. Cold ones weigh more: a cold spot grows again
[U]."""


@dataclass(frozen=True)
class PointGoal:
    """A goal on a run of points: at least `share` of them get `dose_gy`, or at most."""

    first: int
    last: int
    dose_gy: float
    at_least: bool
    share: float


def target_goals(prescription: Prescription, count: int, reserve: float) -> list[PointGoal]:
    """The PTV's goals, on the first `count` points, each with a share `reserve`: seeds fit the
    points they are placed for better than the volume they are judged on. Of two at one dose the stricter says
    all."""
    rx, goals = prescription.dose_gy, prescription.goals
    shares: dict[float, float] = {}
    for dose, share in ((rx, goals.v100_percent / 100), (prescription.d90_goal_gy, 0.9)):
        shares[dose] = max(shares.get(dose, 0.0), min(1.0, share + reserve))
    at_least = [PointGoal(0, count, dose, True, share) for dose, share in shares.items()]
    at_most = [
        PointGoal(0, count, part * rx, False, max(0.0, percent / 100 - reserve))
        for part, percent in ((1.5, goals.v150_percent), (2.0, goals.v200_percent))
    ]
    return [*at_least, *at_most]


def goal_table(goals: Sequence[PointGoal]) -> GoalTable:
    """The goals as the kernel takes them."""
    at_least = np.array([g.at_least for g in goals], bool)
    return GoalTable(
        first=np.array([g.first for g in goals], np.int64),
        last=np.array([g.last for g in goals], np.int64),
        dose_gy=np.array([g.dose_gy for g in goals], np.float32),
        sense=np.where(at_least, 1, -1).astype(np.int64),
        share=np.array([g.share for g in goals], float),
        missed_cost=np.full(len(goals), MISSED_GOAL_COST),
        slope_cost=np.where(at_least, COLD_POINT_COST, HOT_POINT_COST),
    )


def shortfalls(goals: Sequence[PointGoal], dose_gy: Float[np.ndarray, " m"]) -> Float[np.ndarray, " g"]:
    """By how much of the share each goal is missed by a dose; 0.0 where it is met."""
    by = []
    for g in goals:
        here = dose_gy[g.first : g.last]
        share = float(np.count_nonzero(here >= np.float32(g.dose_gy))) / max(len(here), 1)
        by.append(max(0.0, g.share - share if g.at_least else share - g.share))
    return np.array(by)
