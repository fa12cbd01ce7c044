"""View ends: where the field of view cut the body before the grid's edge, the grid is cut as well.

    body with its organs, limbs  --flat_end, from either side-->  slices that the field of view shows

Search, measuring and verification treat a body face at the grid's edge as cut. So the slices beyond a flat
end are left out, which puts the face at the edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid, canonical_axes
from anatomy.geometry.masks import VoxelMask, masks_from_labels
from anatomy.patient.body.body_parts import BodyParts
from anatomy.patient.body.flat_end import MAX_BEYOND_MM, flat_end, slices_within
from anatomy.structures import Segmentation, Structure

MIN_DRAWN_SHARE = 0.01
"""If less than this share of the body in a slice was drawn as body, the rest being organs, the slice was not
drawn [U]: the wall of a chest, or a shell, is more."""


@dataclass(frozen=True)
class ViewEnds:
    """Slices `first` to `stop` (half-open) along `axis` are in the field of view. `cut_z_mm` are the z
    coordinates of the flat ends in P."""

    axis: int
    first: int
    stop: int
    cut_z_mm: tuple[float, ...]


def view_ends(
    parts: BodyParts, limbs: Sequence[VoxelMask], target: VoxelMask, grid: Grid, *, guessed: bool
) -> ViewEnds | None:
    """Where the body has a flat end along the patient's length, before the grid's edge; None if it has none.

    The body includes its organs, on the slices where it was drawn. `limbs`, which lie outside it, and its
    separate parts may continue it: what they cover is not an end. Raises StructureError if organs, limbs or
    parts of the body extend beyond the end by more than MAX_BEYOND_MM and more than one slice, because there
    the skin was not drawn; and if the target extends beyond it. With a `guessed` skin no slice is left out
    that holds body.
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
    body[np.count_nonzero(body & drawn, axis=(1, 2)) < MIN_DRAWN_SHARE * areas] = False
    cuts_mm: list[float] = []
    first, stop = 0, size
    for inwards, face, edge in ((1, low, 0), (-1, high, size)):
        depth = flat_end(
            body[::inwards], cover[::inwards], step_mm, grid.voxel_volume_mm3 / step_mm, steps=not guessed
        )
        # A flat end at the grid's edge is already cut there.
        if depth is None or face + inwards * depth == edge:
            continue
        end = face + inwards * depth
        z_mm = _z_mm(parts.body, grid, axis, end - 0.5)
        if depth > slices_within(MAX_BEYOND_MM, step_mm):
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
    """Where the masks hold voxels in the slices `low` to `high` (half-open), over the box `around`."""
    box = tuple(slice(low, high) if a == axis else s for a, s in enumerate(around.slices))
    occupied = np.zeros(around.layer[box].shape, bool)
    for mask in masks:
        occupied |= mask.layer[box] == mask.label
    return np.moveaxis(occupied, axis, 0)


def _short(z_mm: float, beyond_mm: float) -> StructureError:
    return StructureError(
        "body",
        f"it ends flat at z = {z_mm:.1f} mm, and other structures extend beyond it for {beyond_mm:.0f} "
        "mm: the skin is not known there",
        "Segment the body on all slices of the scan.",
    )


def _refuse_beyond(target: VoxelMask, axis: int, first: int, stop: int, cuts_mm: Sequence[float]) -> None:
    voxels = np.moveaxis(target.cropped(), axis, 0)
    in_view = voxels[max(0, first - target.lower[axis]) : max(0, stop - target.lower[axis])]
    lost = int(np.count_nonzero(voxels)) - int(np.count_nonzero(in_view))
    if lost:
        places = " and ".join(f"{z_mm:.1f}" for z_mm in cuts_mm)
        raise StructureError(
            ("target",),
            f"{lost} of its {np.count_nonzero(voxels)} voxels lie beyond the body, which ends flat at z = "
            f"{places} mm: they would not be treated",
            "Segment the body on all slices of the target.",
        )


def _z_mm(body: VoxelMask, grid: Grid, axis: int, face: float) -> float:
    """Z in P of the middle of the body's box at a slice's face. [mm]"""
    middle_V = 0.5 * (np.array(body.lower) + np.array(body.upper) - 1)
    middle_V[axis] = face
    return float(grid.to_patient(middle_V * grid.spacing_mm)[2])


def cut_to_view(segmentation: Segmentation, ends: ViewEnds) -> Segmentation:
    """The segmentation on the slices in the field of view, with a note for each flat end, and one that names
    what lies completely beyond them.

    Surfaces are not cut: their parts beyond the grid are not used.
    """
    grid, axis = segmentation.grid, ends.axis
    shape = tuple(ends.stop - ends.first if a == axis else n for a, n in enumerate(grid.shape))
    X_PV = grid.X_PV.copy()
    X_PV[:3, 3] += ends.first * X_PV[:3, axis]
    view_slices: list[slice] = [slice(None)] * 3
    view_slices[axis] = slice(ends.first, ends.stop)
    box = tuple(view_slices)
    filled = [s for s in segmentation.structures if s.mask.count > 0]
    # Structures share layers: each layer is copied once, and its boxes are computed in one pass.
    masks: dict[tuple[int, int], VoxelMask] = {}
    for layer in {id(s.mask.layer): s.mask.layer for s in filled}.values():
        labels = {s.mask.label for s in filled if s.mask.layer is layer}
        cropped = masks_from_labels(np.ascontiguousarray(layer[box]), labels)
        masks |= {(id(layer), label): mask for label, mask in cropped.items()}
    structures = tuple(
        replace(s, mask=masks.get((id(s.mask.layer), s.mask.label), s.mask)) for s in segmentation.structures
    )
    beyond = [s.name for s, uncut in zip(structures, segmentation.structures, strict=True) if _lost(s, uncut)]
    ct_hu = segmentation.ct_hu
    return replace(
        segmentation,
        grid=Grid((shape[0], shape[1], shape[2]), X_PV),
        structures=structures,
        ct_hu=None if ct_hu is None else np.ascontiguousarray(ct_hu[box]),
        notes=(*segmentation.notes, *(_note(z_mm) for z_mm in ends.cut_z_mm), *_note_on_beyond(beyond)),
    )


def _lost(cut: Structure, uncut: Structure) -> bool:
    return cut.mask.count == 0 and uncut.mask.count > 0


def _note(z_mm: float) -> str:
    return (
        f"The body ends flat at z = {z_mm:.1f} mm: it counts as cut there by the field of view, and no "
        "needle enters through it."
    )


def _note_on_beyond(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"Completely beyond the body's flat end, and left out: {', '.join(sorted(names))}.",)
