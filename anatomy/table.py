"""Table: whether one that was segmented carries the patient as he is planned, or belongs to another pose."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.frames import Grid
from anatomy.pose import Position
from anatomy.roles import words_of
from anatomy.structures import Role, Structure, VoxelMask

TABLE_WORDS = frozenset({"table", "couch", "bed"})
"""A structure outside the body with one of these words in its name is the table."""

BELOW = 0.5
"""A table's middle lies beneath the patient's by more than this part of half his thickness [U]."""


def tables_of(structures: Sequence[Structure], named: str) -> tuple[Structure, ...]:
    """Those of the structures, which have roles, that are tables: by their names, or as `named`."""
    return tuple(s for s in structures if s.name == named or _is_table(s))


def _is_table(structure: Structure) -> bool:
    return structure.role is Role.OUTSIDE and bool(TABLE_WORDS & set(words_of(structure.name)))


def lies_below(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"], grid: Grid
) -> bool:
    """Whether a table lies below the patient, whose outermost points are `ends_P`. [mm]"""
    middle_P = grid.to_patient(0.5 * (np.array(table.lower) + np.array(table.upper) - 1) * grid.spacing_mm)
    patient_P = 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    return bool((middle_P - patient_P) @ gravity > 0.5 * float(np.ptp(ends_P @ gravity)) * BELOW)


def notes_on_tables(
    tables: Sequence[Structure],
    body: VoxelMask,
    grid: Grid,
    position: Position,
    gravity: Float[np.ndarray, "3"],
) -> tuple[str, ...]:
    """Tables that do not lie below the patient: he is planned in another pose than he was scanned in."""
    ends_P = row_ends_P(body, grid) if tables else np.zeros((0, 3))
    stray = [s.name for s in tables if not lies_below(s.mask, ends_P, gravity, grid)]
    instead = "; a plane below his skin stands in for the table" if len(stray) == len(tables) else ""
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
