"""Fewest seeds: a bound for the number of seeds that reach the goal for V100 on given needles.

It does not depend on an order of seeds, and it ignores limits for hot spots.

    minimise    sum x[s]
    subject to  sum over s of min(D[s, p], Rx) x[s]  >=  Rx y[p] - there[p]   for every point p
                sum y[p]  >=  share of the points
                sum of x over the slots within one spacing of a track  <= 1,   0 <= x, y <= 1

This is the relaxation of the integer programme with whole seeds. A dose above Rx at a point does not help any
other point, so that doses are capped at Rx.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye_array, hstack, vstack

from planner.implant.seeding.placement_problem import PlacementProblem

POINTS = 500
"""Number of points of the programme, at equal intervals among the problem's points [U]."""
ROUNDING = 1e-6
SOLVED, INFEASIBLE = 0, 2
"""Status codes of scipy.optimize.linprog."""


@dataclass(frozen=True)
class FewestSeeds:
    """The fewest seeds that may reach the goal, None where that is not known, and whether any number can."""

    seeds: int | None
    reachable: bool


def fewest_seeds(problem: PlacementProblem, share: float, prescribed_gy: float, count: int) -> FewestSeeds:
    """The bound for bringing a `share` of the first `count` points, at equal intervals, to the prescribed
    dose."""
    points = np.arange(0, count, max(1, count // POINTS))
    n, m = len(problem.slots), len(points)
    if n == 0:
        return FewestSeeds(None, reachable=True)
    dose = np.minimum(problem.dose[problem.row][:, points].astype(float) / prescribed_gy, 1.0)
    dose_in_place = problem.dose_in_place[points].astype(float) / prescribed_gy
    reach = hstack([csr_matrix(-dose.T), eye_array(m)])
    enough = csr_matrix(np.concatenate([np.zeros(n), -np.ones(m)])[None])
    spacing = _windows(problem)
    answer = linprog(
        np.concatenate([np.ones(n), np.zeros(m)]),
        A_ub=vstack([reach, enough, hstack([spacing, csr_matrix((spacing.shape[0], m))])]).tocsr(),
        b_ub=np.concatenate([dose_in_place, [-share * m], np.ones(spacing.shape[0])]),
        bounds=(0.0, 1.0),
        method="highs",
    )
    seeds = ceil(answer.fun - ROUNDING) if answer.status == SOLVED else None
    return FewestSeeds(seeds, reachable=answer.status != INFEASIBLE)


def _windows(problem: PlacementProblem) -> csr_matrix:
    """A row for each slot, which marks the slots that follow it within the spacing: at most one has a
    seed."""
    slots = problem.slots
    spacing = problem.spacing.same_track_mm
    at = [
        (row, int(other))
        for row in range(len(slots))
        for other in np.flatnonzero(
            (slots.track == slots.track[row])
            & (slots.from_tip_mm >= slots.from_tip_mm[row])
            & (slots.from_tip_mm < slots.from_tip_mm[row] + spacing)
        )
    ]
    return csr_matrix((np.ones(len(at)), np.array(at).T), shape=(len(slots), len(slots)))
