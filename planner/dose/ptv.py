"""PTV: the target with its margin, as voxels. The dose is prescribed to this volume.

GTV  o o .        PTV  + + + + .      a voxel belongs where its centre lies within the margin of the box
     o o .             + o o + .      of a target's voxel, inside the body, and outside what the request
     . . .             + o o + .      cuts it back from
"""

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.scene import Scene
from planner.records.defaults import refuse_unknown_cut_back
from planner.records.request.target import TargetRequest

ROUNDING = 1e-9
"""A centre exactly on the margin belongs to the PTV, also with the rounding of the grid's spacing."""


def ptv_of(scene: Scene, target: TargetRequest) -> VoxelMask:
    """The target with `target.margin_mm` around it, cut back from the structures of `target.cut_back`.

    The target itself is never cut back. Raises RequestError for a structure to cut back from that is not in
    the scene.
    """
    refuse_unknown_cut_back(scene, target.cut_back)
    grid, margin = scene.grid, target.margin_mm
    pad = np.ceil(margin / grid.spacing_mm).astype(int)
    lower = np.maximum(np.array(scene.target.lower) - pad, 0)
    upper = np.minimum(np.array(scene.target.upper) + pad, grid.shape)
    box = tuple(slice(a, b) for a, b in zip(lower.tolist(), upper.tolist(), strict=True))
    gtv = scene.target.layer[box] == scene.target.label
    grown = _grown(gtv, grid.spacing_mm, margin)
    grown &= scene.body.layer[box] == scene.body.label
    for name in target.cut_back:
        grown &= ~_mask_of(scene, name, box)
    inside = np.zeros(grid.shape, bool)
    inside[box] = grown | gtv
    return mask_from_bool(inside)


def beyond_view_mm(scene: Scene, margin_mm: float) -> float:
    """How far the margin around the target reaches beyond the edge of the field of view. [mm]"""
    below = np.array(scene.target.lower)
    above = np.array(scene.grid.shape) - np.array(scene.target.upper)
    nearest_mm = float((np.minimum(below, above) * scene.grid.spacing_mm).min())
    return max(0.0, margin_mm - nearest_mm)


def _grown(
    inside: Bool[np.ndarray, "i j k"], spacing_mm: Float[np.ndarray, "3"], margin_mm: float
) -> Bool[np.ndarray, "i j k"]:
    """Voxels whose centre lies within the margin of the box of a voxel inside.

    The square of this distance is a sum over the axes, so that it is minimised along one axis after another.
    """
    nearest2 = np.where(inside, 0.0, np.inf)
    for axis, side in enumerate(spacing_mm.tolist()):
        before = np.moveaxis(nearest2, axis, 0)
        after = before.copy()
        for n in range(1, min(int(np.ceil(margin_mm / side)) + 1, len(before))):
            beyond = (n - 0.5) * side
            after[n:] = np.minimum(after[n:], before[:-n] + beyond * beyond)
            after[:-n] = np.minimum(after[:-n], before[n:] + beyond * beyond)
        nearest2 = np.moveaxis(after, 0, axis)
    return np.asarray(nearest2 <= margin_mm * margin_mm * (1.0 + ROUNDING))


def _mask_of(scene: Scene, name: str, box: tuple[slice, ...]) -> Bool[np.ndarray, "i j k"]:
    mask = scene.structure(name).mask
    return np.asarray(mask.layer[box] == mask.label)
