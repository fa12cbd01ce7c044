"""Target parts: one lesion, several of them, or a lesion and specks that a network left far from it.

connected parts  -->  the largest, and what counts beside it: treated  |  specks far away: left out, told
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import ndimage
from scipy.spatial import cKDTree

from anatomy.errors import StructureError
from anatomy.frames import Grid
from anatomy.structures import Structure, mask_from_bool

SPECK_MM3 = 200.0
"""A part smaller than this is a speck where it lies far away [U]: a ball of 7 mm."""

SPECK_SHARE = 0.1
"""It is a speck only where it is smaller than this part of the main one, too [U]."""

SPECK_AWAY_MM = 20.0
"""Nearer to the main part than this, a small part may be a satellite, and is treated [U]."""

PARTS_TOLD = 5
"""Parts that a note lists one by one."""


@dataclass(frozen=True, eq=False)
class TargetPart:
    """A connected part of a target. `away_mm` is from its nearest voxel centre to the main part's nearest;
    `near_P` is that voxel's place."""

    volume_mm3: float
    away_mm: float
    near_P: Float[np.ndarray, "3"]
    speck: bool


def without_specks(structure: Structure, grid: Grid) -> tuple[Structure, tuple[TargetPart, ...]]:
    """A target structure without its specks, and all its parts, the main one first, then by size.

    Parts touch at faces, edges or corners. A surface is not taken apart: one with specks raises
    StructureError.
    """
    whole = structure.mask.cropped()
    numbers, count = ndimage.label(whole, np.ones((3, 3, 3)))
    if count < 2:
        return structure, ()
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    sizes[0] = 0
    order = np.argsort(-sizes[1:], kind="stable") + 1
    centres_P = {n: _centres_P(numbers == n, structure, grid) for n in order.tolist()}
    main = cKDTree(centres_P[int(order[0])])
    parts = []
    for n in order.tolist():
        away, _ = main.query(centres_P[n])
        nearest = int(np.argmin(away))
        volume = float(sizes[n]) * grid.voxel_volume_mm3
        small = volume < min(SPECK_MM3, SPECK_SHARE * float(sizes[order[0]]) * grid.voxel_volume_mm3)
        speck = small and float(away[nearest]) > SPECK_AWAY_MM
        parts.append(TargetPart(volume, float(away[nearest]), centres_P[n][nearest], speck))
    specks = [n for n, part in zip(order.tolist(), parts, strict=True) if part.speck]
    if not specks:
        return structure, tuple(parts)
    if structure.surface is not None:
        first = next(part for part in parts if part.speck)
        raise StructureError(
            "target/structure",
            f"the surface {structure.name!r} is in {count} parts, and {len(specks)} of them are specks far "
            f"from the main one, as at LPS {_place(first)}",
            "Remove them from the surface, or save what is to be treated there as a structure of its own.",
        )
    kept = np.zeros(grid.shape, bool)
    kept[structure.mask.slices] = whole & ~np.isin(numbers, specks)
    return replace(structure, mask=mask_from_bool(kept)), tuple(parts)


def _centres_P(inside: np.ndarray, structure: Structure, grid: Grid) -> Float[np.ndarray, "n 3"]:
    index = np.argwhere(inside) + np.array(structure.mask.lower)
    return np.asarray(grid.to_patient(index * grid.spacing_mm))


def notes_on_parts_of(name: str, parts: tuple[TargetPart, ...]) -> tuple[str, ...]:
    """How many parts a target is in, how large and how far away; and which were left out."""
    if len(parts) < 2:
        return ()
    others = [f"{_cc(part)} {part.away_mm:.0f} mm away" for part in parts[1:]]
    more = f" and {len(others) - PARTS_TOLD} more" if len(others) > PARTS_TOLD else ""
    said = f"{name} is in {len(parts)} parts: {_cc(parts[0])}, {', '.join(others[:PARTS_TOLD])}{more}."
    specks = [part for part in parts if part.speck]
    if not specks:
        return (f"{said} All are treated as one target.",)
    return (
        f"{said} Specks far from the main part are left out and not treated: {len(specks)}, the largest at "
        f"LPS {_place(specks[0])}. Remove them from the mask, or give what is to be treated there as a "
        "structure of its own and name both as the target.",
    )


def _cc(part: TargetPart) -> str:
    return f"{part.volume_mm3 / 1000.0:.2g} cc"


def _place(part: TargetPart) -> str:
    return f"({', '.join(f'{x:.0f}' for x in part.near_P + 0.0)})"
