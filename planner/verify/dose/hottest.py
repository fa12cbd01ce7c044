"""The hottest part of an organ: the voxels among which its hottest few cm3 are sure to be.

A lattice of doses around the seeds, logarithms between its nodes, tells which voxels of an organ are hot,
though not how hot. Those next to a seed, where that may be wrong, are taken in any case. Whatever is asked of
the hottest 2 cm3 is asked of them, sampled by the sum over all seeds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, bounding_box
from planner.verify.dose.all_seeds import Planted
from planner.verify.geometry.voxels import voxels_of

HOT_CC = 8.0
"""Volume looked at: four times the largest that is asked for [U]."""
BESIDE_MM = 6.0
"""Voxels within this of a seed's centre, and half a diagonal, are looked at too [U]."""
REACH_MM, STEP_MM = 60.0, 4.0
"""The lattice: beyond the outermost seeds, and from node to node [U]."""
FALL_MM = 18.0
"""Beyond the lattice dose falls to 1/e over about so much: 2/r and the slope of g at 8 cm, I-125 [U]."""
CC_MM3 = 1000.0


@dataclass(frozen=True, eq=False)
class Field:
    """Logarithm of dose on a lattice in B; its first node and step. [mm]"""

    log_dose: Float[np.ndarray, "i j k"]
    first_B: Float[np.ndarray, "3"]

    @property
    def last_B(self) -> Float[np.ndarray, "3"]:
        """Its last node. [mm]"""
        return self.first_B + STEP_MM * (np.array(self.log_dose.shape) - 1)

    def at(self, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Between nodes, and beyond the lattice as FALL_MM says."""
        held = np.clip(points_B, self.first_B, self.last_B)
        inside = map_coordinates(self.log_dose, ((held - self.first_B) / STEP_MM).T, order=1)
        return np.asarray(inside - np.linalg.norm(points_B - held, axis=1) / FALL_MM)


def field_of(seeds: Planted, grid: Grid) -> Field:
    """The lattice around seeds. There must be one at least."""
    centres_B = grid.to_box(seeds.centres_P)
    first, last = centres_B.min(axis=0) - REACH_MM, centres_B.max(axis=0) + REACH_MM
    shape = np.ceil((last - first) / STEP_MM).astype(int) + 1
    nodes = np.indices(shape).reshape(3, -1).T
    doses = seeds.doses(grid.to_patient(first + STEP_MM * nodes))
    # A node inside a seed tells that it is hot there, and no more.
    highest = doses[np.isfinite(doses)].max()
    return Field(np.log(np.clip(doses, np.finfo(float).tiny, highest)).reshape(shape), first)


def hottest_part(mask: VoxelMask, grid: Grid, seeds: Planted, field: Field | None) -> VoxelMask:
    """The voxels of a mask that hold its hottest 2 cm3, and some more; all of them where there are few, or no
    seeds and so no field."""
    if field is None:
        return mask
    index = voxels_of(mask, outer_only=False)
    wanted = int(np.ceil(HOT_CC * CC_MM3 / grid.voxel_volume_mm3))
    if len(index) <= wanted:
        return mask
    index = _in_reach(index, grid, field, 2 * wanted)
    points_B = index * grid.spacing_mm
    estimated = field.at(points_B)
    # Beyond the lattice which of two places is hotter is not known from it.
    beyond = (np.clip(points_B, field.first_B, field.last_B) != points_B).any(axis=1)
    doses = seeds.doses(grid.to_patient(points_B[beyond]))
    estimated[beyond] = np.log(np.maximum(doses, np.finfo(float).tiny))
    hot = estimated >= np.partition(estimated, len(index) - wanted)[len(index) - wanted]
    hot |= _beside(points_B, grid, seeds)
    return _mask(mask, index[hot])


def _in_reach(index: Int[np.ndarray, "n 3"], grid: Grid, field: Field, enough: int) -> Int[np.ndarray, "m 3"]:
    """The voxels in the lattice, where these are enough; else all."""
    points_B = index * grid.spacing_mm
    inside = ((points_B >= field.first_B) & (points_B <= field.last_B)).all(axis=1)
    return index[inside] if int(inside.sum()) >= enough else index


def _beside(points_B: Float[np.ndarray, "n 3"], grid: Grid, seeds: Planted) -> np.ndarray:
    reach = BESIDE_MM + 0.5 * float(np.linalg.norm(grid.spacing_mm))
    away, _ = cKDTree(grid.to_box(seeds.centres_P)).query(points_B, distance_upper_bound=reach)
    return np.asarray(np.isfinite(away))


def _mask(of: VoxelMask, index: Int[np.ndarray, "n 3"]) -> VoxelMask:
    """A mask of those voxels, in a layer of the other's shape."""
    layer = np.zeros(of.layer.shape, np.uint8)
    layer[tuple(index.T)] = 1
    (a, b, c), (d, e, f) = bounding_box(layer[of.slices] == 1)
    i, j, k = of.lower
    return VoxelMask(layer, 1, (a + i, b + j, c + k), (d + i, e + j, f + k))
