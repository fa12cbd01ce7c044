"""View ends: where the field of view cut the body short of the grid's edge, the grid is made to end as well.

    . . . . . . .   air: a padded scan, or the space that is put around surfaces
    . # . # . . .   <- ragged: what a segmentation left of the last slices. Left out with the air
    . # # # # # .   <- flat: a large face, bare of anything beyond. No skin: the body goes on, unseen
    . # # # # # .
    . . # # # . .
    . . . # . . .   <- rounded: skin

A face of the body at the grid's edge is taken as cut by all that searches, measures and verifies. So the
slices beyond a flat end are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from jaxtyping import Bool, Float

from anatomy.body_parts import BodyParts
from anatomy.errors import StructureError
from anatomy.frames import Grid, canonical_axes
from anatomy.structures import Segmentation, VoxelMask

LEAST_CUT_MM2 = 3_000.0
"""A smaller face is the end of a limb, a chin or a crown [U]: a cut neck has some 100 cm2."""

END_MM, END_RATIO = 10.0, 1.3
"""An end is flat where the outermost slices, as many as lie within END_MM or one, cover so many times more
than as many next ones add [U]. An ellipsoid's layers of d at the end of a half axis c are as (2 c - d) to
(2 c - 3 d): 1.2 at the most, for a head on slices of 10 mm."""

STEP_MM, STEP_RATIO = 6.0, 3.0
"""A step is left where a segmentation lost a part of the last slices: within STEP_MM or one slice so many
times more is added than in as many next ones [U]. A shoulder widens by steps that are alike."""

LEAST_STEP, LEAST_STEP_WITHIN, LEAST_PART = 0.1, 0.4, 0.5
"""Parts of a slice's area that a step adds: within MOST_BEYOND_MM of the end, and farther in, where a forearm
across the belly adds less; and the part of its share of a step that a slice adds itself at least [U]."""

LEAST_GOING_ON = 0.5
"""Limbs, drawn outside the body, that cover this part of a flat end are the body going on [U]."""

MOST_BEYOND_MM = 10.0
"""Organs, limbs and parts of the body may go on beyond a flat end by this [U]: coarse body models lose a
slice or two at the ends. It is left out with the slices."""


@dataclass(frozen=True)
class ViewEnds:
    """Slices `first` to `stop` (half-open) along `axis` hold what the field of view shows. `cut_z_mm` are the
    flat ends' places in P."""

    axis: int
    first: int
    stop: int
    cut_z_mm: tuple[float, ...]


def view_ends(
    parts: BodyParts, limbs: Sequence[VoxelMask], target: VoxelMask, grid: Grid, *, guessed: bool
) -> ViewEnds | None:
    """Where the body as drawn ends flat along the patient's length, short of the grid's edge; None where it
    does not.

    Where `limbs`, drawn outside the body, cover the end, the field of view does not end. Raises
    StructureError where organs, limbs or parts of the body go on beyond by more than MOST_BEYOND_MM: there
    the skin was not drawn; and where the target goes on beyond. A `guessed` skin was not drawn: where
    something goes on beyond, it ends nowhere.
    """
    axis = canonical_axes(grid.X_PV)[0][2]
    body, step_mm, size = parts.body, float(grid.spacing_mm[axis]), grid.shape[axis]
    drawn = np.moveaxis(body.cropped() & (parts.drawn.layer[body.slices] == parts.drawn.label), axis, 0)
    whole = [mask for mask in (body, *parts.apart, *limbs) if mask.count]
    lowest = min(mask.lower[axis] for mask in whole)
    highest = max(mask.upper[axis] for mask in whole)
    low, high = body.lower[axis], body.upper[axis]
    cuts_mm: list[float] = []
    first, stop = 0, size
    for inwards, face, edge in ((1, low, 0), (-1, high, size)):
        within_mm = MOST_BEYOND_MM if guessed else inf
        depth = flat_end(drawn[::inwards], step_mm, grid.voxel_volume_mm3 / step_mm, within_mm)
        # An end that is flat at the grid's edge is cut there as it is.
        if depth is None or face + inwards * depth == edge:
            continue
        end = face + inwards * depth
        last = end if inwards > 0 else end - 1
        near = [last - n * inwards for n in range(1, 2 + max(1, int(STEP_MM / step_mm)))]
        if _goes_on(drawn[last - low], body, limbs, axis, near):
            continue
        z_mm = _z_mm(body, grid, axis, end - 0.5)
        beyond_mm = step_mm * (end - lowest if inwards > 0 else highest - end)
        if guessed and beyond_mm > MOST_BEYOND_MM:
            continue
        _refuse_short(z_mm, beyond_mm)
        cuts_mm.append(z_mm)
        first, stop = (end, stop) if inwards > 0 else (first, end)
    if not cuts_mm:
        return None
    _refuse_beyond(target, axis, first, stop, cuts_mm)
    return ViewEnds(axis, first, stop, tuple(cuts_mm))


def flat_end(
    drawn: Bool[np.ndarray, "n mx my"], step_mm: float, voxel_mm2: float, within_mm: float = inf
) -> int | None:
    """How many slices, from the end on inwards, lie before the innermost flat face within so many mm; None
    where there is none."""
    seen, counts = np.zeros(drawn.shape[1:], bool), [0]
    for layer in drawn:
        seen |= layer
        counts.append(int(np.count_nonzero(seen)))
    # What the slices from the end on cover together, seen along the axis.
    covered_mm2 = voxel_mm2 * np.array(counts)
    areas_mm2 = voxel_mm2 * np.count_nonzero(drawn, axis=(1, 2))
    ends = [n for n in range(max(1, int(END_MM / step_mm))) if _is_end(covered_mm2, n)]
    inner = (n for n in range(1, len(drawn)) if n * step_mm <= within_mm)
    steps = (n for n in inner if _is_step(covered_mm2, areas_mm2[n], n, step_mm))
    return max((*ends[:1], *steps), default=None)


def _is_end(covered_mm2: Float[np.ndarray, " n"], slice_: int) -> bool:
    """Whether the slices from the end to this one have a face that no rounded end has."""
    here = slice_ + 1
    if 2 * here >= len(covered_mm2):
        return False
    added = covered_mm2[2 * here] - covered_mm2[here]
    return bool(covered_mm2[here] >= max(LEAST_CUT_MM2, END_RATIO * added))


def _is_step(covered_mm2: Float[np.ndarray, " n"], area_mm2: float, slice_: int, step_mm: float) -> bool:
    """Whether a face of this slice, or of a few that end with it, lies bare all at once."""
    here = slice_ + 1
    within = slice_ * step_mm > MOST_BEYOND_MM
    least_mm2 = max(LEAST_CUT_MM2, (LEAST_STEP_WITHIN if within else LEAST_STEP) * area_mm2)
    # What the outermost slice covers is the end's face, and no step.
    most = min(max(1, int(STEP_MM / step_mm)), slice_, len(covered_mm2) - 1 - here)
    for slices in range(1, 1 + most):
        bare = covered_mm2[here] - covered_mm2[here - slices]
        # A slice that adds little lies within the step, or beyond it.
        if covered_mm2[here] - covered_mm2[slice_] < LEAST_PART * bare / slices:
            continue
        if bare >= max(least_mm2, STEP_RATIO * (covered_mm2[here + slices] - covered_mm2[here])):
            return True
    return False


def _goes_on(
    end: Bool[np.ndarray, "mx my"],
    body: VoxelMask,
    limbs: Sequence[VoxelMask],
    axis: int,
    beyond: Sequence[int],
) -> bool:
    """Whether limbs on the slices beyond cover the body's flat end."""
    covered = np.zeros_like(end)
    for mask in limbs:
        for n in beyond:
            if 0 <= n < mask.layer.shape[axis]:
                index = tuple(n if a == axis else s for a, s in enumerate(body.slices))
                covered |= mask.layer[index] == mask.label
    return bool(np.count_nonzero(covered & end) >= LEAST_GOING_ON * np.count_nonzero(end))


def _refuse_short(z_mm: float, beyond_mm: float) -> None:
    if beyond_mm > MOST_BEYOND_MM:
        raise StructureError(
            "body",
            f"it ends flat at z = {z_mm:.1f} mm, and other structures go on beyond it for {beyond_mm:.0f} "
            "mm: skin is not known there",
            "Segment the body on all slices of the scan.",
        )


def _refuse_beyond(target: VoxelMask, axis: int, first: int, stop: int, cuts_mm: Sequence[float]) -> None:
    held = np.moveaxis(target.cropped(), axis, 0)
    shown = held[max(0, first - target.lower[axis]) : max(0, stop - target.lower[axis])]
    lost = int(np.count_nonzero(held)) - int(np.count_nonzero(shown))
    if lost:
        places = " and ".join(f"{z_mm:.1f}" for z_mm in cuts_mm)
        raise StructureError(
            "target",
            f"{lost} of its {np.count_nonzero(held)} voxels lie beyond the body, which ends flat at z = "
            f"{places} mm: they would not be treated",
            "Segment the body on all slices of the target.",
        )


def _z_mm(body: VoxelMask, grid: Grid, axis: int, face: float) -> float:
    """Z in P of the middle of the body's box at a slice's face. [mm]"""
    middle_V = 0.5 * (np.array(body.lower) + np.array(body.upper) - 1)
    middle_V[axis] = face
    return float(grid.to_patient(middle_V * grid.spacing_mm)[2])


def ended(segmentation: Segmentation, ends: ViewEnds) -> Segmentation:
    """The segmentation on the slices that the field of view shows, and a note for each flat end.

    Surfaces stay whole: what lies beyond the grid is not looked at.
    """
    grid, axis = segmentation.grid, ends.axis
    shape = tuple(ends.stop - ends.first if a == axis else n for a, n in enumerate(grid.shape))
    X_PV = grid.X_PV.copy()
    X_PV[:3, 3] += ends.first * X_PV[:3, axis]
    shown: list[slice] = [slice(None)] * 3
    shown[axis] = slice(ends.first, ends.stop)
    box = tuple(shown)
    layers: dict[int, np.ndarray] = {}
    structures = []
    for s in segmentation.structures:
        if s.mask.count > 0:
            # Structures share layers: each is copied once.
            if id(s.mask.layer) not in layers:
                layers[id(s.mask.layer)] = np.ascontiguousarray(s.mask.layer[box])
            s = replace(s, mask=_shown(s.mask, layers[id(s.mask.layer)], ends))
        structures.append(s)
    ct_hu = segmentation.ct_hu
    return replace(
        segmentation,
        grid=Grid((shape[0], shape[1], shape[2]), X_PV),
        structures=tuple(structures),
        ct_hu=None if ct_hu is None else np.ascontiguousarray(ct_hu[box]),
        notes=(*segmentation.notes, *(_note(z_mm) for z_mm in ends.cut_z_mm)),
    )


def _shown(mask: VoxelMask, layer: np.ndarray, ends: ViewEnds) -> VoxelMask:
    """What of a mask the field of view shows; its bounding box, which may then be larger than need be, is cut
    to it."""
    lower, upper = list(mask.lower), list(mask.upper)
    lower[ends.axis] = max(lower[ends.axis], ends.first) - ends.first
    upper[ends.axis] = min(upper[ends.axis], ends.stop) - ends.first
    if lower[ends.axis] >= upper[ends.axis]:
        return VoxelMask(layer, mask.label, (0, 0, 0), (0, 0, 0))
    return VoxelMask(layer, mask.label, (lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]))


def _note(z_mm: float) -> str:
    return (
        f"The body ends flat at z = {z_mm:.1f} mm: it is taken as cut there by the field of view, and no "
        "needle enters through it."
    )
