"""Between which doses the coldest sample of a volume to treat must lie, wherever a plan has its samples.

    +-----+-----+
    |  .  |  .  |     a sample stands for a part of a voxel, so that from each point x of the volume one is no
    +-----+-----+     farther than a part is wide. The coldest sample is no hotter than the hottest place
    |  . x|  .  |     that near the coldest point found here, and no colder than the coldest place about it.
    +-----+-----+

Dose is looked at in 26 directions about a point: no direction is farther than 28 degrees from one of them.
Where there are fewer points than voxels, a part of the volume may have none near it: then no least is known.
"""

from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.verify.dose.all_seeds import Planted
from planner.verify.dose.dvh import SampledDoses, points_in

SIDE_MM = 0.5
"""Side of the parts that a plan's samples stand for."""
LARGE_MM3 = 1e6
"""Parts are this share of a volume where that is more."""
LOOKED_AT = 200
"""Of the points found here, so many of the coldest are looked about [U]."""
SPREAD = 2.0
"""No place of the volume lies farther from these points than so many sides of the cube that each stands for
[U]."""
_WAYS = np.array([way for way in product((-1.0, 0.0, 1.0), repeat=3) if any(way)])
WAYS = _WAYS / np.linalg.norm(_WAYS, axis=1)[:, None]
AS_FAR = 1.0 / np.cos(np.radians(28.0))


@dataclass(frozen=True)
class Coldest:
    """The least, 0 where it is not known, and the most that the coldest sample may get. [Gy]"""

    least: float
    most: float


def coldest(mask: VoxelMask, grid: Grid, seeds: Planted, found: SampledDoses) -> Coldest:
    """Of the mask whose doses were `found` at `points_in` it."""
    count = len(found.doses_gy)
    rows = np.argsort(found.doses_gy, kind="stable")[:LOOKED_AT]
    points_P = points_in(mask, grid, count)[rows]
    side = max(SIDE_MM, (found.volume_mm3 / LARGE_MM3) ** (1.0 / 3.0))
    # A part is half as wide from its middle; but several small voxels in one may leave out any of them.
    apart = sqrt(3.0) * side * (1.0 if float(grid.spacing_mm.min()) <= side / 2 else 0.5)
    cube = (found.volume_mm3 / count) ** (1.0 / 3.0)
    here = found.doses_gy[rows]
    most = np.maximum(here, _about(seeds, points_P, AS_FAR * apart).max(axis=1))
    if count < mask.count:
        return Coldest(0.0, float(most.min()))
    least = np.minimum(here, _about(seeds, points_P, AS_FAR * SPREAD * cube).min(axis=1))
    return Coldest(float(least.min()), float(most.min()))


def _about(seeds: Planted, points_P: np.ndarray, reach_mm: float) -> np.ndarray:
    """Doses at so far from each point, by direction. [mm, Gy]"""
    places = points_P[:, None] + reach_mm * WAYS
    return seeds.doses(places.reshape(-1, 3)).reshape(len(points_P), len(WAYS))
