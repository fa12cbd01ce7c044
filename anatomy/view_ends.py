"""View ends: where the field of view cut the body short of the grid's edge, the grid is made to end as well.

    . . . . . . .   air: a padded scan, or the space that is put around surfaces
    . # . # . . .   <- ragged: what a segmentation left of the last slices. Left out with the air
    . # # # # # .   <- flat: a large area, and beyond it next to nothing. No skin: the body goes on, unseen
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
from anatomy.structures import Segmentation, VoxelMask

LEAST_CUT_MM2 = 3_000.0
"""A body's last slice below this is the end of a limb, a chin or a crown [U]: a cut neck has some 100 cm2."""

MOST_RAGGED_MM = 6.0
"""Segmentations lose parts of the last slices, as far in as this [U]; of one slice, however thick."""

LEAST_EVEN = 0.95
"""A slice of less than this part of the area that the slices further in lead to is ragged [U]."""

LEAST_CUT_SHARE = 0.6
"""An end is flat where a slice has at least this part of the area twice as deep [U]. Near the end of an
ellipsoid areas grow with depth: half of it, whatever the depth and the slices' thickness."""

LEAST_GOING_ON = 0.8
"""What was drawn outside the body, and covers this part of a flat end, is the body going on under another
name [U]: limbs beyond a trunk."""

MOST_BEYOND_MM = 10.0
"""Organs, and parts of the body that lie apart, may go on beyond a flat end by this [U]: coarse body models
lose a slice or two at the ends. It is left out with the slices."""


@dataclass(frozen=True)
class ViewEnds:
    """Slices `first` to `stop` (half-open) along `axis` hold what the field of view shows. `cut_z_mm` are the
    flat ends' places in P."""

    axis: int
    first: int
    stop: int
    cut_z_mm: tuple[float, ...]


def view_ends(parts: BodyParts, outside: Sequence[VoxelMask], grid: Grid) -> ViewEnds | None:
    """Where the body as drawn ends flat along the patient's length, short of the grid's edge; None where it
    does not.

    Where the masks `outside` the body cover the end, the field of view does not end. Raises StructureError
    where organs, or parts of the body that lie apart, go on beyond by more than MOST_BEYOND_MM: there the
    skin was not drawn.
    """
    axis = canonical_axes(grid.X_PV)[0][2]
    others = tuple(a for a in range(3) if a != axis)
    body, step_mm, size = parts.body, float(grid.spacing_mm[axis]), grid.shape[axis]
    drawn = body.cropped() & (parts.drawn.layer[body.slices] == parts.drawn.label)
    counts = np.count_nonzero(drawn, axis=others)
    filled = np.flatnonzero(counts)
    if len(filled) == 0:
        return None
    areas_mm2 = counts[filled[0] : filled[-1] + 1] * (grid.voxel_volume_mm3 / step_mm)
    low, high = body.lower[axis] + int(filled[0]), body.lower[axis] + int(filled[-1]) + 1
    lowest = min(mask.lower[axis] for mask in (body, *parts.apart))
    highest = max(mask.upper[axis] for mask in (body, *parts.apart))
    cuts_mm: list[float] = []
    first, stop = 0, size
    for inwards, last, free, beyond in (
        (1, low, low, low - lowest),
        (-1, high - 1, size - high, highest - high),
    ):
        ragged = ragged_slices(areas_mm2[::inwards], step_mm)
        # An end that is flat at the grid's edge is cut there as it is.
        if ragged is None or free + ragged == 0:
            continue
        end = last + inwards * ragged
        if _goes_on(
            np.take(drawn, end - body.lower[axis], axis),
            body,
            outside,
            axis,
            range(last - inwards, end, inwards),
        ):
            continue
        z_mm = _z_mm(body, grid, axis, end - 0.5 * inwards)
        _refuse_short(z_mm, beyond * step_mm)
        cuts_mm.append(z_mm)
        first, stop = (end, stop) if inwards > 0 else (first, end + 1)
    return ViewEnds(axis, first, stop, tuple(cuts_mm)) if cuts_mm else None


def _goes_on(
    end: Bool[np.ndarray, "mx my"],
    body: VoxelMask,
    outside: Sequence[VoxelMask],
    axis: int,
    beyond: range,
) -> bool:
    """Whether what lies outside the body, on the slices beyond, covers its flat end."""
    covered = np.zeros_like(end)
    for mask in outside:
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


def ragged_slices(areas_mm2: Float[np.ndarray, " n"], step_mm: float) -> int | None:
    """How many slices lie before a flat end, by areas from the end on inwards; None where none is flat."""
    zone = min(max(1, int(MOST_RAGGED_MM / step_mm)), (len(areas_mm2) - 1) // 2)
    if zone < 1:
        return None
    # How areas change further in, which a neck's do by themselves, is led on outwards to the end.
    near_mm2, deep_mm2 = areas_mm2[zone], areas_mm2[2 * zone]
    change = 1.0 if near_mm2 >= deep_mm2 else float(near_mm2 / deep_mm2) ** (1.0 / zone)
    due_mm2 = near_mm2 * change ** np.arange(zone, 0, -1)
    uneven = np.flatnonzero(areas_mm2[:zone] < LEAST_EVEN * due_mm2)
    ragged = int(uneven[-1]) + 1 if len(uneven) else 0
    twice_as_deep_mm2 = areas_mm2[min(2 * ragged + 1, len(areas_mm2) - 1)]
    flat = areas_mm2[ragged] >= max(LEAST_CUT_MM2, LEAST_CUT_SHARE * twice_as_deep_mm2)
    return ragged if flat else None


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
