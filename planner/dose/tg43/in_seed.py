"""Samples inside seeds, where there is no tissue and no meaningful dose.

           ___________________
    axis  (___________________)  points of the cylinder count as having got more than any dose
           |<---- length ---->|

Computations cap the dose there, and such a cap can be less than twice the prescription: on a seed's side,
TG-43 gives far less at the ends than in the middle. So the samples are marked with an infinite dose instead:
they reach every level, and no V and no D depends on the cap.
"""

from math import inf

import numpy as np
from jaxtyping import Bool, Float


def in_seed(
    points_P: Float[np.ndarray, "n 3"],
    seeds_P: Float[np.ndarray, "m 3"],
    axes_P: Float[np.ndarray, "m 3"],
    length_mm: float,
    diameter_mm: float,
) -> Bool[np.ndarray, " n"]:
    """Which points lie inside any of the seeds: cylinders about unit `axes_P`, ends included, sides not. [mm]

    A seed whose axis is not known has an axis of zeros. For such a seed, only the ball with its diameter
    counts, which it fills in any orientation. All three arrays are in the same frame, which may be any.
    """
    from scipy.spatial import cKDTree

    inside = np.zeros(len(points_P), dtype=bool)
    if len(seeds_P) == 0:
        return inside
    radius, half = 0.5 * diameter_mm, 0.5 * length_mm
    # Slightly more than a corner's distance, because the tree excludes the bound: rounding must lose no
    # point.
    reach = 1.001 * float(np.hypot(radius, half))
    distance, _ = cKDTree(seeds_P).query(points_P, distance_upper_bound=reach)
    candidates = np.flatnonzero(np.isfinite(distance))
    for seed_P, axis_P in zip(seeds_P, axes_P, strict=True):
        from_seed = points_P[candidates] - seed_P
        along = from_seed @ axis_P
        away = np.linalg.norm(from_seed - np.outer(along, axis_P), axis=1)
        inside[candidates[(np.abs(along) <= half) & (away < radius)]] = True
    return inside


def doses_outside(
    doses_gy: Float[np.ndarray, " n"], inside: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The doses, and infinity where a sample lies `inside` a seed, as planner.dose.dvh takes it. [Gy]"""
    return np.where(inside, inf, doses_gy)
