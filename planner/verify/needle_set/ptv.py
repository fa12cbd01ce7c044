"""The PTV, computed in another way than the planner's: the distance of each voxel from the target, by axis.

    squared distance to the target's nearest box = least, over its voxels, of f(di) + f(dj) + f(dk)
    f(d) = (max(|d| - 1/2, 0) h)^2, d in voxels of side h

so the minimum is taken along i, then along j, then along k. A voxel whose centre lies on the margin, within
rounding, belongs to the PTV in one reading and not in the other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.masks import VoxelMask, bounding_box
from anatomy.scene import Scene
from planner.records.request.target import TargetRequest
from planner.verify.claims import Claims
from planner.verify.tolerances import DISTANCE_MM

ROUNDING = 1e-9
"""A reach of a whole number of steps must not lose one by rounding in float64."""


@dataclass(frozen=True, eq=False)
class Ptv:
    """Both readings: without and with the voxels that lie on the margin within rounding."""

    least: VoxelMask
    most: VoxelMask

    def nearer_to(self, voxels: float) -> VoxelMask:
        """The reading whose number of voxels is nearer to `voxels`."""
        return min((self.most, self.least), key=lambda mask: abs(mask.count - voxels))


def ptv_of(claims: Claims, scene: Scene, request: TargetRequest) -> Ptv:
    """The PTV of a request. A check fails for a structure to cut back from that does not exist."""
    margin, spacing = request.margin_mm, scene.grid.spacing_mm
    pad = np.ceil(margin / spacing).astype(int) + 1
    first = np.maximum(np.array(scene.target.lower) - pad, 0)
    last = np.minimum(np.array(scene.target.upper) + pad, scene.grid.shape)
    box = tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))
    target = _in_box(scene.target, box)
    may_grow = _in_box(scene.body, box)
    masks = {s.name: s.mask for s in scene.structures}
    unknown = sorted(set(request.cut_back) - masks.keys())
    claims.same("the PTV is cut back from structures that exist", "PTV", "none", ", ".join(unknown) or "none")
    for name in masks.keys() & set(request.cut_back):
        may_grow &= ~_in_box(masks[name], box)
    away = np.sqrt(squared_distances(target, spacing, margin + DISTANCE_MM))
    least, most = (
        _placed(scene, first, target | (may_grow & (away <= reach)))
        for reach in (margin - DISTANCE_MM, margin + DISTANCE_MM)
    )
    return Ptv(least, most)


def beyond_view_mm(scene: Scene, margin: float) -> float:
    """How far the target's bounding box, grown by the margin, reaches beyond the grid's box. [mm]"""
    grid = scene.grid
    index = np.argwhere(scene.target.cropped()) + np.array(scene.target.lower)
    low_B = (index.min(axis=0) - 0.5) * grid.spacing_mm - margin
    high_B = (index.max(axis=0) + 0.5) * grid.spacing_mm + margin
    return max(0.0, float((grid.lower_B - low_B).max()), float((high_B - grid.upper_B).max()))


def squared_distances(
    target: Bool[np.ndarray, "i j k"], spacing_mm: Float[np.ndarray, "3"], reach_mm: float
) -> Float[np.ndarray, "i j k"]:
    """Squared distance from each voxel's centre to the nearest box of a target voxel. Beyond the reach, it
    may be too large or infinite. [mm2]"""
    least = np.where(target, 0.0, np.inf)
    for axis, side in enumerate(spacing_mm.tolist()):
        along = np.moveaxis(least, axis, 0)
        nearest = along.copy()
        for steps in range(1, min(int(reach_mm / side + 0.5 + ROUNDING), len(along) - 1) + 1):
            away2 = ((steps - 0.5) * side) ** 2
            np.minimum(nearest[steps:], along[:-steps] + away2, out=nearest[steps:])
            np.minimum(nearest[:-steps], along[steps:] + away2, out=nearest[:-steps])
        least = np.moveaxis(nearest, 0, axis)
    return least


def holds(
    mask: VoxelMask, spacing_mm: Float[np.ndarray, "3"], points_B: Float[np.ndarray, "n 3"]
) -> np.ndarray:
    """Which points lie in a voxel of the mask (n,). [mm]"""
    index = np.rint(points_B / spacing_mm).astype(int)
    in_box = np.flatnonzero(((index >= mask.lower) & (index < mask.upper)).all(axis=1))
    inside = np.zeros(len(index), bool)
    inside[in_box] = mask.layer[tuple(index[in_box].T)] == mask.label
    return inside


def _in_box(mask: VoxelMask, box: tuple[slice, ...]) -> Bool[np.ndarray, "i j k"]:
    return np.asarray(mask.layer[box] == mask.label)


def _placed(scene: Scene, first: np.ndarray, inside: Bool[np.ndarray, "i j k"]) -> VoxelMask:
    """The mask `inside`, which begins at the voxel `first`, in the scene's grid."""
    low, high = (first + np.array(corner) for corner in bounding_box(inside))
    layer = np.zeros(scene.grid.shape, np.uint8)
    layer[tuple(slice(a, a + n) for a, n in zip(first, inside.shape, strict=True))] = inside
    return VoxelMask(layer, 1, _triple(low), _triple(high))


def _triple(index: np.ndarray) -> tuple[int, int, int]:
    i, j, k = (int(n) for n in index)
    return i, j, k
