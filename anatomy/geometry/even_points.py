"""Even points: where a volume is looked at when some thousand points must do.

Of four numbers that fill the unit cube evenly, the first chooses a voxel and the others a place in its box.
No lattice: one whose layers fall in with the volume's sides holds too much of its edge, or too little.
"""

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask

STEPS = 1.1673039782614187 ** -np.arange(1.0, 5.0)
"""Kronecker's sequence in four dimensions: multiples of these, without their whole parts, fill the unit cube
evenly. They are powers of the root of x^5 = x + 1 (M. Roberts 2018, as the golden ratio in one dimension)."""


def even_points_B(mask: VoxelMask, grid: Grid, count: int) -> Float[np.ndarray, "n 3"]:
    """`count` points of the mask's voxels, each for an equal part of the volume; of an empty mask none. [mm,
    B]"""
    voxels = np.argwhere(mask.cropped()) + np.array(mask.lower)
    if not len(voxels):
        return np.empty((0, 3))
    share = (0.5 + np.arange(1.0, count + 1.0)[:, None] * STEPS) % 1.0
    chosen = voxels[(share[:, 0] * len(voxels)).astype(int)]
    return np.asarray((chosen + share[:, 1:] - 0.5) * grid.spacing_mm)
