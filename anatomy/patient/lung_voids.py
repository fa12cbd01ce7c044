"""Lung voids: what lung encloses on all sides without being lung, such as a nodule.

. . . . . . .
. L L L L L .      void: voxels that are not lung, and from which every path across voxel faces out of
. L v v L L .      the lungs' box meets lung
. L L L L . .
"""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from anatomy.geometry.masks import VoxelMask, mask_from_bool


def lung_voids(lungs: Iterable[VoxelMask], target: VoxelMask) -> VoxelMask | None:
    """The voids of the lungs together; None if there are none. Target voxels do not count as lung. No mask
    may be empty."""
    masks = list(lungs)
    if not masks:
        return None
    shape = masks[0].layer.shape
    lower = np.min([mask.lower for mask in masks], axis=0)
    upper = np.max([mask.upper for mask in masks], axis=0)
    box = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
    lung = np.zeros(tuple(upper - lower), bool)
    for mask in masks:
        lung |= mask.layer[box] == mask.label
    lung &= target.layer[box] != target.label
    parts, count = ndimage.label(~lung)
    enclosed = np.ones(count + 1, bool)
    enclosed[0] = False
    for axis in range(3):
        for face in (0, -1):
            enclosed[np.unique(parts.take(face, axis=axis))] = False
    if not enclosed.any():
        return None
    voids = np.zeros(shape, bool)
    voids[box] = enclosed[parts]
    return mask_from_bool(voids)
