"""Target parts: one lesion, several, or a lesion and fragments that a segmentation network left far from it.

connected parts  -->  the largest, and others that count: treated
                      small and far away: a fragment is left out and noted  |  more than a fragment: refused
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import mask_from_bool
from anatomy.patient.target import TARGET_FIELD, refuse_absurd_length
from anatomy.structures import Structure

SPECK_MM3 = 200.0
"""A smaller part is a speck if it lies far away [U]: a ball of 7 mm diameter."""

SPECK_SHARE = 0.1
"""It is a speck only if it is also smaller than this share of the main part [U]."""

SPECK_AWAY_MM = 20.0
"""A small part nearer to the main part may be a satellite, and is treated [U]."""

FRAGMENT_MM3 = 65.0
"""A speck smaller than this, or of one voxel, is a fragment and is left out [U]: a ball of less than 5 mm
diameter, in which no seed has room. A larger one may be a node: whether to treat it is not for a program to
decide."""

MAX_PARTS = 200
"""A structure in more parts is not a target [U]: vessels, noise, the whole image."""

MAX_PARTS_LISTED = 5
"""Parts that a note lists one by one."""


@dataclass(frozen=True, eq=False)
class TargetPart:
    """A connected part of a target. `away_mm` is the distance from its voxel centres to those of the main
    part; `near_P` is its voxel centre nearest to the main part. A fragment is left out of the target."""

    voxels: int
    volume_mm3: float
    away_mm: float
    near_P: Float[np.ndarray, "3"]
    is_speck: bool

    @property
    def is_fragment(self) -> bool:
        """Whether the part is too small to need a decision: noise, or a stray click."""
        return self.is_speck and (self.voxels == 1 or self.volume_mm3 < FRAGMENT_MM3)


def without_fragments(structure: Structure, grid: Grid) -> tuple[Structure, tuple[TargetPart, ...]]:
    """A target structure without its fragments, and all its parts, the main part first, then by size.

    Voxels of a part touch at faces, edges or corners. Raises StructureError for a structure too large or in
    too many parts to be a target, for a speck that is more than a fragment, and for a surface with specks,
    because parts are not removed from surfaces.
    """
    # A volume larger than the cube is too long in any case: refused before a large image is labelled.
    refuse_absurd_length(repr(structure.name), structure.mask, grid, volume_alone=True)
    cropped = structure.mask.cropped()
    numbers, count = ndimage.label(cropped, np.ones((3, 3, 3)))
    if count < 2:
        return structure, ()
    if count > MAX_PARTS:
        raise StructureError(
            TARGET_FIELD,
            f"the target {structure.name!r} is in {count} parts",
            f"A target is in at most {MAX_PARTS}: clean its mask, or name a node or lesion.",
        )
    order, parts = _parts(numbers, count, structure, grid)
    specks = [part for part in parts if part.is_speck]
    if structure.surface is not None and specks:
        raise StructureError(
            TARGET_FIELD,
            f"the surface {structure.name!r} is in {count} parts, and {len(specks)} of them are specks far "
            f"from the main one, as at LPS {_place(specks[0])}",
            "Remove them from the surface, or save what is to be treated there as a separate structure.",
        )
    _refuse_doubtful(structure.name, [part for part in specks if not part.is_fragment])
    fragments = [n for n, part in zip(order, parts, strict=True) if part.is_fragment]
    if not fragments:
        return structure, parts
    without = np.zeros(grid.shape, bool)
    without[structure.mask.slices] = cropped & ~np.isin(numbers, fragments)
    return replace(structure, mask=mask_from_bool(without)), parts


def _parts(
    numbers: Int[np.ndarray, "mx my mz"], count: int, structure: Structure, grid: Grid
) -> tuple[list[int], tuple[TargetPart, ...]]:
    """Numbers of the parts, the largest first, and the parts. Each is examined only in its own box."""
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    order = [int(n) + 1 for n in np.argsort(-sizes, kind="stable")]
    boxes = ndimage.find_objects(numbers)
    lower = np.array(structure.mask.lower)

    def centres_P(n: int) -> Float[np.ndarray, "n 3"]:
        box = boxes[n - 1]
        index = np.argwhere(numbers[box] == n) + [span.start for span in box] + lower
        return np.asarray(grid.to_patient(index * grid.spacing_mm))

    main = cKDTree(centres_P(order[0]))
    least = min(SPECK_MM3, SPECK_SHARE * float(sizes.max()) * grid.voxel_volume_mm3)
    parts = []
    for n in order:
        places_P = centres_P(n)
        away, _ = main.query(places_P)
        nearest = int(np.argmin(away))
        voxels, volume = int(sizes[n - 1]), float(sizes[n - 1]) * grid.voxel_volume_mm3
        speck = volume < least and float(away[nearest]) > SPECK_AWAY_MM
        parts.append(TargetPart(voxels, volume, float(away[nearest]), places_P[nearest], speck))
    return order, tuple(parts)


def _refuse_doubtful(name: str, doubtful: Sequence[TargetPart]) -> None:
    """Raise StructureError if a part may be either a separate node or noise."""
    if not doubtful:
        return
    more = f", and {len(doubtful) - 1} more such" if len(doubtful) > 1 else ""
    raise StructureError(
        TARGET_FIELD,
        f"the target {name!r} has a part of {_cc(doubtful[0])} at LPS {_place(doubtful[0])}, "
        f"{doubtful[0].away_mm:.0f} mm from the main one{more}: a separate node, or noise",
        "If it is noise, remove it from the mask. If it is to be treated, save it as a separate structure "
        "and name both as the target.",
    )


def notes_on_parts_of(name: str, parts: tuple[TargetPart, ...]) -> tuple[str, ...]:
    """A note on a target's parts: their number, sizes and distances, and which were left out."""
    if len(parts) < 2:
        return ()
    others = [f"{_cc(part)} {part.away_mm:.0f} mm away" for part in parts[1:]]
    more = f" and {len(others) - MAX_PARTS_LISTED} more" if len(others) > MAX_PARTS_LISTED else ""
    summary = (
        f"{name} is in {len(parts)} parts: {_cc(parts[0])}, {', '.join(others[:MAX_PARTS_LISTED])}{more}."
    )
    fragments = [part for part in parts if part.is_fragment]
    if not fragments:
        return (f"{summary} All are treated as one target.",)
    return (
        f"{summary} Fragments far from the main part are left out and not treated: {len(fragments)}, the "
        f"largest at LPS {_place(fragments[0])}. Remove them from the mask, or give what is to be treated "
        "there as a separate structure and name both as the target.",
    )


def _cc(part: TargetPart) -> str:
    return f"{part.volume_mm3 / 1000.0:.2g} cc"


def _place(part: TargetPart) -> str:
    return f"({', '.join(f'{x:.0f}' for x in part.near_P + 0.0)})"
