"""Where a dose can be reached: cubes around the seeds that contain every place that gets it.

+-------+---+-+-+      At a distance of r or more, a seed gives no more than M(r), over all directions. A
|       |   |#|#|      cube whose centre is at a distance d from a seed, and w from its own corners, gets no
|       +-+-+#+#+      more from this seed than M(d - w). If these doses do not add up to the level, no place
|       |#|#|#|#|      of the cube gets it. The other cubes are divided, and the parts are tested again.
+-------+-+-+-+-+
"""

from itertools import product
from math import inf

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from planner.verify.dose.seed_doses import SeedDoses

SIDES_MM = (16.0, 8.0, 4.0, 2.0)
"""Sides of the cubes, from the first division to the last [U]."""
ENOUGH = 20_000
"""This many cubes are not divided further: a low dose reaches far [U]."""
FARTHEST_MM = 500.0
"""Places farther from all seeds are not searched."""
_RADII_MM = np.geomspace(0.1, FARTHEST_MM, 600)
_ANGLES = np.radians(np.arange(0.0, 91.0, 1.0))
_AT_ONCE = 2_000_000
"""Pairs of a cube and a seed that are computed at a time."""
_HALVES = np.array(list(product((-0.25, 0.25), repeat=3)))


def cubes_that_may_get(
    dose_gy: float, seeds: SeedDoses, grid: Grid
) -> tuple[Float[np.ndarray, "n 3"], float]:
    """Centres in B, and the side, of equal cubes that contain every place with at least the dose. [mm]"""
    most = _most_beyond(seeds)
    centres_B = grid.to_box(seeds.centres_P)
    side = SIDES_MM[0]
    far = _RADII_MM[np.minimum(np.searchsorted(-most, -dose_gy / len(centres_B)), len(most) - 1)]
    low = centres_B.min(axis=0) - far
    counts = np.ceil((centres_B.max(axis=0) + far - low) / side).astype(int)
    middles = low + side * (np.indices(tuple(counts)).reshape(3, -1).T + 0.5)
    middles = _that_may(dose_gy, middles, side, centres_B, most)
    for finer in SIDES_MM[1:]:
        if len(middles) > ENOUGH:
            break
        middles = (middles[:, None] + side * _HALVES).reshape(-1, 3)
        side = finer
        middles = _that_may(dose_gy, middles, side, centres_B, most)
    return middles, side


def _most_beyond(seeds: SeedDoses) -> Float[np.ndarray, " n"]:
    """The most dose that one seed gives at each of the radii or beyond, with its axis known or not. It falls
    with the radius. [Gy]"""
    r, theta = np.meshgrid(_RADII_MM, _ANGLES, indexing="ij")
    points = np.stack([r * np.sin(theta), np.zeros_like(r), r * np.cos(theta)], axis=-1).reshape(-1, 3)
    at_origin, along = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    line_doses = SeedDoses(seeds.source, seeds.strength_u, at_origin, along).doses(points)
    unknown = SeedDoses(seeds.source, seeds.strength_u, at_origin, 0.0 * along).doses(points)
    most = np.maximum(line_doses, unknown).reshape(r.shape).max(axis=1)
    return np.asarray(np.maximum.accumulate(most[::-1])[::-1])


def _that_may(
    dose_gy: float,
    middles_B: Float[np.ndarray, "n 3"],
    side_mm: float,
    centres_B: Float[np.ndarray, "m 3"],
    most: Float[np.ndarray, " r"],
) -> Float[np.ndarray, "k 3"]:
    """The cubes in which some place may get the dose."""
    corner, at_once = 0.5 * np.sqrt(3.0) * side_mm, max(1, _AT_ONCE // len(centres_B))
    # The dose at the last radius that is not beyond the cube's nearest corner; nearer than that, no bound.
    steps = np.append(inf, most)
    candidates = [np.empty((0, 3))]
    for first in range(0, len(middles_B), at_once):
        some = middles_B[first : first + at_once]
        apart = np.linalg.norm(some[:, None] - centres_B, axis=2) - corner
        bound = steps[np.searchsorted(_RADII_MM, apart, side="right")].sum(axis=1)
        candidates.append(some[bound >= dose_gy])
    return np.concatenate(candidates)
