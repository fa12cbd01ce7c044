"""Voxel centres: the voxel centres of a grid, returned box by box as coordinates in P.

If the grid's axes run along the patient's, x depends only on i, y on j and z on k: the three coordinate
arrays then have one long axis each, and numpy broadcasts them. On an oblique grid they have as many axes as
necessary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid

Box = tuple[slice, slice, slice]
"""Half-open index ranges along i, j, k, with explicit start and stop."""

EMPTY: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
"""No voxels."""

Coordinates = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, y and z in P, three arrays that broadcast against one another. [mm]"""

SLAB_VOXELS = 1_000_000
"""Voxels evaluated at a time: limits the temporary arrays to some tens of MB."""

FAR_MM = 5_000.0
"""Replaces infinity where an unbounded solid meets a grid."""


def box_shape(box: Box) -> tuple[int, int, int]:
    """Voxels along i, j, k."""
    i, j, k = box
    return i.stop - i.start, j.stop - j.start, k.stop - k.start


@dataclass(frozen=True, eq=False)
class VoxelCentres:
    """The voxel centres of `grid`."""

    grid: Grid

    @property
    def whole(self) -> Box:
        """All voxels."""
        nx, ny, nz = self.grid.shape
        return slice(0, nx), slice(0, ny), slice(0, nz)

    @cached_property
    def _X_VP(self) -> np.ndarray:
        return np.linalg.inv(self.grid.X_PV)

    def boxes_of(self, bounds_P: Float[np.ndarray, "n 2 3"], within: Box) -> list[Box | None]:
        """For each of n axis-aligned boxes in P, the voxels of `within` whose centres may lie in it; None if
        there are none."""
        finite_P = np.clip(bounds_P, -FAR_MM, FAR_MM)
        turn, shift = self._X_VP[:3, :3], self._X_VP[:3, 3]
        centre_V = finite_P.mean(axis=1) @ turn.T + shift
        # With a thousandth of a voxel, rounding does not drop a centre that lies on the bound.
        half_V = (finite_P[:, 1] - finite_P[:, 0]) / 2 @ np.abs(turn).T + 1e-3
        first = np.maximum(np.ceil(centre_V - half_V).astype(int), [s.start for s in within])
        stop = np.minimum(np.floor(centre_V + half_V).astype(int) + 1, [s.stop for s in within])
        boxes: list[Box | None] = []
        for (a, b, c), (d, e, f) in zip(first.tolist(), stop.tolist(), strict=True):
            boxes.append((slice(a, d), slice(b, e), slice(c, f)) if a < d and b < e and c < f else None)
        return boxes

    def box_of(self, bounds_P: Float[np.ndarray, "2 3"], within: Box) -> Box | None:
        """The voxels of `within` whose centres may lie in one axis-aligned box in P; None if there are
        none."""
        return self.boxes_of(bounds_P[None], within)[0]

    def coordinates(self, box: Box) -> Coordinates:
        """x, y, z of the voxel centres in `box`. [mm]"""
        index = [np.arange(s.start, s.stop, dtype=float) for s in box]
        open_axes = (index[0][:, None, None], index[1][None, :, None], index[2][None, None, :])
        X = self.grid.X_PV
        xyz = []
        for row in range(3):
            value: np.ndarray = np.full((1, 1, 1), X[row, 3])
            for axis in range(3):
                if X[row, axis] != 0.0:
                    value = value + X[row, axis] * open_axes[axis]
            xyz.append(value)
        return xyz[0], xyz[1], xyz[2]

    def slabs(self, box: Box) -> Iterator[Box]:
        """`box` cut across k into pieces of at most about SLAB_VOXELS."""
        nx, ny, _ = box_shape(box)
        step = max(1, SLAB_VOXELS // (nx * ny))
        for k in range(box[2].start, box[2].stop, step):
            yield box[0], box[1], slice(k, min(k + step, box[2].stop))
