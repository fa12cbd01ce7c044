"""Arms: an arm bone far inside the body shows that an arm counts as trunk, so that needles may pass it.

An arm with air between it and the trunk is an obstacle (anatomy.patient.body.body_parts). An arm that touches
the trunk is part of the same body, and only its bones show it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.names.roles import key_of
from anatomy.patient.body.limbs import is_limb
from anatomy.structures import Structure

SHOULDER_MM = 120.0
"""This length of a humerus belongs to the shoulder, which is joined to the trunk in any pose [U]; the whole
bone is some 300 mm long."""

SPECK_MM = 20.0
"""No part of the other bones belongs to the trunk; a shorter part is a speck [U]."""

_MAX_MM = {key_of("humerus"): SHOULDER_MM} | {
    key_of(name): SPECK_MM for name in ("radius", "ulna", "carpal", "metacarpal")
}


def notes_on_arms(structures: Sequence[Structure], body: VoxelMask, grid: Grid) -> tuple[str, ...]:
    """A note on arms that are part of the body. `structures` have roles and are not empty."""
    outside = [s.mask for s in structures if is_limb(s)]
    long = [
        s.name
        for s in structures
        if key_of(s.name) in _MAX_MM and _within_mm(s.mask, body, outside, grid) > _MAX_MM[key_of(s.name)]
    ]
    if not long:
        return ()
    return (
        f"{', '.join(sorted(long))} lies deep inside the body: an arm that touches the trunk counts as "
        "trunk, and paths may run through it. Segment the arms as a separate structure "
        "(body_extremities) and leave them out of the body.",
    )


def _within_mm(bone: VoxelMask, body: VoxelMask, outside: Sequence[VoxelMask], grid: Grid) -> float:
    """Length of a bone's longest connected part inside the body: the diagonal of the box around it. Voxels in
    an arm outside the body do not count. [mm]"""
    within = bone.cropped() & (body.layer[bone.slices] == body.label)
    for k in np.flatnonzero(within.any(axis=(0, 1))):
        within[:, :, k] &= ~_enclosed(outside, bone.lower[2] + int(k), body.layer.shape)[bone.slices[:2]]
    parts, _ = ndimage.label(within)
    return max(
        (
            float(
                np.linalg.norm(
                    [(s.stop - s.start - 1) * h for s, h in zip(part, grid.spacing_mm, strict=True)]
                )
            )
            for part in ndimage.find_objects(parts)
        ),
        default=0.0,
    )


def _enclosed(masks: Sequence[VoxelMask], k: int, shape: tuple[int, ...]) -> Bool[np.ndarray, "nx ny"]:
    """What one of the masks holds or encloses in a slice: in a label map, a bone's voxels are not the arm's.
    Where the slice's border cuts an arm and its bone, the border closes the hole, if the hole is not larger
    than the arm's own area: two arms around a trunk do not enclose it."""
    enclosed = np.zeros(shape[:2], bool)
    for mask in masks:
        regions, count = ndimage.label(mask.layer[:, :, k] != mask.label)
        sizes = np.bincount(regions.ravel(), minlength=count + 1)
        closed = np.ones(count + 1, bool)
        for first, last in ((regions[0], regions[-1]), (regions[:, 0], regions[:, -1])):
            closed[np.intersect1d(first, last)] = False
            cut = np.union1d(first, last)
            closed[cut[sizes[cut] > sizes[0]]] = False
        # The mask itself is region 0, which may span the slice as well.
        closed[0] = True
        enclosed |= closed[regions]
    return enclosed
