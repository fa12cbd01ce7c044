"""Target: the voxels to treat. Refused as a target: nothing, a stray click, an organ, a place in the air."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Int

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.structures import Role, Structure

MAX_TARGET_MM = 150.0
"""No target is longer than this along any axis of its grid: twice the largest of the source series (Dong
2021, 10.1111/1759-7714.13932). A longer one is an organ or the whole image, named by mistake."""

MIN_TARGET_VOXELS = 4
"""Fewer voxels are a stray click, not a node: no seed position in them is meaningful [U]."""

MIN_CONTACT = 0.25
"""A target that touches the body with at least this share of its surface belongs to it; a target in the air
next to it touches it with less [U]."""

TARGET_FIELD = ("target", "structure")
"""The request field that names the target."""

_DIRECTIONS = (("right", "left"), ("anterior", "posterior"), ("caudal", "cranial"))
"""The directions from which P's axes come, and to which they lead."""


def target_of(structures: tuple[Structure, ...], grid: Grid) -> VoxelMask:
    """The union of the structures whose role is target.

    Raises StructureError if there is none, if one of them is empty, or if their size is not that of a target.
    """
    targets = [s for s in structures if s.role is Role.TARGET]
    if not targets:
        raise StructureError(
            TARGET_FIELD,
            "no structure is the target",
            "Name one of the input's structures, or give a target file.",
        )
    for s in targets:
        if s.mask.count == 0:
            raise StructureError(
                TARGET_FIELD,
                f"{s.name!r} is empty: no voxel holds it",
                "Segment it, or name another structure.",
            )
    target = targets[0].mask
    if len(targets) > 1:
        union = np.zeros(grid.shape, dtype=bool)
        for s in targets:
            s.mask.paint(union, True)
        target = mask_from_bool(union)
    _refuse_absurd_size(", ".join(repr(s.name) for s in targets), target, grid)
    return target


def _refuse_absurd_size(names: str, target: VoxelMask, grid: Grid) -> None:
    if target.count < MIN_TARGET_VOXELS:
        raise StructureError(
            TARGET_FIELD,
            f"the target {names} has {target.count} voxel{'s' if target.count > 1 else ''}",
            f"A target needs at least {MIN_TARGET_VOXELS}: segment it completely, or on a finer grid.",
        )
    refuse_absurd_length(names, target, grid)


def refuse_absurd_length(names: str, target: VoxelMask, grid: Grid, volume_alone: bool = False) -> None:
    """Raise StructureError if a target is longer than MAX_TARGET_MM along an axis of its grid. With
    `volume_alone`, only if its volume is larger than a cube of that length: distant parts may still be left
    out later."""
    if volume_alone and target.count * grid.voxel_volume_mm3 <= MAX_TARGET_MM**3:
        return
    longest_mm = float(((np.array(target.upper) - np.array(target.lower)) * grid.spacing_mm).max())
    if longest_mm > MAX_TARGET_MM:
        raise StructureError(
            TARGET_FIELD,
            f"the target {names} is {longest_mm:.0f} mm long",
            f"A target is at most {MAX_TARGET_MM:.0f} mm long: name a node or lesion, not an organ.",
        )


def share_outside(target: VoxelMask, body: VoxelMask, drawn: Iterable[VoxelMask]) -> float:
    """The share of the target outside the body, from 0 to 1.

    `body` is the body without the target, and `drawn` are the body structures. In a label map the body has a
    hole where the target is, and at the skin this hole is open to the air: a target that overlaps no drawn
    voxel is completely inside if MIN_CONTACT or more of its surface touches the body.
    """
    within = _around(body, target) == body.label
    inside = _around(target, target) == target.label
    share = 1.0 - np.count_nonzero(within & inside) / target.count
    overlaps = any(((_around(mask, target) == mask.label) & inside).any() for mask in drawn)
    attached = not overlaps and _contact(inside, within & ~inside) >= MIN_CONTACT
    return 0.0 if attached else share


def refuse_target_outside(
    share: float, target: VoxelMask, outside: Iterable[Structure], apart: Iterable[Structure], guessed: bool
) -> None:
    """Raise StructureError if more than half of the target lies outside the body.

    `outside` are structures with the role outside, and `apart` the parts of the body except the largest: the
    error names the one that holds most of the target. `guessed`: no body structure was given.
    """
    if share <= 0.5:
        return
    where = f"{100 * share:.0f} % of the target lies outside the body"
    if (holder := _holder(target, outside)) is not None:
        raise StructureError(
            TARGET_FIELD,
            f"{where}, in {holder!r}, whose role is outside",
            f'If needles may pass it, give it another role: in roles, "{holder}": "passable".',
        )
    if guessed:
        raise StructureError(
            TARGET_FIELD,
            f"{where} that was guessed from the organs, because no body structure was given",
            "Give one (TotalSegmentator: --task body), and check that target and organs are in one frame.",
        )
    if (holder := _holder(target, apart)) is not None:
        raise StructureError(
            TARGET_FIELD,
            f"{where}, in {holder}, a part of the body structure separate from the largest",
            "Needles enter only the largest part. Keep the part with the target in the body structure, and "
            "save the others as separate structures, with the role outside in roles.",
        )
    raise StructureError(
        TARGET_FIELD,
        where,
        "Check that target and body are in one frame, and that the body structure is complete.",
    )


def _holder(target: VoxelMask, structures: Iterable[Structure]) -> str | None:
    """The structure that holds most of the target, if one holds at least half of it."""
    inside = target.cropped()
    counts = {
        s.name: int(np.count_nonzero((s.mask.layer[target.slices] == s.mask.label) & inside))
        for s in structures
    }
    name = max(counts, key=lambda name: counts[name], default=None)
    return name if name is not None and 2 * counts[name] >= target.count else None


def _around(mask: VoxelMask, target: VoxelMask) -> Int[np.ndarray, "i j k"]:
    """The mask's layer over the target's box and one voxel around it; -1 beyond the grid."""
    box = tuple(slice(max(a - 1, 0), b + 1) for a, b in zip(target.lower, target.upper, strict=True))
    sizes = mask.layer.shape
    beyond = [(int(a == 0), int(b == n)) for a, b, n in zip(target.lower, target.upper, sizes, strict=True)]
    return np.pad(mask.layer[box].astype(np.int64), beyond, constant_values=-1)


def _contact(inside: Bool[np.ndarray, "i j k"], neighbours: Bool[np.ndarray, "i j k"]) -> float:
    """The share of the outer voxel faces of `inside` that touch a voxel of `neighbours`."""
    met, faces = 0, 0
    for axis in range(3):
        own, other = np.moveaxis(inside, axis, 0), np.moveaxis(neighbours, axis, 0)
        for a, b in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            faces += int(np.count_nonzero(own[a] & ~own[b]))
            met += int(np.count_nonzero(own[a] & other[b]))
    return met / faces if faces else 0.0


def cut_sides(target: VoxelMask, grid: Grid) -> tuple[str, ...]:
    """Sides of the field of view that the target reaches, as the nearest directions of the patient."""
    sides = []
    for axis in range(3):
        direction_P = grid.R_PB[:, axis]
        along = int(np.argmax(np.abs(direction_P)))
        low, high = _DIRECTIONS[along] if direction_P[along] > 0 else _DIRECTIONS[along][::-1]
        sides += [low] if target.lower[axis] == 0 else []
        sides += [high] if target.upper[axis] == grid.shape[axis] else []
    return tuple(sides)
