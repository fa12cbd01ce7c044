"""Whether a place between lung voxels is enclosed by lung: by a search for a way out across voxel faces."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.masks import VoxelMask
from planner.verify.compiled import loop


@loop
def leads_out(lung, i, j, k):  # type: ignore[no-untyped-def]
    """Whether a way across faces leads from a voxel to the outside of `lung` (nx, ny, nz) without entering
    it.

    Depth-first search with a stack: a place that is not enclosed is usually near the edge.
    """
    nx, ny, nz = lung.shape
    reached = lung.copy()
    stack = np.empty((lung.size, 3), np.int32)
    stack[0, 0], stack[0, 1], stack[0, 2] = i, j, k
    reached[i, j, k] = True
    count = 1
    while count > 0:
        count -= 1
        a, b, c = stack[count, 0], stack[count, 1], stack[count, 2]
        for side in range(6):
            step = 1 if side % 2 else -1
            x = a + step if side < 2 else a
            y = b + step if 2 <= side < 4 else b
            z = c + step if side >= 4 else c
            if x < 0 or x >= nx or y < 0 or y >= ny or z < 0 or z >= nz:
                return True
            if not reached[x, y, z]:
                reached[x, y, z] = True
                stack[count, 0], stack[count, 1], stack[count, 2] = x, y, z
                count += 1
    return False


class Lungs:
    """The voxels of all lungs together, without those of the target, in their bounding box. There must be at
    least one lung."""

    def __init__(
        self, masks: Iterable[VoxelMask], target: VoxelMask, spacing_mm: tuple[float, float, float]
    ) -> None:
        lungs = list(masks)
        self._spacing_mm = np.array(spacing_mm)
        self._lower = np.min([mask.lower for mask in lungs], axis=0)
        upper = np.max([mask.upper for mask in lungs], axis=0)
        box = tuple(slice(a, b) for a, b in zip(self._lower, upper, strict=True))
        self._lung: Bool[np.ndarray, "nx ny nz"] = np.zeros(tuple(upper - self._lower), bool)
        for mask in lungs:
            self._lung |= mask.layer[box] == mask.label
        self._lung &= target.layer[box] != target.label

    def enclose(self, p_B: Float[np.ndarray, "3"]) -> bool:
        """Whether a place outside lung, on a line between two places in lung, lies in a void."""
        index = np.floor(p_B / self._spacing_mm + 0.5).astype(int) - self._lower
        # Such a place is in the lungs' box, except for rounding.
        index = np.clip(index, 0, np.array(self._lung.shape) - 1)
        return not leads_out(self._lung, *index)
