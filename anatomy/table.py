"""Table: whether one that was segmented carries the patient as he is planned, or belongs to another pose."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.frames import Grid
from anatomy.pose import Position
from anatomy.roles import TABLE_FAMILIES, key_of
from anatomy.structures import Role, Structure, VoxelMask, middle_P

BELOW = 0.25
"""A table that carries the patient has its centroid beneath his middle by more than this part of half his
thickness [U]: a cushion does that wraps his sides up to three quarters of his height."""


def tables_of(structures: Sequence[Structure], named: str) -> tuple[Structure, ...]:
    """Those of the structures, which have roles, that are tables: by their families, or as `named`."""
    return tuple(s for s in structures if s.name == named or _is_table(s))


def _is_table(structure: Structure) -> bool:
    return structure.role is Role.OUTSIDE and key_of(structure.name) in TABLE_FAMILIES


def lies_below(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"], grid: Grid
) -> bool:
    """Whether a table lies below the patient, whose outermost points are `ends_P`: its centroid lies lower
    than his middle, farther down than aside in parts of his size, and within his width. [mm]"""
    beneath, beside = _place(table, ends_P, gravity, grid)
    return beneath > max(BELOW, abs(beside)) and abs(beside) <= 1.0


def _place(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"], grid: Grid
) -> tuple[float, float]:
    """How far a table's centroid lies from the patient's middle, in parts of half his extent: along gravity,
    and across it and his length. Walls, rails and stray voxels move a centroid by their volume only."""
    across = np.cross(gravity, (0.0, 0.0, 1.0))
    off_P = middle_P(table, grid) - 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    along, aside = (
        float(off_P @ way) / (0.5 * max(float(np.ptp(ends_P @ way)), float(grid.spacing_mm.min())))
        for way in (gravity, across)
    )
    return along, aside


def notes_on_tables(
    tables: Sequence[Structure],
    body: VoxelMask,
    grid: Grid,
    position: Position,
    gravity: Float[np.ndarray, "3"],
) -> tuple[str, ...]:
    """Tables that do not lie below the patient: he is planned in another pose than he was scanned in.

    Where one carries him, a part of it that stands beside him (a rail) is no stray one if it lies lower.
    """
    ends_P = row_ends_P(body, grid) if tables else np.zeros((0, 3))
    carried = any(lies_below(s.mask, ends_P, gravity, grid) for s in tables)
    stray = [s.name for s in tables if not carried or _place(s.mask, ends_P, gravity, grid)[0] <= BELOW]
    instead = "" if carried else "; a plane below his skin stands in for the table"
    return tuple(
        f"{name} does not lie below the patient, who is planned {position}{instead}. Check the position."
        for name in stray
    )


def row_ends_P(body: VoxelMask, grid: Grid) -> Float[np.ndarray, "n 3"]:
    """Centres of the first and last body voxel of every row along i: whatever direction one looks in, the
    outermost body voxel is among them. [mm]"""
    cropped = body.cropped()
    j, k = np.nonzero(cropped.any(axis=0))
    first = cropped.argmax(axis=0)[j, k]
    last = cropped.shape[0] - 1 - cropped[::-1].argmax(axis=0)[j, k]
    ends_V = np.stack([np.concatenate([first, last]), np.tile(j, 2), np.tile(k, 2)], axis=1)
    return grid.to_patient((ends_V + np.array(body.lower)) * grid.spacing_mm)
