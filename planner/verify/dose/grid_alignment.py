"""Seeds at the same place in their cells of a grid: the errors of samples at cell centres are then equal.

A cell of side h that an isodose cuts is counted as inside or outside by its centre. Its error has a standard
deviation of CUT of a cell. Where the errors of cells are independent, a volume with surface A is therefore
off by CUT h^2 sqrt(A). Where k cells err together, it is off by sqrt(k) times as much. They do:

- around a seed at the centre or a corner of a cell: MIRRORED cells, by symmetry
- around m seeds at the same place in their cells: m times as many
- along a seed that is parallel to an axis of the grid: the cells along its capsule; and, if across this axis
  it lies at the centre or a corner of a cell, those of MIRRORED_ACROSS rows
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import pi, sqrt

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.verify.dose.dvh import SIGMAS
from planner.verify.dose.seed_doses import SeedDoses

SAME_PLACE = 0.05
"""Seeds are aligned if their places in their cells differ by less than this part of a cell's side along each
axis [U]."""
CUT = 0.29
"""Error of a cell that an isodose cuts, as a part of the cell: the standard deviation of a uniform cut,
1 / sqrt(12)."""
MIRRORED = 48
"""Number of cells that one cell is mapped to by the reflections and rotations of a cube."""
MIRRORED_ACROSS = 8
"""Number of cells that one cell is mapped to by the reflections and rotations of a square."""
LITTLE_MM3 = 16.0
"""Up to this volume around each seed, a ball of 1.6 mm, only a few cells are counted [U]. Larger volumes
merge and are covered by the tolerance for independent samples."""
REACH_MM = 1.6
"""A volume of LITTLE_MM3 around a seed reaches no farther than this."""


def alignment_error_in(
    masks: Sequence[VoxelMask], grid: Grid, seeds: SeedDoses, cell_mm: float
) -> Callable[[float], float]:
    """`alignment_error_mm3` of volumes within masks, for the seeds that lie in or near them. [mm]"""
    centres_B = grid.to_box(seeds.centres_P)
    is_near = np.array(
        [any(_reaches(centre_B, mask, grid) for mask in masks) for centre_B in centres_B], bool
    )
    some = replace(seeds, centres_P=seeds.centres_P[is_near], axes_P=seeds.axes_P[is_near])
    correlated = correlated_cells(some, grid, cell_mm)
    return partial(alignment_error_mm3, seeds=len(some.centres_P), correlated=correlated, cell_mm=cell_mm)


def _reaches(centre_B: Float[np.ndarray, "3"], mask: VoxelMask, grid: Grid) -> bool:
    """Whether a voxel of the mask lies within a cube of half side REACH_MM around a seed's centre."""
    first = np.maximum(np.ceil((centre_B - REACH_MM) / grid.spacing_mm - 0.5), mask.lower).astype(int)
    last = np.minimum(np.floor((centre_B + REACH_MM) / grid.spacing_mm + 0.5) + 1, mask.upper).astype(int)
    box = tuple(slice(a, max(a, b)) for a, b in zip(first.tolist(), last.tolist(), strict=True))
    return bool((mask.layer[box] == mask.label).any())


def alignment_error_mm3(volume_mm3: float, seeds: int, correlated: float, cell_mm: float) -> float:
    """How far a count of cell centres may be off for a volume that is a small ball around each of the seeds.

    Three standard deviations, for balls of equal volume; 0.0 where the balls are larger. [mm3, mm]
    `correlated` is the result of `correlated_cells` for these seeds.
    """
    if volume_mm3 > LITTLE_MM3 * seeds:
        return 0.0
    area_mm2 = (36.0 * pi * seeds * volume_mm3**2) ** (1.0 / 3.0)
    return SIGMAS * CUT * cell_mm**2 * sqrt(area_mm2 * correlated)


def correlated_cells(seeds: SeedDoses, grid: Grid, cell_mm: float) -> float:
    """How many cells err together, on average over the seeds; 1.0 where no two seeds are aligned, none lies
    at a centre or corner of a cell, and none is parallel to an axis.

    Cells are voxels, divided into equal parts of at most `cell_mm` along each axis. [mm]
    """
    if not len(seeds.centres_P):
        return 1.0
    cells_mm = grid.spacing_mm / np.ceil(grid.spacing_mm / cell_mm - 1e-9)
    # Cells repeat, so that places lie on a torus.
    places = (grid.to_box(seeds.centres_P) / cells_mm) % 1.0 % 1.0
    cells = _aligned(places, MIRRORED)
    long_mm = seeds.source.seed_length_mm
    turned_mm = np.abs(seeds.axes_P @ grid.R_PB) * long_mm
    for axis, across in enumerate(([1, 2], [0, 2], [0, 1])):
        # Parallel to the axis: both ends lie in the same row of cells.
        parallel = seeds.axes_P.any(axis=1) & (turned_mm[:, across] <= cells_mm[across]).all(axis=1)
        rows = _aligned(places[np.ix_(parallel, across)], MIRRORED_ACROSS)
        cells[parallel] = np.maximum(cells[parallel], rows * long_mm / cells_mm[axis])
    return float(np.mean(cells))


def _aligned(places: Float[np.ndarray, "n d"], mirrored: int) -> Float[np.ndarray, " n"]:
    """For each place in a cell, how many places are aligned with it; times `mirrored` at a centre or
    corner."""
    if not len(places):
        return np.zeros(0)
    aligned = cKDTree(places, boxsize=1.0).query_ball_point(places, SAME_PLACE, p=np.inf, return_length=True)
    from_mirror = np.abs(2.0 * places - np.round(2.0 * places)).max(axis=1)
    return np.asarray(aligned * np.where(from_mirror <= 2.0 * SAME_PLACE, float(mirrored), 1.0))
