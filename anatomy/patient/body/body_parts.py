"""Body parts: the trunk is the body; an arm or a chin beside it is an obstacle; specks are dropped.

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
"""A part of the body of this volume is a limb or a piece of one, and no speck [U]: about a finger."""

MIN_CUT_PART_MM3 = 1_000.0
"""The same, of a part that the edge of the field of view cuts: it goes on out of view [U]."""

MAX_PARTS = 200
"""More parts than this, smaller than all of these, are one [U]: a layer holds few labels."""


@dataclass(frozen=True)
class Speck:
    """A part of the body that was dropped: its half-open bounding box in voxel indices, and its volume."""

    lower: tuple[int, int, int]
    upper: tuple[int, int, int]
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class BodyParts:
    """The body, what lies apart from it, largest first, and what was dropped.

    `drawn` is what was given as body, before organs were joined and holes filled; the guess where none was.
    """

    body: VoxelMask
    drawn: VoxelMask
    apart: tuple[VoxelMask, ...]
    specks: tuple[Speck, ...]

    def beyond(self, axis: int, first: int, stop: int) -> "BodyParts":
        """These parts less those that reach into the slices `first` to `stop` (half-open) along `axis`. The
        body stays."""

        def lies_beyond(part: VoxelMask | Speck) -> bool:
            return part.upper[axis] <= first or part.lower[axis] >= stop

        return replace(
            self, apart=tuple(filter(lies_beyond, self.apart)), specks=tuple(filter(lies_beyond, self.specks))
        )


def parts_of(
    inside: Bool[np.ndarray, "nx ny nz"], box: tuple[slice, slice, slice], drawn: np.ndarray, grid: Grid
) -> BodyParts:
    """Take the inside of the skin apart. `box` holds all of it; `drawn` (nx, ny, nz) is what was given as
    body: a part that holds nothing of it is an organ in the air, and no part of a body."""
    numbers, count = ndimage.label(inside[box])
    sizes, of_body = np.zeros(count + 1, np.int64), np.zeros(count + 1, bool)
    for numbered, given in zip(numbers, drawn[box], strict=True):
        sizes += np.bincount(numbered.ravel(), minlength=count + 1)
        of_body[numbered[given]] = True
    sizes[0] = 0
    main = int(np.argmax(sizes))
    least = np.where(_at_the_edge(numbers, box, grid, count), MIN_CUT_PART_MM3, MIN_PART_MM3)
    kept = of_body & (sizes * grid.voxel_volume_mm3 >= least)
    kept[[0, main]] = False
    # Equal sizes keep the order in which the parts were found.
    apart = np.flatnonzero(kept)[np.argsort(-sizes[kept], kind="stable")]
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
    """The parts of these numbers, of which `numbers` holds the voxels over the box."""
    if not len(dropped):
        return ()
    found = ndimage.find_objects(numbers)
    specks = []
    for n in dropped:
        (a, b), (c, d), (e, f) = (
            (around.start + span.start, around.start + span.stop)
            for around, span in zip(box, found[n - 1], strict=True)
        )
        specks.append(Speck((a, c, e), (b, d, f), float(volumes_mm3[n])))
    return tuple(specks)


def _at_the_edge(
    numbers: Int[np.ndarray, "mx my mz"], box: tuple[slice, slice, slice], grid: Grid, count: int
) -> Bool[np.ndarray, " n"]:
    """Which parts have voxels in the outermost layer of the field of view."""
    found = np.zeros(count + 1, bool)
    for axis, span in enumerate(box):
        faces = np.moveaxis(numbers, axis, 0)
        if span.start == 0:
            found[np.unique(faces[0])] = True
        if span.stop == grid.shape[axis]:
            found[np.unique(faces[-1])] = True
    return found


def joined_with_target(parts: BodyParts, target: VoxelMask) -> BodyParts:
    """The parts, with what of the target lies in none of them joined to the body that it touches. What of it
    lies in the air by itself stays there."""
    box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in target.slices)
    near = parts.body.layer[box]
    free = (target.layer[box] == target.label) & (near == 0)
    numbers, _ = ndimage.label(free)
    touching = np.unique(numbers[free & ndimage.binary_dilation(near == parts.body.label)])
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
    """The parts apart from the body as structures outside it, under names that no other structure has."""
    numbered = (f"body_part_{n}" for n in range(2, 2 + len(names) + len(parts.apart)))
    free = [name for name in numbered if name not in names]
    return tuple(Structure(name, mask, Role.OUTSIDE) for name, mask in zip(free, parts.apart, strict=False))


def notes_on_parts(
    parts: BodyParts, obstacles: tuple[Structure, ...], beyond: BodyParts | None, grid: Grid
) -> tuple[str, ...]:
    """What lies apart from the body, and what was dropped.

    `parts` are those of the body on `grid`; `beyond`, where that ends short of the input, are those that lie
    wholly beyond its ends.
    """
    said = []
    if obstacles:
        named = ", ".join(f"{s.name} ({_cc(s.mask.count * grid.voxel_volume_mm3)})" for s in obstacles)
        said.append(
            f"The body is in {1 + len(obstacles)} parts. Needles enter the largest, and keep clear of the "
            f"others as of what is outside the body: {named}."
        )
    specks = parts.specks if beyond is None else parts.specks + beyond.specks
    if specks:
        volumes_mm3 = [speck.volume_mm3 for speck in specks]
        said.append(f"Left out of the body as specks apart from it: {_together(volumes_mm3)}.")
    if beyond is not None and beyond.apart:
        volumes_mm3 = [mask.count * grid.voxel_volume_mm3 for mask in beyond.apart]
        said.append(f"Left out, as apart from the body and beyond its flat end: {_together(volumes_mm3)}.")
    return tuple(said)


def _together(volumes_mm3: Sequence[float]) -> str:
    few = "1 part" if len(volumes_mm3) == 1 else f"{len(volumes_mm3)} parts"
    return f"{few}, {_cc(sum(volumes_mm3))} together"


def _cc(volume_mm3: float) -> str:
    return f"{volume_mm3 / 1000.0:.3g} cc"
