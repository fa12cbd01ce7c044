"""Even points: some thousand points that sample a volume evenly.

Four numbers are taken from a sequence that fills the unit cube evenly: the first chooses a voxel, the others
a place in its box. A regular lattice is not used: where its layers are parallel to the volume's sides, it
samples the edge too often or too rarely.
"""

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask

STEPS = 1.1673039782614187 ** -np.arange(1.0, 5.0)
"""Kronecker sequence in four dimensions: the fractional parts of multiples of these fill the unit cube
evenly. They are powers of the root of x^5 = x + 1 (M. Roberts 2018, as the golden ratio in one dimension)."""


def even_points_B(mask: VoxelMask, grid: Grid, count: int) -> Float[np.ndarray, "n 3"]:
    """`count` points in the mask's voxels, each for an equal part of the volume; none for an empty mask. [mm,
    B]"""
    voxels = np.argwhere(mask.cropped()) + np.array(mask.lower)
    if not len(voxels):
        return np.empty((0, 3))
    share = (0.5 + np.arange(1.0, count + 1.0)[:, None] * STEPS) % 1.0
    chosen = voxels[(share[:, 0] * len(voxels)).astype(int)]
    return np.asarray((chosen + share[:, 1:] - 0.5) * grid.spacing_mm)
