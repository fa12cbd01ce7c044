"""Body: everything inside the skin, from a body structure or from all structures together.

    body structure + organs  --or-->  organs, gaps closed  -->  holes filled by slice  -->  parts

Works on the bounding box of all structures, slice by slice where possible: a 512 x 512 x 300 scan must not
need more than a few bytes per voxel.
"""

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from anatomy.geometry.frames import Grid
from anatomy.patient.body.body_parts import BodyParts, parts_of
from anatomy.structures import Role, Structure

CLOSING_MM = 10.0
"""Gaps between labelled organs up to twice this length are bridged if no body structure is given [U]."""

CLOSING_STEP_MM = 2.0
"""Gaps are bridged on blocks of voxels up to this size [U]: a skin guessed from organs is not more
precise."""


def body_of(structures: tuple[Structure, ...], grid: Grid) -> tuple[BodyParts, tuple[str, ...]]:
    """The inside of the skin in its parts, and the names of the body structures from which it was made: none
    if it is guessed from all structures together.

    `structures` have roles and are not empty. Structures with the role outside (table, cushion, arms) are
    removed from a body structure that includes them; all others are inside the body. The target is not added
    to a body structure, because whether it lies inside is checked later.
    """
    skins = [s for s in structures if s.role is Role.SKIN]
    inside = [s for s in structures if s.role not in (Role.OUTSIDE, Role.SKIN)]
    box = _box_around([*skins, *inside])
    body = np.zeros(grid.shape, dtype=bool)
    for s in skins:
        s.mask.paint(body, True)
    if skins:
        for s in structures:
            if s.role is Role.OUTSIDE:
                s.mask.paint(body, False)
        drawn = body.copy()
    for s in inside:
        if not (skins and s.role is Role.TARGET):
            s.mask.paint(body, True)
    if not skins:
        _close(body[box], grid)
    _fill_slices(body[box])
    return parts_of(body, box, drawn if skins else body, grid), tuple(s.name for s in skins)


def _box_around(structures: list[Structure]) -> tuple[slice, slice, slice]:
    lower = np.min([s.mask.lower for s in structures], axis=0)
    upper = np.max([s.mask.upper for s in structures], axis=0)
    a, b, c = (slice(int(low), int(high)) for low, high in zip(lower, upper, strict=True))
    return a, b, c


def _close(body: Bool[np.ndarray, "nx ny nz"], grid: Grid) -> None:
    """Bridge gaps up to twice CLOSING_MM, in place: dilate and erode by a ball, on blocks of voxels.

    A block is added completely if it was empty, or if all its neighbours are in the closed region too; other
    blocks keep their voxels, so the outer surface keeps its resolution.
    """
    factors = np.maximum(1, np.floor(CLOSING_STEP_MM / grid.spacing_mm)).astype(int)
    blocks = _any_in_blocks(body, factors)
    step_mm = grid.spacing_mm * factors
    reach = np.ceil(CLOSING_MM / step_mm).astype(int) + 1
    padded = np.pad(blocks, [(int(n), int(n)) for n in reach])
    dilated = ndimage.distance_transform_edt(~padded, sampling=step_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(dilated, sampling=step_mm) > CLOSING_MM
    added = closed & (~padded | ndimage.binary_erosion(closed, np.ones((3, 3, 3), bool)))
    core = added[tuple(slice(int(n), int(n) + size) for n, size in zip(reach, blocks.shape, strict=True))]
    for k in range(body.shape[2]):
        coarse = core[:, :, k // factors[2]]
        fine = np.repeat(np.repeat(coarse, factors[0], axis=0), factors[1], axis=1)
        body[:, :, k] |= fine[: body.shape[0], : body.shape[1]]


def _any_in_blocks(body: Bool[np.ndarray, "nx ny nz"], factors: np.ndarray) -> Bool[np.ndarray, "mx my mz"]:
    """Whether any voxel of each block is set."""
    starts = [np.arange(0, n, f) for n, f in zip(body.shape, factors, strict=True)]
    blocks = np.empty([len(s) for s in starts], bool)
    for m, first in enumerate(starts[2]):
        # Slices first, so that the reductions need only the memory of one slice.
        flat = body[:, :, first : first + factors[2]].any(axis=2)
        rows = np.logical_or.reduceat(flat, starts[0], axis=0)
        blocks[:, :, m] = np.logical_or.reduceat(rows, starts[1], axis=1)
    return blocks


def _fill_slices(body: Bool[np.ndarray, "nx ny nz"]) -> None:
    """Fill, in place, what the body encloses in an axial slice: airway, bowel, unlabelled lung.

    The border of the box counts as open air, like the border of the scan: air there may continue outside.
    """
    for k in range(body.shape[2]):
        air = np.pad(~body[:, :, k], 1, constant_values=True)
        parts, _ = ndimage.label(air)
        body[:, :, k] = (parts != parts[0, 0])[1:-1, 1:-1]
