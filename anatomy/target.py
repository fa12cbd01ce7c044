"""Target: the voxels to treat, and what can be none: nothing, a stray click, an organ, a place in the air."""

import numpy as np

from anatomy.errors import StructureError
from anatomy.frames import Grid
from anatomy.structures import Role, Structure, VoxelMask, mask_from_bool

MAX_TARGET_MM = 150.0
"""No target is longer than this along any axis of its grid: twice the largest of the source series (Dong
2021, 10.1111/1759-7714.13932). What is longer is an organ or the whole image, taken by mistake."""

MIN_TARGET_VOXELS = 4
"""Fewer voxels are a stray click, not a node: no seed position within them means anything [U]."""

_FIELD = "target/structure"


def target_of(structures: tuple[Structure, ...], grid: Grid) -> VoxelMask:
    """The union of the structures whose role is target.

    Raises StructureError where there is none, one of them is empty, or their size is no target's.
    """
    chosen = [s for s in structures if s.role is Role.TARGET]
    if not chosen:
        raise StructureError(
            _FIELD, "no structure is the target", "Name one of the input's structures, or give a target file."
        )
    for s in chosen:
        if s.mask.count == 0:
            raise StructureError(
                _FIELD, f"{s.name!r} is empty: no voxel holds it", "Segment it, or name another."
            )
    target = chosen[0].mask
    if len(chosen) > 1:
        union = np.zeros(grid.shape, dtype=bool)
        for s in chosen:
            s.mask.paint(union, True)
        target = mask_from_bool(union)
    _refuse_absurd_size(", ".join(repr(s.name) for s in chosen), target, grid)
    return target


def _refuse_absurd_size(names: str, target: VoxelMask, grid: Grid) -> None:
    if target.count < MIN_TARGET_VOXELS:
        raise StructureError(
            _FIELD,
            f"the target {names} has {target.count} voxel{'s' if target.count > 1 else ''}",
            f"A target needs at least {MIN_TARGET_VOXELS}: segment it whole, or on a finer grid.",
        )
    longest_mm = float(((np.array(target.upper) - np.array(target.lower)) * grid.spacing_mm).max())
    if longest_mm > MAX_TARGET_MM:
        raise StructureError(
            _FIELD,
            f"the target {names} is {longest_mm:.0f} mm long",
            f"A target is at most {MAX_TARGET_MM:.0f} mm long: name a node or lesion, not an organ.",
        )


def refuse_target_outside(target: VoxelMask, body: VoxelMask) -> None:
    """Raise StructureError where more than half of the target lies outside the body."""
    inside = (body.layer[target.slices] == body.label) & target.cropped()
    share = np.count_nonzero(inside) / target.count
    if share < 0.5:
        raise StructureError(
            _FIELD,
            f"{100 * (1 - share):.0f} % of the target lies outside the body",
            "Check that target and body are in one frame, and that the body structure is whole.",
        )
