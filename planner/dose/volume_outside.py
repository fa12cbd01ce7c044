"""The volume outside a target that gets a dose, counted in cells that do not cross the sides of its voxels.

    +---+---+---+===+===+===+     target voxels (=), each a whole number of cells, or a cell a whole number
    |   |   |:.:| T | T | T |     of voxels, whose parts are then counted
    +---+---+-:-+===+===+===+     :  the isodose
    |   |   |:.:| T | T | T |     only cells that it may cut are divided, into parts whose middles are counted
    +---+---+:--+===+===+===+

Cells that do not fit the voxels would be inside or outside the target depending on where their centres lie:
with 1 mm cells in voxels of 1.5 mm, the count would have a systematic error along a whole side. The remaining
error comes from the isodose: a part of side h is inside or outside by its centre. The error of a part that
the isodose cuts is 0.29 of a part [C, standard deviation of a uniform cut]. Because the isodose is curved,
the errors of parts are nearly independent, so that the total is 0.29 h^2 sqrt(A) for an isodose of area A. If
there are fewer cells, each has more parts. The total is about 0.03 % of the volume that gets the dose, and at
most 0.1 % [C, 60 balls and boxes on any grids]: `tests/planner/dose/test_volume_outside.py` checks 0.2 %.
Parts are not independent where a ball's centre lies on a plane of symmetry of the voxels: up to 0.43 % [C, 25
balls of 3 mm in voxels of 1 x 1 x 1 to 1.24 mm]; the test then checks 0.5 %.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_dilation, binary_erosion

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.geometry.points_in_mask import points_inside
from planner.dose.dose_grid import POINTS_AT_ONCE, DoseAt, DoseGrid, dose_grid_enclosing

STEP_MM = 1.0
"""Largest side of a cell, if voxels are not larger [U]."""
PARTS, MIN_PARTS, MAX_PARTS = 300_000, 3, 8
"""Parts of all cells that the isodose may cut, about; and of one along each axis, from the
fewest to the most [U]."""
NEAR_SEED_MM = 4.0
"""Within this distance of a seed's centre, its length and a cell's diagonal, there may be a hot place between
two nodes."""
_ROUNDING = 1e-9
"""A voxel of 0.6 mm has three cells of 0.2 mm, though 0.6 / 0.2 rounds to more or less than 3."""


def outside_mm3(
    dose: DoseAt,
    level_gy: float,
    seeds_P: Float[np.ndarray, "m 3"],
    target: VoxelMask,
    grid: Grid,
    step_mm: float = STEP_MM,
) -> float:
    """Volume outside the target's voxels that gets `level_gy` or more. [mm3, Gy, mm]

    If there would be too many cells, they are larger than requested, and a level that is too low is refused:
    see planner.dose.dose_grid.
    """
    dose_grid = dose_grid_enclosing(
        dose, level_gy, seeds_P, grid, step_mm, lambda step: cell_sides_mm(grid.spacing_mm, step)
    )
    hot = dose_grid.doses_gy >= level_gy
    around = np.ones((3, 3, 3), bool)
    surely = binary_erosion(hot, around)
    maybe = (binary_dilation(hot, around) | _near_seeds(dose_grid, seeds_P)) & ~surely
    cell, voxels = dose_grid.grid.spacing_mm, _voxels_in(dose_grid.grid.spacing_mm, grid.spacing_mm)
    parts_per_axis = (PARTS / max(1, int(np.count_nonzero(maybe)))) ** (1.0 / 3.0)
    fine = min(MAX_PARTS, max(MIN_PARTS, int(parts_per_axis)))
    parts = voxels * -(-fine // voxels)
    inner_parts = _counted(np.argwhere(surely), voxels, dose_grid.grid, target, grid)
    cut_parts = _counted(np.argwhere(maybe), parts, dose_grid.grid, target, grid, dose, level_gy)
    return float(np.prod(cell)) * (inner_parts / int(voxels.prod()) + cut_parts / int(parts.prod()))


def cell_sides_mm(spacing_mm: Float[np.ndarray, "3"], step_mm: float) -> Float[np.ndarray, "3"]:
    """Sides of cells, no longer than the step where voxels are not smaller: of each voxel a whole number, or
    each of a whole number of voxels. [mm]"""
    voxels = np.maximum(np.floor(step_mm / spacing_mm + _ROUNDING), 1.0)
    parts = np.maximum(np.ceil(spacing_mm / step_mm - _ROUNDING), 1.0)
    return np.asarray(spacing_mm * voxels / parts)


def _voxels_in(cell_mm: Float[np.ndarray, "3"], spacing_mm: Float[np.ndarray, "3"]) -> Int[np.ndarray, "3"]:
    """How many voxels a cell is long; 1 where it lies in one."""
    return np.asarray(np.maximum(np.rint(cell_mm / spacing_mm), 1.0).astype(int))


def _near_seeds(dose_grid: DoseGrid, seeds_P: Float[np.ndarray, "m 3"]) -> Bool[np.ndarray, "nx ny nz"]:
    """The cells in a box about each seed."""
    is_near = np.zeros(dose_grid.doses_gy.shape, bool)
    cell = dose_grid.grid.spacing_mm
    for place in dose_grid.grid.to_box(seeds_P) / cell:
        first = np.maximum(np.floor(place - NEAR_SEED_MM / cell), 0.0).astype(int)
        last = np.maximum(np.ceil(place + NEAR_SEED_MM / cell) + 1.0, 0.0).astype(int)
        is_near[tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))] = True
    return is_near


def _counted(
    cells_V: Int[np.ndarray, "n 3"],
    parts: Int[np.ndarray, "3"],
    dose_grid: Grid,
    target: VoxelMask,
    grid: Grid,
    dose: DoseAt | None = None,
    level_gy: float = 0.0,
) -> int:
    """Number of parts of the cells that are outside the target, and, with a dose, get at least the level.
    `parts` is the number of parts of a cell along each axis."""
    along = [(np.arange(n) + 0.5) / n - 0.5 for n in parts.tolist()]
    offsets = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
    at_once, count = max(1, POINTS_AT_ONCE // len(offsets)), 0
    for first in range(0, len(cells_V), at_once):
        p_V = (cells_V[first : first + at_once, None, :] + offsets).reshape(-1, 3)
        p_P = dose_grid.to_patient(p_V * dose_grid.spacing_mm)
        beyond = p_P[~points_inside(target, grid, p_P)]
        count += len(beyond) if dose is None else int(np.count_nonzero(dose(beyond) >= level_gy))
    return count
