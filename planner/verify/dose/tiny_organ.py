"""The hottest sample of a tiny organ: below 0.1 cm3 a plan states its dose. Its bounds, from denser points.

A plan's samples are at the centres of parts of voxels, no longer than PART_MM near seeds, and of whole voxels
elsewhere. So one sample lies within half a part's diagonal of the hottest place, and none is hotter than it.
"""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.verify.dose.dvh import Recomputed, points_in
from planner.verify.dose.seed_doses import SeedDoses

PART_MM, NEAR_MM = 1.0, 30.0
"""Longest side of a part of a voxel within NEAR_MM of a seed."""
POINT_MM3, BETWEEN_MM = 0.01, 0.3
"""Volume that a point stands for here; and the distance within which every place of a mask has a point
[U]."""


def hottest_sample(masks: Sequence[VoxelMask], grid: Grid, seeds: SeedDoses) -> Recomputed:
    """The highest dose outside seeds in masks that are not empty, and the least and most that a plan's
    hottest sample may have. [Gy]"""
    if not len(seeds.centres_P):
        return Recomputed(0.0, 0.0, 0.0)
    voxel = grid.voxel_volume_mm3
    points_P = np.concatenate([points_in(m, grid, ceil(m.count * voxel / POINT_MM3)) for m in masks])
    doses, away_mm = seeds.doses(points_P), seeds.nearest_mm(points_P)
    outside = np.isfinite(doses)
    if not outside.any():
        return Recomputed(seeds.highest_outside_gy, 0.0, seeds.highest_outside_gy)
    half_voxel_mm = 0.5 * float(np.linalg.norm(grid.spacing_mm))
    part_mm = 0.5 * sqrt(3.0) * PART_MM
    if away_mm.max() > NEAR_MM - half_voxel_mm:
        part_mm = max(part_mm, half_voxel_mm)
    highest = float(doses[outside].max())
    # Near a place that is farther than this from every seed, the plan's sample is in no seed.
    radius_mm = 0.5 * seeds.source.seed_diameter_mm
    clear = away_mm > radius_mm + part_mm + BETWEEN_MM
    least = 0.0
    if clear.any():
        hottest = int(np.argmax(np.where(clear, doses, -1.0)))
        around = np.linalg.norm(points_P - points_P[hottest], axis=1) <= part_mm + BETWEEN_MM
        least = float(doses[around].min())
    if not outside.all():
        return Recomputed(highest, least, seeds.highest_outside_gy)
    # Between points, dose grows at most as that of a point source: as 1/r^2 from the nearest seed's axis.
    nearer_mm = np.maximum(away_mm - BETWEEN_MM, radius_mm)
    most = float((doses * np.maximum(1.0, away_mm / nearer_mm) ** 2).max())
    return Recomputed(highest, least, min(most, seeds.highest_outside_gy))
