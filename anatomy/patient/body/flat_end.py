"""Flat end: a face in which a stack of slices ends, and no rounded body does.

    . . . . . . .   air: a padded scan, or the space that is put around surfaces
    . # . # . . .   <- ragged: what a segmentation left of the last slices
    . # # # # # .   <- flat: a large face, bare of anything beyond. No skin: the body goes on, unseen
    . # # # # # .
    . . # # # . .
    . . . # . . .   <- rounded: skin

The stack's end is at the top here: slices are counted from there on inwards.
"""

import numpy as np
from jaxtyping import Bool, Float

MIN_CUT_MM2 = 3_000.0
"""A smaller face is the end of a limb, a chin or a crown [U]: a cut neck has some 100 cm2."""

END_MM, END_RATIO = 10.0, 1.3
"""An end is flat where the outermost slices, as many as lie within END_MM or one, cover so many times more
than as many next ones add [U]. An ellipsoid's layers of d at the end of a half axis c are as (2 c - d) to
(2 c - 3 d): 1.2 at the most, for a head on slices of 10 mm."""

STEP_MM, STEP_RATIO = 6.0, 3.0
"""A step is left where a segmentation lost a part of the last slices: within STEP_MM or one slice so many
times more is added than in as many next ones [U]. A shoulder widens by steps that are alike."""

MIN_STEP, MIN_STEP_WITHIN, MIN_PART = 0.1, 0.4, 0.5
"""Parts of a slice's area that a step leaves bare: within MAX_BEYOND_MM of the end or one slice, and farther
in, where a forearm across the belly adds less; and the part of its share of a step that a slice adds itself
at least [U]."""

MAX_BEYOND_MM = 10.0
"""Organs, limbs and parts of the body may go on beyond a flat end by this or one slice [U]: coarse body
models lose a slice or two at the ends. It is left out with the slices."""


def slices_within(mm: float, step_mm: float) -> int:
    """How many slices lie within so many mm: one at least."""
    return max(1, int(mm / step_mm))


def flat_end(
    body: Bool[np.ndarray, "n mx my"],
    covers: Bool[np.ndarray, "n mx my"],
    step_mm: float,
    voxel_mm2: float,
    *,
    steps: bool = True,
) -> int | None:
    """How many slices, from the end on inwards, lie before the innermost flat face of the body; None where
    there is none. What lies inwards of `covers` is not bare. Without `steps`, none before which is body."""
    seen, covered = np.zeros((2, *body.shape[1:]), bool)
    counts = [0]
    for layer, cover in zip(body, covers, strict=True):
        covered |= cover
        seen |= layer & ~covered
        counts.append(int(np.count_nonzero(seen)))
    # What the slices from the end on cover together, bare, seen along the axis.
    bare_mm2 = voxel_mm2 * np.array(counts)
    areas_mm2 = voxel_mm2 * np.count_nonzero(body, axis=(1, 2))
    found = [n for n in range(slices_within(END_MM, step_mm)) if _is_end(bare_mm2, n)][:1]
    if steps:
        found += [n for n in range(1, len(body)) if _is_step(bare_mm2, areas_mm2[n], n, step_mm)]
    else:
        found = [n for n in found if not bare_mm2[n]]
    return max(found, default=None)


def _is_end(bare_mm2: Float[np.ndarray, " n"], slice_: int) -> bool:
    """Whether the slices from the end to this one have a face that no rounded end has."""
    here = slice_ + 1
    if 2 * here >= len(bare_mm2):
        return False
    added = bare_mm2[2 * here] - bare_mm2[here]
    return bool(bare_mm2[here] >= max(MIN_CUT_MM2, END_RATIO * added))


def _is_step(bare_mm2: Float[np.ndarray, " n"], area_mm2: float, slice_: int, step_mm: float) -> bool:
    """Whether a face of this slice, or of a few that end with it, lies bare all at once."""
    here = slice_ + 1
    within = slice_ > slices_within(MAX_BEYOND_MM, step_mm)
    least_mm2 = max(MIN_CUT_MM2, (MIN_STEP_WITHIN if within else MIN_STEP) * area_mm2)
    # What the outermost slice covers is the end's face, and no step.
    most = min(slices_within(STEP_MM, step_mm), slice_, len(bare_mm2) - 1 - here)
    for slices in range(1, 1 + most):
        added = bare_mm2[here] - bare_mm2[here - slices]
        # A slice that adds little lies within the step, or beyond it.
        if bare_mm2[here] - bare_mm2[slice_] < MIN_PART * added / slices:
            continue
        if added >= max(least_mm2, STEP_RATIO * (bare_mm2[here + slices] - bare_mm2[here])):
            return True
    return False
