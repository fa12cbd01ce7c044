"""Table: whether a segmented table supports the patient in the planned pose, or belongs to another pose."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, centroid_P
from anatomy.names.roles import TABLE_FAMILIES, key_of
from anatomy.patient.pose import Position
from anatomy.structures import Role, Structure

BELOW = 0.25
"""The centroid of a table that supports the patient lies below the patient's middle by more than this share
of half their thickness [U]: cushion walls at the sides raise the centroid."""

UNDER = 0.5
"""A table that supports the patient extends under their middle, or misses it by at most this share of half
their width [U]: half a table does, and a table cut by the field of view."""


def tables_of(structures: Sequence[Structure], table_name: str) -> tuple[Structure, ...]:
    """The tables among structures with roles: by family, or by the name `table_name`."""
    return tuple(s for s in structures if s.name == table_name or _is_table(s))


def _is_table(structure: Structure) -> bool:
    return structure.role is Role.OUTSIDE and key_of(structure.name) in TABLE_FAMILIES


def lies_below(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"], grid: Grid
) -> bool:
    """Whether a table lies below the patient, whose outermost points are `ends_P` [mm]: its centroid is lower
    than the patient's middle, it extends under the middle, and its point nearest to the middle is farther
    down than sideways.

    Lengths are relative to half the patient's extent. The patient need not lie on the middle of the table, so
    the centroid may be shifted sideways by any length along the table's breadth.
    """
    ways = _ways(gravity)
    off_mm, half_mm = _off_and_half_mm(table, ends_P, ways, grid)
    breadth_mm = _half_breadth_mm(table, ways, grid)
    length_mm = max(float(np.linalg.norm(breadth_mm)), 1e-9)
    along = np.clip(off_mm @ breadth_mm / length_mm**2, -1.0, 1.0)
    down, sideways = (off_mm - along * breadth_mm) / half_mm
    short = (abs(off_mm[1]) - abs(breadth_mm[1])) / half_mm[1]
    return bool(_lies_lower(table, ends_P, gravity, grid) and short <= UNDER and down > abs(sideways))


def _lies_lower(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"], grid: Grid
) -> bool:
    """Whether a table's centroid is lower than the patient's middle, however far sideways."""
    off_mm, half_mm = _off_and_half_mm(table, ends_P, _ways(gravity), grid)
    return bool(off_mm[0] > BELOW * half_mm[0])


def _ways(gravity: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 3"]:
    """Unit vectors down, and perpendicular to gravity and to the patient's length."""
    return np.stack([gravity, np.cross(gravity, (0.0, 0.0, 1.0))])


def _off_and_half_mm(
    table: VoxelMask, ends_P: Float[np.ndarray, "n 3"], ways: Float[np.ndarray, "2 3"], grid: Grid
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Offset of a table's centroid from the patient's middle, and half the patient's extent; each down and
    sideways. Walls, rails and stray voxels move a centroid only in proportion to their volume. [mm]"""
    off_P = centroid_P(table, grid) - 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    return ways @ off_P, 0.5 * np.maximum(np.ptp(ends_P @ ways.T, axis=0), grid.spacing_mm.min())


def _half_breadth_mm(table: VoxelMask, ways: Float[np.ndarray, "2 3"], grid: Grid) -> Float[np.ndarray, "2"]:
    """From a table's centroid to one end of its breadth: down and sideways. [mm]

    A strip of half breadth w and half thickness t has the variances w^2 / 3 and t^2 / 3 along its principal
    axes, so w is about sqrt(3 (larger - smaller)); an object as thick as broad gets 0.
    """
    smaller_larger, axes = np.linalg.eigh(ways @ _covariance_mm2(table, grid) @ ways.T)
    return np.asarray(np.sqrt(3.0 * np.ptp(smaller_larger)) * axes[:, 1])


def _covariance_mm2(mask: VoxelMask, grid: Grid) -> Float[np.ndarray, "3 3"]:
    """Covariance, in P, of the voxel centres of a mask that is not empty."""
    inside = mask.cropped()
    covariance = np.empty((3, 3))
    for a, b in ((0, 1), (1, 2), (0, 2)):
        share = np.count_nonzero(inside, axis=3 - a - b) / mask.count
        by_a, by_b = share.sum(axis=1), share.sum(axis=0)
        at_a, at_b = np.arange(len(by_a)) * grid.spacing_mm[a], np.arange(len(by_b)) * grid.spacing_mm[b]
        from_a, from_b = at_a - by_a @ at_a, at_b - by_b @ at_b
        covariance[a, b] = covariance[b, a] = from_a @ share @ from_b
        covariance[a, a], covariance[b, b] = by_a @ from_a**2, by_b @ from_b**2
    return np.asarray(grid.R_PB @ covariance @ grid.R_PB.T)


def notes_on_tables(
    tables: Sequence[Structure],
    body: VoxelMask,
    grid: Grid,
    position: Position,
    gravity: Float[np.ndarray, "3"],
) -> tuple[str, ...]:
    """Notes on tables that do not lie below the patient: the planned pose is not that of the scan.

    If one table supports the patient, another part next to the patient (a rail) is accepted if it is lower.
    """
    ends_P = row_ends_P(body, grid) if tables else np.zeros((0, 3))
    supported = any(lies_below(s.mask, ends_P, gravity, grid) for s in tables)
    misplaced = [s.name for s in tables if not supported or not _lies_lower(s.mask, ends_P, gravity, grid)]
    instead = "" if supported else "; a plane below the skin replaces the table"
    return tuple(
        f"{name} does not lie below the patient, whose planned position is {position}{instead}. Check the "
        "position."
        for name in misplaced
    )


def row_ends_P(body: VoxelMask, grid: Grid) -> Float[np.ndarray, "n 3"]:
    """Centres of the first and last body voxel of every row along i: the outermost body voxel in any
    direction is among them. [mm]"""
    cropped = body.cropped()
    j, k = np.nonzero(cropped.any(axis=0))
    first = cropped.argmax(axis=0)[j, k]
    last = cropped.shape[0] - 1 - cropped[::-1].argmax(axis=0)[j, k]
    ends_V = np.stack([np.concatenate([first, last]), np.tile(j, 2), np.tile(k, 2)], axis=1)
    return grid.to_patient((ends_V + np.array(body.lower)) * grid.spacing_mm)
