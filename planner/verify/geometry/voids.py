"""Whether a place beside lung is enclosed by it: a way out over voxels' faces is looked for."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.masks import VoxelMask
from planner.verify.compiled import loop


@loop
def leads_out(lung, i, j, k):  # type: ignore[no-untyped-def]
    """Whether a way over faces leads from a voxel to the outside of `lung` (nx, ny, nz) without entering it.

    Depth first, by a stack: a place outside is mostly not far from the edge.
    """
    nx, ny, nz = lung.shape
    seen = lung.copy()
    stack = np.empty((lung.size, 3), np.int32)
    stack[0, 0], stack[0, 1], stack[0, 2] = i, j, k
    seen[i, j, k] = True
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
            if not seen[x, y, z]:
                seen[x, y, z] = True
                stack[count, 0], stack[count, 1], stack[count, 2] = x, y, z
                count += 1
    return False


class Lungs:
    """The voxels of all lungs together, of one at least, without the target's, in their box."""

    def __init__(
        self, masks: Iterable[VoxelMask], target: VoxelMask, spacing_mm: tuple[float, float, float]
    ) -> None:
        found = list(masks)
        self._spacing_mm = np.array(spacing_mm)
        self._lower = np.min([mask.lower for mask in found], axis=0)
        upper = np.max([mask.upper for mask in found], axis=0)
        box = tuple(slice(a, b) for a, b in zip(self._lower, upper, strict=True))
        self._lung: Bool[np.ndarray, "nx ny nz"] = np.zeros(tuple(upper - self._lower), bool)
        for mask in found:
            self._lung |= mask.layer[box] == mask.label
        self._lung &= target.layer[box] != target.label

    def enclose(self, p_B: Float[np.ndarray, "3"]) -> bool:
        """Whether a place between two others in lung, and not in it itself, lies in a void of it."""
        index = np.floor(p_B / self._spacing_mm + 0.5).astype(int) - self._lower
        # Between two places in lung all lies in the lungs' box, but for rounding.
        index = np.clip(index, 0, np.array(self._lung.shape) - 1)
        return not leads_out(self._lung, *index)
