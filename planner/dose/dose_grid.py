"""Dose grids: dose on a regular grid around seeds, for isodose surfaces and volumes outside the target.

A dose grid has an `anatomy.geometry.frames.Grid` of its own. Its nodes are the voxel centres of that grid,
and its axes are those of the scene's grid, so that it moves with the patient.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from planner.errors import RequestError

DoseAt = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, " n"]]
"""Maps points in P (n, 3) [mm] to the dose of all seeds until they have decayed (n,) [Gy]."""

MAX_NODES = 4_000_000
"""Most nodes of one dose grid: 32 MB [U]. A larger box gets a larger step."""

POINTS_AT_ONCE = 100_000
"""Points in one call of a DoseAt: this keeps the memory for all seeds and points small."""

STEP_GROWTH = 2.0 ** (1.0 / 3.0)
"""Factor for a step that is too fine: it halves the number of points."""

FIRST_MARGIN_MM, MAX_MARGIN_MM = 10.0, 320.0
"""Distance from the outermost seeds to the sides of the box: the first one tried, and the largest [U]."""


@dataclass(frozen=True, eq=False)
class DoseGrid:
    """Doses at the voxel centres of `grid`. [Gy]"""

    grid: Grid
    doses_gy: Float[np.ndarray, "nx ny nz"]

    @property
    def border_gy(self) -> float:
        """The largest dose on the six sides. [Gy]"""
        sides = [np.take(self.doses_gy, end, axis=axis).max() for axis in range(3) for end in (0, -1)]
        return float(max(sides))


def dose_on_grid(dose: DoseAt, grid: Grid) -> DoseGrid:
    """`dose` at all voxel centres of `grid`, POINTS_AT_ONCE at a time. [Gy]"""
    count = int(np.prod(grid.shape))
    doses = np.empty(count)
    for first in range(0, count, POINTS_AT_ONCE):
        flat = np.arange(first, min(first + POINTS_AT_ONCE, count))
        p_V = np.stack(np.unravel_index(flat, grid.shape), axis=1)
        doses[flat] = dose(grid.to_patient(p_V * grid.spacing_mm))
    return DoseGrid(grid, doses.reshape(grid.shape))


Boxes = Callable[[float], Float[np.ndarray, "3"]]
"""Maps a step to the side lengths of the boxes of a dose grid. [mm]"""


def cubes(step_mm: float) -> Float[np.ndarray, "3"]:
    """Cubic boxes with the step as side. [mm]"""
    return np.full(3, step_mm)


def grid_around(
    points_P: Float[np.ndarray, "m 3"], frame: Grid, margin_mm: float, step_mm: float, boxes: Boxes = cubes
) -> Grid:
    """A grid of `boxes` along the axes of `frame` that reaches `margin_mm` or more beyond all points. [mm]

    Its boxes tile space from the corner of the first voxel of `frame`: they do not move with the seeds, and
    if a voxel is a whole number of boxes, no node lies on its sides. If there would be more nodes than
    MAX_NODES, the step is larger, as the spacing of the result shows. Raises GridError for a step that no
    Grid may have.
    """
    p_B = frame.to_box(points_P) - frame.lower_B
    low, high = p_B.min(axis=0) - margin_mm, p_B.max(axis=0) + margin_mm
    while True:
        sides_mm = boxes(step_mm)
        first = np.floor(low / sides_mm - 0.5) + 0.5
        sizes = np.ceil(high / sides_mm - 0.5) + 0.5 - first + 1.0
        if np.prod(sizes) <= MAX_NODES:
            break
        step_mm *= STEP_GROWTH
    X_PV = np.eye(4)
    X_PV[:3, :3] = frame.R_PB * sides_mm
    X_PV[:3, 3] = frame.to_patient(frame.lower_B + first * sides_mm)
    return Grid((int(sizes[0]), int(sizes[1]), int(sizes[2])), X_PV)


def dose_grid_enclosing(
    dose: DoseAt,
    level_gy: float,
    seeds_P: Float[np.ndarray, "m 3"],
    frame: Grid,
    step_mm: float,
    boxes: Boxes = cubes,
) -> DoseGrid:
    """Doses on a grid that is large enough to contain the whole isodose of `level_gy`. [Gy, mm]

    The margin is doubled until the dose on the sides is below the level: beyond them, dose only falls. Raises
    RequestError for a level that is not positive, or so low that it reaches beyond MAX_MARGIN_MM.
    """
    if not level_gy > 0.0:
        raise RequestError("dose level", f"it is {level_gy:g} Gy", "Give a dose above 0 Gy.")
    margin_mm = FIRST_MARGIN_MM
    while margin_mm <= MAX_MARGIN_MM:
        dose_grid = dose_on_grid(dose, grid_around(seeds_P, frame, margin_mm, step_mm, boxes))
        if dose_grid.border_gy < level_gy:
            return dose_grid
        margin_mm *= 2.0
    raise RequestError(
        "dose level",
        f"{level_gy:g} Gy reach over {MAX_MARGIN_MM:g} mm beyond the seeds",
        "Ask for a higher level.",
    )
