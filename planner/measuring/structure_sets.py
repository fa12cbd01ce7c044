"""Structure sets: every voxel's structures as one number, so that one look tells all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt16

from anatomy.structures import Structure


@dataclass(frozen=True, eq=False)
class StructureSets:
    """`sets` holds each voxel's set; set c is members[starts[c]:starts[c + 1]], places of structures in the
    sequence that was given. Set 0 is empty."""

    sets: UInt16[np.ndarray, "nx ny nz"]
    starts: Int[np.ndarray, " c"]
    members: Int[np.ndarray, " m"]


def structure_sets(structures: Sequence[Structure], shape: tuple[int, int, int]) -> StructureSets:
    """The sets of these structures on a grid of that shape. There are as many as differ anywhere."""
    sets = np.zeros(shape, np.uint16)
    held: list[tuple[int, ...]] = [()]
    for number, structure in enumerate(structures):
        inside = structure.mask.cropped()
        box = sets[structure.mask.slices]
        for before in np.unique(box[inside]).tolist():
            # What was of the set before, and is of this structure too, becomes a set of its own.
            held.append((*held[before], number))
            box[inside & (box == before)] = len(held) - 1
    starts = np.cumsum([0, *(len(one) for one in held)])
    return StructureSets(sets, starts, np.array([n for one in held for n in one], np.int64))
