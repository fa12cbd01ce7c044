"""Structure sets: the structures of each voxel as one number, so that one lookup gives all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt16

from anatomy.structures import Structure


@dataclass(frozen=True, eq=False)
class StructureSets:
    """`sets` holds the number of each voxel's set; set c is members[starts[c]:starts[c + 1]], indices into
    the given sequence of structures. Set 0 is empty."""

    sets: UInt16[np.ndarray, "nx ny nz"]
    starts: Int[np.ndarray, " c"]
    members: Int[np.ndarray, " m"]


def structure_sets(structures: Sequence[Structure], shape: tuple[int, int, int]) -> StructureSets:
    """The sets of these structures on a grid of that shape: one for each combination that occurs."""
    sets = np.zeros(shape, np.uint16)
    members: list[tuple[int, ...]] = [()]
    for number, structure in enumerate(structures):
        inside = structure.mask.cropped()
        box = sets[structure.mask.slices]
        for before in np.unique(box[inside]).tolist():
            # Voxels of an existing set that also belong to this structure become a new set.
            members.append((*members[before], number))
            box[inside & (box == before)] = len(members) - 1
    starts = np.cumsum([0, *(len(one) for one in members)])
    return StructureSets(sets, starts, np.array([n for one in members for n in one], np.int64))
