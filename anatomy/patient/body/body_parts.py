"""Body parts: the trunk is the body; a separate arm or chin is an obstacle; specks are dropped.

connected parts  -->  largest: the body  |  large, or cut by the view's edge: apart  |  the rest: dropped
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, mask_from_bool, masks_from_labels
from anatomy.structures import Role, Structure

MIN_PART_MM3 = 10_000.0
"""A part of the body of at least this volume is a limb or a piece of one, not a speck [U]: about a finger."""

MIN_CUT_PART_MM3 = 1_000.0
"""The same for a part cut by the edge of the field of view: it continues out of view [U]."""

MAX_PARTS = 200
"""Further parts, smaller than these, are combined into one [U]: a layer holds few labels."""


@dataclass(frozen=True)
class Speck:
    """A dropped part of the body: its half-open bounding box in voxel indices, and its volume."""

    lower: tuple[int, int, int]
    upper: tuple[int, int, int]
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class BodyParts:
    """The body, the parts separate from it, largest first, and what was dropped.

    `drawn` is the body structure before organs were added and holes filled; the guessed body if none was
    given.
    """

    body: VoxelMask
    drawn: VoxelMask
    apart: tuple[VoxelMask, ...]
    specks: tuple[Speck, ...]

    def beyond(self, axis: int, first: int, stop: int) -> "BodyParts":
        """These parts without those that extend into the slices `first` to `stop` (half-open) along `axis`.
        The body is kept."""

        def lies_beyond(part: VoxelMask | Speck) -> bool:
            return part.upper[axis] <= first or part.lower[axis] >= stop

        return replace(
            self, apart=tuple(filter(lies_beyond, self.apart)), specks=tuple(filter(lies_beyond, self.specks))
        )


def parts_of(
    inside: Bool[np.ndarray, "nx ny nz"], box: tuple[slice, slice, slice], drawn: np.ndarray, grid: Grid
) -> BodyParts:
    """Separate the inside of the skin into connected parts. `box` contains all of it; `drawn` (nx, ny, nz) is
    the body structure: a part that contains no voxel of it is an organ in the air, not a part of the body."""
    numbers, count = ndimage.label(inside[box])
    sizes, of_body = np.zeros(count + 1, np.int64), np.zeros(count + 1, bool)
    for part_numbers, is_drawn in zip(numbers, drawn[box], strict=True):
        sizes += np.bincount(part_numbers.ravel(), minlength=count + 1)
        of_body[part_numbers[is_drawn]] = True
    sizes[0] = 0
    main = int(np.argmax(sizes))
    least = np.where(_at_the_edge(numbers, box, grid, count), MIN_CUT_PART_MM3, MIN_PART_MM3)
    is_kept = of_body & (sizes * grid.voxel_volume_mm3 >= least)
    is_kept[[0, main]] = False
    # Parts of equal size stay in the order of their numbers.
    apart = np.flatnonzero(is_kept)[np.argsort(-sizes[is_kept], kind="stable")]
    labels = np.zeros(count + 1, np.uint8)
    labels[main] = 1
    labels[apart] = 2 + np.minimum(np.arange(len(apart)), MAX_PARTS - 1)
    layer = np.zeros(inside.shape, np.uint8)
    layer[box] = labels[numbers]
    masks = masks_from_labels(layer, sorted({1, *labels[apart].tolist()}))
    dropped = (labels == 0) & of_body
    dropped[0] = False
    return BodyParts(
        masks[1],
        mask_from_bool(drawn),
        tuple(mask for label, mask in masks.items() if label > 1),
        _specks(numbers, box, np.flatnonzero(dropped), sizes * grid.voxel_volume_mm3),
    )


def _specks(
    numbers: Int[np.ndarray, "mx my mz"],
    box: tuple[slice, slice, slice],
    dropped: Int[np.ndarray, " d"],
    volumes_mm3: Float[np.ndarray, " n"],
) -> tuple[Speck, ...]:
    """The dropped parts. `numbers` holds the part numbers of the voxels in the box."""
    if not len(dropped):
        return ()
    part_boxes = ndimage.find_objects(numbers)
    specks = []
    for n in dropped:
        (a, b), (c, d), (e, f) = (
            (around.start + span.start, around.start + span.stop)
            for around, span in zip(box, part_boxes[n - 1], strict=True)
        )
        specks.append(Speck((a, c, e), (b, d, f), float(volumes_mm3[n])))
    return tuple(specks)


def _at_the_edge(
    numbers: Int[np.ndarray, "mx my mz"], box: tuple[slice, slice, slice], grid: Grid, count: int
) -> Bool[np.ndarray, " n"]:
    """Which parts have voxels in the outermost layer of the field of view."""
    at_edge = np.zeros(count + 1, bool)
    for axis, span in enumerate(box):
        faces = np.moveaxis(numbers, axis, 0)
        if span.start == 0:
            at_edge[np.unique(faces[0])] = True
        if span.stop == grid.shape[axis]:
            at_edge[np.unique(faces[-1])] = True
    return at_edge


def joined_with_target(parts: BodyParts, target: VoxelMask) -> BodyParts:
    """The parts, with target voxels that lie in none of them added to the body, if they touch it. Target
    voxels that lie in the air by themselves are not added."""
    box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in target.slices)
    layer_box = parts.body.layer[box]
    free = (target.layer[box] == target.label) & (layer_box == 0)
    numbers, _ = ndimage.label(free)
    touching = np.unique(numbers[free & ndimage.binary_dilation(layer_box == parts.body.label)])
    joined = free & np.isin(numbers, touching)
    if not joined.any():
        return parts
    layer = parts.body.layer.copy()
    layer[box][joined] = parts.body.label
    lower, upper = (
        tuple(int(n) for n in pick([own, its], axis=0))
        for pick, own, its in (
            (np.min, parts.body.lower, target.lower),
            (np.max, parts.body.upper, target.upper),
        )
    )
    i, j, k = lower
    a, b, c = upper
    body = VoxelMask(layer, parts.body.label, (i, j, k), (a, b, c))
    return replace(parts, body=body, apart=tuple(replace(part, layer=layer) for part in parts.apart))


def obstacles_of(parts: BodyParts, names: tuple[str, ...]) -> tuple[Structure, ...]:
    """The parts separate from the body as structures outside it, with names that no other structure has."""
    numbered = (f"body_part_{n}" for n in range(2, 2 + len(names) + len(parts.apart)))
    free = [name for name in numbered if name not in names]
    return tuple(Structure(name, mask, Role.OUTSIDE) for name, mask in zip(free, parts.apart, strict=False))


def notes_on_parts(
    parts: BodyParts, obstacles: tuple[Structure, ...], beyond: BodyParts | None, grid: Grid
) -> tuple[str, ...]:
    """Notes on the parts separate from the body, and on what was dropped.

    `parts` are those of the body on `grid`; `beyond` are the parts that lie completely beyond its ends, if
    the grid was cut to the field of view.
    """
    notes = []
    if obstacles:
        names = ", ".join(f"{s.name} ({_cc(s.mask.count * grid.voxel_volume_mm3)})" for s in obstacles)
        notes.append(
            f"The body is in {1 + len(obstacles)} parts. Needles enter the largest, and avoid the others "
            f"like other structures outside the body: {names}."
        )
    specks = parts.specks if beyond is None else parts.specks + beyond.specks
    if specks:
        volumes_mm3 = [speck.volume_mm3 for speck in specks]
        notes.append(f"Left out of the body as separate specks: {_together(volumes_mm3)}.")
    if beyond is not None and beyond.apart:
        volumes_mm3 = [mask.count * grid.voxel_volume_mm3 for mask in beyond.apart]
        notes.append(f"Left out, as separate parts beyond the flat end: {_together(volumes_mm3)}.")
    return tuple(notes)


def _together(volumes_mm3: Sequence[float]) -> str:
    count = "1 part" if len(volumes_mm3) == 1 else f"{len(volumes_mm3)} parts"
    return f"{count}, {_cc(sum(volumes_mm3))} together"


def _cc(volume_mm3: float) -> str:
    return f"{volume_mm3 / 1000.0:.3g} cc"
