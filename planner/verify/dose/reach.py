"""Where a dose can be reached at all: cubes about seeds that hold every place that gets it.

+-------+---+-+-+      At r and beyond a seed gives no more than M(r), over all directions. A cube whose
|       |   |#|#|      middle lies d from a seed, and w from its own corners, gets no more from it than
|       +-+-+#+#+      M(d - w): where these do not add up to the dose, none of the cube gets it. The rest
|       |#|#|#|#|      is divided and looked at again.
+-------+-+-+-+-+
"""

from itertools import product
from math import inf

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from planner.verify.dose.all_seeds import Planted

SIDES_MM = (16.0, 8.0, 4.0, 2.0)
"""Sides of the cubes, from first to last [U]."""
ENOUGH = 20_000
"""So many cubes are not divided any more: a low dose is reached far and wide [U]."""
FARTHEST_MM = 500.0
"""Nothing is looked for farther from all seeds."""
_RADII_MM = np.geomspace(0.1, FARTHEST_MM, 600)
_ANGLES = np.radians(np.arange(0.0, 91.0, 1.0))
_AT_ONCE = 2_000_000
"""Pairs of a cube and a seed at a time."""
_HALVES = np.array(list(product((-0.25, 0.25), repeat=3)))


def cubes_that_may_get(dose_gy: float, seeds: Planted, grid: Grid) -> tuple[Float[np.ndarray, "n 3"], float]:
    """Middles in B, and the side, of equal cubes that hold every place with the dose or more. [mm]"""
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


def _most_beyond(seeds: Planted) -> Float[np.ndarray, " n"]:
    """The most that one seed gives at each of the radii or beyond, known axis or not; it falls. [Gy]"""
    r, theta = np.meshgrid(_RADII_MM, _ANGLES, indexing="ij")
    points = np.stack([r * np.sin(theta), np.zeros_like(r), r * np.cos(theta)], axis=-1).reshape(-1, 3)
    at_origin, along = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    known = Planted(seeds.source, seeds.strength_u, at_origin, along).doses(points)
    unknown = Planted(seeds.source, seeds.strength_u, at_origin, 0.0 * along).doses(points)
    most = np.maximum(known, unknown).reshape(r.shape).max(axis=1)
    return np.asarray(np.maximum.accumulate(most[::-1])[::-1])


def _that_may(
    dose_gy: float,
    middles_B: Float[np.ndarray, "n 3"],
    side_mm: float,
    centres_B: Float[np.ndarray, "m 3"],
    most: Float[np.ndarray, " r"],
) -> Float[np.ndarray, "k 3"]:
    """Those of the cubes that may get the dose somewhere."""
    corner, at_once = 0.5 * np.sqrt(3.0) * side_mm, max(1, _AT_ONCE // len(centres_B))
    # What a seed gives at the last radius that is not beyond the cube's nearest corner; nearer, anything.
    steps = np.append(inf, most)
    kept = [np.empty((0, 3))]
    for first in range(0, len(middles_B), at_once):
        some = middles_B[first : first + at_once]
        apart = np.linalg.norm(some[:, None] - centres_B, axis=2) - corner
        bound = steps[np.searchsorted(_RADII_MM, apart, side="right")].sum(axis=1)
        kept.append(some[bound >= dose_gy])
    return np.concatenate(kept)
