"""Bounds for the dose of the coldest sample of a target volume, wherever a plan places its samples.

    +-----+-----+
    |  .  |  .  |     A sample stands for a part of a voxel. So there is one within the width of a part of
    +-----+-----+     every point x of the volume. The coldest sample is no hotter than the hottest place
    |  . x|  .  |     within that distance of the coldest point here, and no colder than the coldest place
    +-----+-----+     around that point.

Dose is computed in 26 directions around a point: no direction is farther than 28 degrees from one of them.
Where there are fewer points than voxels, a part of the volume may have no point near it. Then no lower bound
is known.
"""

from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.verify.dose.dvh import SampledDoses, points_in
from planner.verify.dose.seed_doses import SeedDoses

SIDE_MM = 0.5
"""Side of the part of a voxel that a plan's sample stands for."""
LARGE_MM3 = 1e6
"""A part of a volume is at least the volume divided by this number."""
LOOKED_AT = 200
"""Number of coldest points around which doses are computed [U]."""
SPREAD = 2.0
"""No place of the volume is farther from these points than this many sides of the cube that each point stands
for [U]."""
_WAYS = np.array([way for way in product((-1.0, 0.0, 1.0), repeat=3) if any(way)])
WAYS = _WAYS / np.linalg.norm(_WAYS, axis=1)[:, None]
AS_FAR = 1.0 / np.cos(np.radians(28.0))


@dataclass(frozen=True)
class ColdestBounds:
    """Least and most dose of the coldest sample; the least is 0 where it is not known. [Gy]"""

    least: float
    most: float


def coldest(mask: VoxelMask, grid: Grid, seeds: SeedDoses, samples: SampledDoses) -> ColdestBounds:
    """The bounds for a mask with these doses at `points_in` it."""
    count = len(samples.doses_gy)
    rows = np.argsort(samples.doses_gy, kind="stable")[:LOOKED_AT]
    points_P = points_in(mask, grid, count)[rows]
    side = max(SIDE_MM, (samples.volume_mm3 / LARGE_MM3) ** (1.0 / 3.0))
    # From its centre a part is half as wide. But a part of several small voxels may lack any of them.
    reach = sqrt(3.0) * side * (1.0 if float(grid.spacing_mm.min()) <= side / 2 else 0.5)
    cube = (samples.volume_mm3 / count) ** (1.0 / 3.0)
    doses = samples.doses_gy[rows]
    most = np.maximum(doses, _about(seeds, points_P, AS_FAR * reach).max(axis=1))
    if count < mask.count:
        return ColdestBounds(0.0, float(most.min()))
    least = np.minimum(doses, _about(seeds, points_P, AS_FAR * SPREAD * cube).min(axis=1))
    return ColdestBounds(float(least.min()), float(most.min()))


def _about(seeds: SeedDoses, points_P: np.ndarray, reach_mm: float) -> np.ndarray:
    """Doses at that distance from each point, one for each direction. [mm, Gy]"""
    places = points_P[:, None] + reach_mm * WAYS
    return seeds.doses(places.reshape(-1, 3)).reshape(len(points_P), len(WAYS))
