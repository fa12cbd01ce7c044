"""Arms: bones of an arm that run far within the body show an arm that counts as trunk, and is pierced as one.

An arm that air parts from the trunk is an obstacle (anatomy.body_parts). One that touches it is one body with
it, and nothing but its bones tells.
"""

from collections.abc import Sequence

import numpy as np

from anatomy.frames import Grid
from anatomy.roles import key_of
from anatomy.structures import Structure, VoxelMask

_BONES = frozenset(key_of(name) for name in ("humerus", "radius", "ulna", "carpal", "metacarpal"))

SHOULDER_MM = 120.0
"""As much of a humerus belongs to the shoulder, which is joined to the trunk in any pose [U]; the whole bone
is some 300 mm long."""


def notes_on_arms(structures: Sequence[Structure], body: VoxelMask, grid: Grid) -> tuple[str, ...]:
    """Arms that are part of the body. `structures` are not empty."""
    bones = (s for s in structures if key_of(s.name) in _BONES)
    long = [s.name for s in bones if _within_mm(s, body, grid) > SHOULDER_MM]
    if not long:
        return ()
    return (
        f"{', '.join(sorted(long))} lies far within the body: an arm that touches the trunk counts as trunk, "
        "and paths may run through it. Segment the arms as a structure of their own (body_extremities), "
        "without the body.",
    )


def _within_mm(bone: Structure, body: VoxelMask, grid: Grid) -> float:
    """The length of a bone within the body: the diagonal of the box around that. [mm]"""
    box = bone.mask.slices
    inside = np.argwhere(bone.mask.cropped() & (body.layer[box] == body.label))
    return float(np.linalg.norm(np.ptp(inside * grid.spacing_mm, axis=0))) if len(inside) else 0.0
