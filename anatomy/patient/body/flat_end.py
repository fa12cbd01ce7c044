"""Flat end: a flat face at the end of a stack of slices, where a real body would be rounded.

    . . . . . . .   air: a padded scan, or the space added around surfaces
    . # . # . . .   <- ragged: remains of the last slices in the segmentation
    . # # # # # .   <- flat: a large face with nothing beyond it. No skin: the body continues out of view
    . # # # # # .
    . . # # # . .
    . . . # . . .   <- rounded: skin

The end of the stack is at the top here: slices are counted from there inwards. A face is bare where nothing
lies beyond it.
"""

import numpy as np
from jaxtyping import Bool, Float

MIN_CUT_MM2 = 3_000.0
"""A smaller face is the end of a limb, a chin or the top of the head [U]: a cut neck has some 100 cm2."""

END_MM, END_RATIO = 10.0, 1.3
"""An end is flat if the outermost slices (those within END_MM, at least one) cover at least END_RATIO times
the area that the same number of next slices add [U]. For an ellipsoid of half axis c, two layers of thickness
d at its end have the ratio (2 c - d) / (2 c - 3 d): 1.2 at most, for a head on slices of 10 mm."""

STEP_MM, STEP_RATIO = 6.0, 3.0
"""A step remains where a segmentation lost a part of the last slices: slices within STEP_MM, at least one,
add STEP_RATIO times the area that the same number of next slices add [U]. A shoulder widens in equal
steps."""

MIN_STEP, MIN_STEP_WITHIN, MIN_PART = 0.1, 0.4, 0.5
"""Least shares of a slice's area that a step leaves bare: within MAX_BEYOND_MM (at least one slice) of the
end, and farther in, where a forearm across the belly adds less; and the least part of its share of a step
that a slice adds itself [U]."""

MAX_BEYOND_MM = 10.0
"""Organs, limbs and parts of the body may extend beyond a flat end by this or by one slice [U]: coarse body
models lose a slice or two at the ends. What extends beyond is left out with the slices."""


def slices_within(mm: float, step_mm: float) -> int:
    """Number of slices within a length, at least one."""
    return max(1, int(mm / step_mm))


def flat_end(
    body: Bool[np.ndarray, "n mx my"],
    covers: Bool[np.ndarray, "n mx my"],
    step_mm: float,
    voxel_mm2: float,
    *,
    steps: bool = True,
) -> int | None:
    """Number of slices, from the end inwards, before the innermost flat face of the body; None if there is no
    such face. What lies inwards of `covers` is not bare. Without `steps`, only a face with no body before it
    counts."""
    bare, covered = np.zeros((2, *body.shape[1:]), bool)
    counts = [0]
    for layer, cover in zip(body, covers, strict=True):
        covered |= cover
        bare |= layer & ~covered
        counts.append(int(np.count_nonzero(bare)))
    # Bare area that the slices from the end inwards cover together, seen along the axis.
    bare_mm2 = voxel_mm2 * np.array(counts)
    areas_mm2 = voxel_mm2 * np.count_nonzero(body, axis=(1, 2))
    flat = [n for n in range(slices_within(END_MM, step_mm)) if _is_end(bare_mm2, n)][:1]
    if steps:
        flat += [n for n in range(1, len(body)) if _is_step(bare_mm2, areas_mm2[n], n, step_mm)]
    else:
        flat = [n for n in flat if not bare_mm2[n]]
    return max(flat, default=None)


def _is_end(bare_mm2: Float[np.ndarray, " n"], slice_: int) -> bool:
    """Whether the slices from the end to this one have a face too large for a rounded end."""
    slices = slice_ + 1
    if 2 * slices >= len(bare_mm2):
        return False
    added = bare_mm2[2 * slices] - bare_mm2[slices]
    return bool(bare_mm2[slices] >= max(MIN_CUT_MM2, END_RATIO * added))


def _is_step(bare_mm2: Float[np.ndarray, " n"], area_mm2: float, slice_: int, step_mm: float) -> bool:
    """Whether this slice, or a few that end with it, add a large bare face in one step."""
    slice_count = slice_ + 1
    within = slice_ > slices_within(MAX_BEYOND_MM, step_mm)
    least_mm2 = max(MIN_CUT_MM2, (MIN_STEP_WITHIN if within else MIN_STEP) * area_mm2)
    # What the outermost slice covers is the face of the end, not a step.
    most = min(slices_within(STEP_MM, step_mm), slice_, len(bare_mm2) - 1 - slice_count)
    for slices in range(1, 1 + most):
        added = bare_mm2[slice_count] - bare_mm2[slice_count - slices]
        # A slice that adds little lies inside the step or beyond it.
        if bare_mm2[slice_count] - bare_mm2[slice_] < MIN_PART * added / slices:
            continue
        if added >= max(least_mm2, STEP_RATIO * (bare_mm2[slice_count + slices] - bare_mm2[slice_count])):
            return True
    return False
