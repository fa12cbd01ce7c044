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

import numpy as np
from jaxtyping import Bool, Float

from anatomy.body_parts import BodyParts
from anatomy.errors import StructureError
from anatomy.frames import Grid, canonical_axes
from anatomy.structures import Segmentation, Structure, VoxelMask, masks_from_labels

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
"""Parts of a slice's area that a step leaves bare: within MOST_BEYOND_MM of the end or one slice, and farther
in, where a forearm across the belly adds less; and the part of its share of a step that a slice adds itself
at least [U]."""

MOST_BEYOND_MM = 10.0
"""Organs, limbs and parts of the body may go on beyond a flat end by this or one slice [U]: coarse body
models lose a slice or two at the ends. It is left out with the slices."""

LEAST_DRAWN = 0.01
"""A slice of the body of which less was drawn as body, the rest being organs, was not drawn [U]: the wall of
a chest, or a shell, is more."""


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
    """Where the body ends flat along the patient's length, short of the grid's edge; None where it does not.

    The body is taken with its organs, on the slices where it was drawn. `limbs`, drawn outside it, and its
    parts apart go on from it: what they cover from beyond does not end. Raises StructureError where organs,
    limbs or parts of the body go on beyond by more than MOST_BEYOND_MM and one slice: there the skin was not
    drawn; and where the target goes on beyond. Of a `guessed` skin, which nobody drew, nothing is left out.
    """
    axis = canonical_axes(grid.X_PV)[0][2]
    step_mm, size = float(grid.spacing_mm[axis]), grid.shape[axis]
    covers = [mask for mask in (*parts.apart, *limbs) if mask.count]
    low = min(mask.lower[axis] for mask in (parts.body, *covers))
    high = max(mask.upper[axis] for mask in (parts.body, *covers))
    body, drawn, cover = (
        _held(masks, parts.body, axis, low, high) for masks in ([parts.body], [parts.drawn], covers)
    )
    areas = np.count_nonzero(body, axis=(1, 2))
    body[np.count_nonzero(body & drawn, axis=(1, 2)) < LEAST_DRAWN * areas] = False
    cuts_mm: list[float] = []
    first, stop = 0, size
    for inwards, face, edge in ((1, low, 0), (-1, high, size)):
        depth = flat_end(
            body[::inwards], cover[::inwards], step_mm, grid.voxel_volume_mm3 / step_mm, steps=not guessed
        )
        # An end that is flat at the grid's edge is cut there as it is.
        if depth is None or face + inwards * depth == edge:
            continue
        end = face + inwards * depth
        z_mm = _z_mm(parts.body, grid, axis, end - 0.5)
        if depth > _slices(MOST_BEYOND_MM, step_mm):
            raise _short(z_mm, depth * step_mm)
        cuts_mm.append(z_mm)
        first, stop = (end, stop) if inwards > 0 else (first, end)
    if not cuts_mm:
        return None
    _refuse_beyond(target, axis, first, stop, cuts_mm)
    return ViewEnds(axis, first, stop, tuple(cuts_mm))


def _held(
    masks: Sequence[VoxelMask], around: VoxelMask, axis: int, low: int, high: int
) -> Bool[np.ndarray, "n mx my"]:
    """What masks hold of the slices `low` to `high` (half-open), over the box `around`."""
    box = tuple(slice(low, high) if a == axis else s for a, s in enumerate(around.slices))
    held = np.zeros(around.layer[box].shape, bool)
    for mask in masks:
        held |= mask.layer[box] == mask.label
    return np.moveaxis(held, axis, 0)


def _slices(mm: float, step_mm: float) -> int:
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
    found = [n for n in range(_slices(END_MM, step_mm)) if _is_end(bare_mm2, n)][:1]
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
    return bool(bare_mm2[here] >= max(LEAST_CUT_MM2, END_RATIO * added))


def _is_step(bare_mm2: Float[np.ndarray, " n"], area_mm2: float, slice_: int, step_mm: float) -> bool:
    """Whether a face of this slice, or of a few that end with it, lies bare all at once."""
    here = slice_ + 1
    within = slice_ > _slices(MOST_BEYOND_MM, step_mm)
    least_mm2 = max(LEAST_CUT_MM2, (LEAST_STEP_WITHIN if within else LEAST_STEP) * area_mm2)
    # What the outermost slice covers is the end's face, and no step.
    most = min(_slices(STEP_MM, step_mm), slice_, len(bare_mm2) - 1 - here)
    for slices in range(1, 1 + most):
        added = bare_mm2[here] - bare_mm2[here - slices]
        # A slice that adds little lies within the step, or beyond it.
        if bare_mm2[here] - bare_mm2[slice_] < LEAST_PART * added / slices:
            continue
        if added >= max(least_mm2, STEP_RATIO * (bare_mm2[here + slices] - bare_mm2[here])):
            return True
    return False


def _short(z_mm: float, beyond_mm: float) -> StructureError:
    return StructureError(
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
    """The segmentation on the slices that the field of view shows, a note for each flat end, and one that
    names what lies wholly beyond them.

    Surfaces stay whole: what lies beyond the grid is not looked at.
    """
    grid, axis = segmentation.grid, ends.axis
    shape = tuple(ends.stop - ends.first if a == axis else n for a, n in enumerate(grid.shape))
    X_PV = grid.X_PV.copy()
    X_PV[:3, 3] += ends.first * X_PV[:3, axis]
    shown: list[slice] = [slice(None)] * 3
    shown[axis] = slice(ends.first, ends.stop)
    box = tuple(shown)
    filled = [s for s in segmentation.structures if s.mask.count > 0]
    # Structures share layers: each is copied once, and its boxes are found in one pass.
    masks: dict[tuple[int, int], VoxelMask] = {}
    for layer in {id(s.mask.layer): s.mask.layer for s in filled}.values():
        labels = {s.mask.label for s in filled if s.mask.layer is layer}
        found = masks_from_labels(np.ascontiguousarray(layer[box]), labels)
        masks |= {(id(layer), label): mask for label, mask in found.items()}
    structures = tuple(
        replace(s, mask=masks.get((id(s.mask.layer), s.mask.label), s.mask)) for s in segmentation.structures
    )
    beyond = [s.name for s, old in zip(structures, segmentation.structures, strict=True) if _lost(s, old)]
    ct_hu = segmentation.ct_hu
    return replace(
        segmentation,
        grid=Grid((shape[0], shape[1], shape[2]), X_PV),
        structures=structures,
        ct_hu=None if ct_hu is None else np.ascontiguousarray(ct_hu[box]),
        notes=(*segmentation.notes, *(_note(z_mm) for z_mm in ends.cut_z_mm), *_note_on_beyond(beyond)),
    )


def _lost(shown: Structure, whole: Structure) -> bool:
    return shown.mask.count == 0 and whole.mask.count > 0


def _note(z_mm: float) -> str:
    return (
        f"The body ends flat at z = {z_mm:.1f} mm: it is taken as cut there by the field of view, and no "
        "needle enters through it."
    )


def _note_on_beyond(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"Wholly beyond the body's flat end, and left out: {', '.join(sorted(names))}.",)
