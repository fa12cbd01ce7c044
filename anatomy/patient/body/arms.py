"""Arms: bones of an arm that run far within the body show an arm that counts as trunk, and is pierced as one.

An arm that air parts from the trunk is an obstacle (anatomy.patient.body.body_parts). One that touches it is
one body with it, and nothing but its bones tells.
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
"""As much of a humerus belongs to the shoulder, which is joined to the trunk in any pose [U]; the whole bone
is some 300 mm long."""

LEAST_MM = 20.0
"""Of the other bones no part belongs to the trunk; less than this is a speck [U]."""

_MOST_MM = {key_of("humerus"): SHOULDER_MM} | {
    key_of(name): LEAST_MM for name in ("radius", "ulna", "carpal", "metacarpal")
}


def notes_on_arms(structures: Sequence[Structure], body: VoxelMask, grid: Grid) -> tuple[str, ...]:
    """Arms that are part of the body. `structures` have roles and are not empty."""
    outside = [s.mask for s in structures if is_limb(s)]
    long = [
        s.name
        for s in structures
        if key_of(s.name) in _MOST_MM and _within_mm(s.mask, body, outside, grid) > _MOST_MM[key_of(s.name)]
    ]
    if not long:
        return ()
    return (
        f"{', '.join(sorted(long))} lies far within the body: an arm that touches the trunk counts as trunk, "
        "and paths may run through it. Segment the arms as a structure of their own (body_extremities), "
        "without the body.",
    )


def _within_mm(bone: VoxelMask, body: VoxelMask, outside: Sequence[VoxelMask], grid: Grid) -> float:
    """The length of a bone's longest connected part within the body: the diagonal of the box around it. What
    lies in an arm outside the body is none of it. [mm]"""
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
    """What one of the masks holds or encloses in a slice: in a label map, no voxel of a bone is one of the
    arm. Where the slice's border cuts an arm and its bone, the border closes the hole, if it is no larger
    than what the arm holds: two arms around a trunk do not enclose it."""
    held = np.zeros(shape[:2], bool)
    for mask in masks:
        regions, count = ndimage.label(mask.layer[:, :, k] != mask.label)
        sizes = np.bincount(regions.ravel(), minlength=count + 1)
        enclosed = np.ones(count + 1, bool)
        for first, last in ((regions[0], regions[-1]), (regions[:, 0], regions[:, -1])):
            enclosed[np.intersect1d(first, last)] = False
            cut = np.union1d(first, last)
            enclosed[cut[sizes[cut] > sizes[0]]] = False
        # The mask itself is region 0, which may span the slice as well.
        enclosed[0] = True
        held |= enclosed[regions]
    return held
