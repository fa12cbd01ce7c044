"""PTV: the target with its margin, as voxels. It is what the prescribed dose is meant for.

GTV  o o .        PTV  + + + + .      a voxel belongs where its centre lies within the margin of the box
     o o .             + o o + .      of a target's voxel, inside the body, and outside what the request
     . . .             + o o + .      cuts it back from
"""

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import binary_dilation

from anatomy.scene import Scene
from anatomy.structures import VoxelMask, mask_from_bool
from anatomy.suggest import nearest
from planner.request import Request, RequestError


def ptv_of(scene: Scene, request: Request) -> VoxelMask:
    """The target with `request.target.margin_mm` around it, cut back from `request.target.cut_back`.

    The target itself is never cut back. Raises RequestError for a structure to cut back from that is not in
    the scene.
    """
    grid, margin = scene.grid, request.target.margin_mm
    pad = np.ceil(margin / grid.spacing_mm).astype(int)
    lower = np.maximum(np.array(scene.target.lower) - pad, 0)
    upper = np.minimum(np.array(scene.target.upper) + pad, grid.shape)
    box = tuple(slice(a, b) for a, b in zip(lower.tolist(), upper.tolist(), strict=True))
    target = scene.target.layer[box] == scene.target.label
    grown = binary_dilation(target, _ball(grid.spacing_mm, margin)) if margin > 0.0 else target.copy()
    grown &= scene.body.layer[box] == scene.body.label
    for name in request.target.cut_back:
        grown &= ~_mask_of(scene, name, box)
    whole = np.zeros(grid.shape, bool)
    whole[box] = grown | target
    return mask_from_bool(whole)


def _ball(spacing_mm: np.ndarray, radius_mm: float) -> Bool[np.ndarray, "i j k"]:
    """Offsets of voxels whose centre lies within `radius_mm` of the box of the voxel in the middle."""
    reach = [int(np.ceil(radius_mm / s)) for s in spacing_mm]
    offsets = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    beyond = [np.maximum(np.abs(o) - 0.5, 0.0) * s for o, s in zip(offsets, spacing_mm, strict=True)]
    return np.asarray(sum(b * b for b in beyond) <= radius_mm * radius_mm)


def _mask_of(scene: Scene, name: str, box: tuple[slice, ...]) -> Bool[np.ndarray, "i j k"]:
    if name not in scene.names():
        raise RequestError("target/cut_back", f"there is no structure {name!r}", nearest(name, scene.names()))
    mask = scene.structure(name).mask
    return np.asarray(mask.layer[box] == mask.label)
