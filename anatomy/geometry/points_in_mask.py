"""Points in a mask: which points lie in its voxels."""

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask


def points_inside(mask: VoxelMask, grid: Grid, points_P: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    """Which points lie in a voxel of the mask. A voxel's box includes its lower faces, not its upper ones."""
    index = np.floor(grid.to_box(points_P) / grid.spacing_mm + 0.5).astype(int)
    within = ((index >= mask.lower) & (index < mask.upper)).all(axis=1)
    inside = np.zeros(len(points_P), dtype=bool)
    i, j, k = index[within].T
    inside[within] = mask.layer[i, j, k] == mask.label
    return inside
