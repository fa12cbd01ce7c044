"""Seeds that stand alike in the cells of a grid: there a plan's samples, at the middles of cells, err alike.

A cell h wide that an isodose cuts is in or out by its middle: wrong by CUT of a cell, so that a volume with
an area A is off by CUT h^2 sqrt(A) where cells err by chance. About a seed at a middle or a corner of a cell
MIRRORED cells err together, about m seeds that stand alike m times as many; where k cells do, the volume is
off by sqrt(k) times that. Where a seed lies along an axis of the grid, so do the cells along its capsule, and
about a middle or a corner of a cell across it those of MIRRORED_ACROSS rows.
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
from planner.verify.dose.all_seeds import Planted
from planner.verify.dose.dvh import SIGMAS

SAME_PLACE = 0.05
"""Seeds whose places in their cells differ by less of a cell's side, along each axis, stand alike [U]."""
CUT = 0.29
"""By how much of a cell it is wrong where an isodose cuts it: the standard deviation of a uniform cut,
1 / sqrt(12)."""
MIRRORED = 48
"""Cells of a cube about its middle that one is mapped to by mirrors and turns."""
MIRRORED_ACROSS = 8
"""Cells of a square that one is mapped to."""
LITTLE_MM3 = 16.0
"""So little about each seed, a ball of 1.6 mm, is a few cells [U]. Larger volumes, which merge, are held by
what samples may differ by chance."""
REACH_MM = 1.6
"""What is so little about a seed reaches no farther."""


def off_in(
    masks: Sequence[VoxelMask], grid: Grid, seeds: Planted, cell_mm: float
) -> Callable[[float], float]:
    """`off_about_seeds_mm3` of volumes within masks: of the seeds in them or beside. [mm]"""
    centres_B = grid.to_box(seeds.centres_P)
    near = np.array([any(_reaches(centre_B, mask, grid) for mask in masks) for centre_B in centres_B], bool)
    some = replace(seeds, centres_P=seeds.centres_P[near], axes_P=seeds.axes_P[near])
    err_together = together(some, grid, cell_mm)
    return partial(off_about_seeds_mm3, seeds=len(some.centres_P), err_together=err_together, cell_mm=cell_mm)


def _reaches(centre_B: Float[np.ndarray, "3"], mask: VoxelMask, grid: Grid) -> bool:
    """Whether a voxel of the mask lies within a cube of REACH_MM about a seed's centre."""
    first = np.maximum(np.ceil((centre_B - REACH_MM) / grid.spacing_mm - 0.5), mask.lower).astype(int)
    last = np.minimum(np.floor((centre_B + REACH_MM) / grid.spacing_mm + 0.5) + 1, mask.upper).astype(int)
    box = tuple(slice(a, max(a, b)) for a, b in zip(first.tolist(), last.tolist(), strict=True))
    return bool((mask.layer[box] == mask.label).any())


def off_about_seeds_mm3(volume_mm3: float, seeds: int, err_together: float, cell_mm: float) -> float:
    """By how much a count of cells' middles may be off of a volume that is a little about each of so many
    seeds; 0.0 where it is more. Three standard deviations, of balls of equal volume. [mm3, mm]

    `err_together` is what `together` says of these seeds.
    """
    if volume_mm3 > LITTLE_MM3 * seeds:
        return 0.0
    area_mm2 = (36.0 * pi * seeds * volume_mm3**2) ** (1.0 / 3.0)
    return SIGMAS * CUT * cell_mm**2 * sqrt(area_mm2 * err_together)


def together(seeds: Planted, grid: Grid, cell_mm: float) -> float:
    """How many cells err together, on average over seeds: 1.0 where all stand apart, at no mirror, and along
    no axis.

    Cells are voxels, cut into equal parts of at most `cell_mm` along each axis. [mm]
    """
    if not len(seeds.centres_P):
        return 1.0
    cells_mm = grid.spacing_mm / np.ceil(grid.spacing_mm / cell_mm - 1e-9)
    # Cells repeat: the place is on a torus.
    places = (grid.to_box(seeds.centres_P) / cells_mm) % 1.0 % 1.0
    cells = _alike(places, MIRRORED)
    long_mm = seeds.source.seed_length_mm
    turned_mm = np.abs(seeds.axes_P @ grid.R_PB) * long_mm
    for axis, across in enumerate(([1, 2], [0, 2], [0, 1])):
        # Its ends lie in the same row of cells.
        lies = seeds.axes_P.any(axis=1) & (turned_mm[:, across] <= cells_mm[across]).all(axis=1)
        rows = _alike(places[np.ix_(lies, across)], MIRRORED_ACROSS)
        cells[lies] = np.maximum(cells[lies], rows * long_mm / cells_mm[axis])
    return float(np.mean(cells))


def _alike(places: Float[np.ndarray, "n d"], mirrored: int) -> Float[np.ndarray, " n"]:
    """For each place in a cell how many are alike, times `mirrored` at a middle or a corner."""
    if not len(places):
        return np.zeros(0)
    alike = cKDTree(places, boxsize=1.0).query_ball_point(places, SAME_PLACE, p=np.inf, return_length=True)
    from_mirror = np.abs(2.0 * places - np.round(2.0 * places)).max(axis=1)
    return np.asarray(alike * np.where(from_mirror <= 2.0 * SAME_PLACE, float(mirrored), 1.0))
