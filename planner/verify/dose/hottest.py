"""The hottest part of an organ: a set of voxels that surely contains its hottest few cm3.

A lattice of doses around the seeds, interpolated in their logarithms, shows which voxels of an organ are hot,
but not how hot. Voxels next to a seed, where it may be wrong, are always included. The doses of the hottest
2 cm3 are then computed in these voxels, by the sum over all seeds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask, bounding_box
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.geometry.voxels import voxels_of

HOT_CC = 8.0
"""Volume of the hottest part: four times the largest volume that is checked [U]."""
NEXT_TO_SEED_MM = 6.0
"""Voxels within this distance of a seed's centre, plus half a diagonal, are included too [U]."""
REACH_MM, STEP_MM = 60.0, 4.0
"""Margin of the lattice around the outermost seeds, and its step [U]."""
ROUGH = 0.2
"""How much the logarithm of a dose beyond the lattice may exceed the value of the lattice's nearest place:
where a seed's axis meets a face, interpolation is off by 0.12 [U]."""


@dataclass(frozen=True, eq=False)
class DoseField:
    """Logarithm of dose on a lattice in B, and its first node. [mm]"""

    log_dose: Float[np.ndarray, "i j k"]
    first_B: Float[np.ndarray, "3"]

    @property
    def last_B(self) -> Float[np.ndarray, "3"]:
        """Its last node. [mm]"""
        return self.first_B + STEP_MM * (np.array(self.log_dose.shape) - 1)

    @cached_property
    def highest_on_surface(self) -> float:
        """The highest value on its six faces."""
        faces = (np.moveaxis(self.log_dose, a, 0)[[0, -1]] for a in range(3))
        return max(float(pair.max()) for pair in faces)

    def holds(self, points_B: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Whether points lie within the lattice."""
        return np.asarray(((points_B >= self.first_B) & (points_B <= self.last_B)).all(axis=1))

    def at(self, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Interpolated between nodes. Beyond the lattice it is that of the lattice's nearest place, where
        the dose is higher, because every seed is nearer."""
        steps = (points_B - self.first_B) / STEP_MM
        return np.asarray(map_coordinates(self.log_dose, steps.T, order=1, mode="nearest"))


def dose_field_of(seeds: SeedDoses, grid: Grid) -> DoseField:
    """The lattice around seeds. There must be at least one seed."""
    centres_B = grid.to_box(seeds.centres_P)
    first, last = centres_B.min(axis=0) - REACH_MM, centres_B.max(axis=0) + REACH_MM
    shape = np.ceil((last - first) / STEP_MM).astype(int) + 1
    nodes = np.indices(shape).reshape(3, -1).T
    doses = seeds.doses(grid.to_patient(first + STEP_MM * nodes))
    # Of a node inside a seed only that it is hot is known.
    highest = doses[np.isfinite(doses)].max()
    return DoseField(np.log(np.clip(doses, np.finfo(float).tiny, highest)).reshape(shape), first)


def hottest_part(mask: VoxelMask, grid: Grid, seeds: SeedDoses, field: DoseField | None) -> VoxelMask:
    """The voxels of a mask that contain its hottest 2 cm3, and some more. All voxels, where there are few, or
    where there are no seeds and so no field."""
    if field is None:
        return mask
    index = voxels_of(mask, outer_only=False)
    voxel_count = int(np.ceil(HOT_CC * MM3_PER_CC / grid.voxel_volume_mm3))
    if len(index) <= voxel_count:
        return mask
    points_B = index * grid.spacing_mm
    inside = field.holds(points_B)
    estimated = np.full(len(index), -np.inf)
    estimated[inside] = field.at(points_B[inside])
    least = _highest(estimated[inside], voxel_count) - ROUGH
    if field.highest_on_surface >= least:
        # Beyond the lattice an estimate is an upper bound: where it is high enough, the dose is computed.
        beyond = np.flatnonzero(~inside)
        unsure = beyond[field.at(points_B[beyond]) >= least]
        doses = seeds.doses(grid.to_patient(points_B[unsure]))
        estimated[unsure] = np.log(np.maximum(doses, np.finfo(float).tiny))
    hot = estimated >= _highest(estimated, voxel_count)
    hot[inside] |= _next_to_seeds(points_B[inside], grid, seeds)
    return _mask(mask, index[hot])


def _highest(values: Float[np.ndarray, " n"], count: int) -> float:
    """The least of the `count` highest values; minus infinity where there are fewer."""
    return float(np.partition(values, -count)[-count]) if len(values) >= count else -np.inf


def _next_to_seeds(points_B: Float[np.ndarray, "n 3"], grid: Grid, seeds: SeedDoses) -> np.ndarray:
    reach = NEXT_TO_SEED_MM + 0.5 * float(np.linalg.norm(grid.spacing_mm))
    away, _ = cKDTree(grid.to_box(seeds.centres_P)).query(points_B, distance_upper_bound=reach)
    return np.asarray(np.isfinite(away))


def _mask(of: VoxelMask, index: Int[np.ndarray, "n 3"]) -> VoxelMask:
    """A mask of these voxels, in a layer of the same shape as that of `of`."""
    layer = np.zeros(of.layer.shape, np.uint8)
    layer[tuple(index.T)] = 1
    (a, b, c), (d, e, f) = bounding_box(layer[of.slices] == 1)
    i, j, k = of.lower
    return VoxelMask(layer, 1, (a + i, b + j, c + k), (d + i, e + j, f + k))
