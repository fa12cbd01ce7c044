"""Goals for the optimiser: those of a prescription as ranges of sample points, doses and shares.

points   | PTV ........................ | organ A .... | organ B .. |
goals      D90, V100, V150, V200          D1cc           D0.1cc, D2cc
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from planner.implant.seeding.goal_cost_kernel import GoalTable
from planner.records.request.prescription import Prescription

MISSED_GOAL_COST = 50.0
"""Cost of missing a goal by a share of 1: far more than all points cost while the goal is met [U]."""
COLD_POINT_COST, HOT_POINT_COST = 5.0, 0.15
"""Cost of all points on the wrong side of a dose. Cold ones cost more: a tumour grows again from a cold spot
[U]."""


@dataclass(frozen=True)
class PointGoal:
    """A goal for the points from `first` to `last`: at least, or at most, a `share` of them get `dose_gy`."""

    first: int
    last: int
    dose_gy: float
    at_least: bool
    share: float


def target_goals(prescription: Prescription, count: int, reserve: float) -> list[PointGoal]:
    """The PTV's goals, for the first `count` points, each stricter by a share of `reserve`.

    The reserve is needed because seeds fit the points for which they are placed better than the volume in
    which they are judged. If two goals have the same dose, only the stricter one is kept.
    """
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
    """The goals as the compiled loops take them."""
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
    """The share by which a dose misses each goal; 0.0 where the goal is met."""
    by = []
    for g in goals:
        here = dose_gy[g.first : g.last]
        share = float(np.count_nonzero(here >= np.float32(g.dose_gy))) / max(len(here), 1)
        by.append(max(0.0, g.share - share if g.at_least else share - g.share))
    return np.array(by)
