"""Sample points: a structure's volume as weighted points, for dose-volume statistics.

    near the seeds                    far from them
    +--+--+--+                        +-----+       a voxel is one point
    |. |. |. |  voxels are divided    |  .  |
    +--+--+--+  until no side is      +-----+-----+
    |. |. |. |  longer than the step  |     |     |  or, where that is still too many, a block of
    +--+--+--+                        |   .   .   |  voxels is, at the centroid of those inside

The weight of a point is the volume of its part, so that all weights add up to the volume of the voxels for
any step. Far from all seeds, dose hardly changes within a voxel: the relative change for each mm is 2/r and
the slope of the radial dose function. So one point stands for a voxel, and the organ's total volume is exact.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.dose.dose_grid import STEP_GROWTH
from planner.errors import RequestError

STEP_MM = 0.5
"""Default side of a part near the seeds [U]: less than a seed's diameter of 0.8 mm."""

NEAR_MM = 30.0
"""Default distance up to which voxels are sampled finely [U]: beyond it, dose changes by less than a tenth
for each mm."""

MAX_POINTS = 2_000_000
"""Most points of one structure: 64 MB with their weights [U]. For more points, the step is increased."""

_ROUNDING = 1e-9
"""A voxel of 0.6 mm has three parts of 0.2 mm, though 0.6 / 0.2 rounds to more or less than 3."""


@dataclass(frozen=True, eq=False)
class FineRegion:
    """The region within `reach_mm` of any of the points, which are seeds or hot places. [mm]"""

    points_P: Float[np.ndarray, "m 3"]
    reach_mm: float = NEAR_MM


@dataclass(frozen=True, eq=False)
class SamplePoints:
    """A structure as points in P [mm] with the volume each stands for [mm3], the near ones first.

    The first `near_count` points stand for parts of voxels no longer than `step_mm`, the others for voxels or
    blocks of voxels no longer than `far_step_mm`. These are the steps that were used; because of MAX_POINTS
    they may be larger than requested.
    """

    points_P: Float[np.ndarray, "n 3"]
    weights_mm3: Float[np.ndarray, " n"]
    near_count: int
    step_mm: float
    far_step_mm: float

    @property
    def volume_mm3(self) -> float:
        """Volume of the structure: of its voxels, up to rounding. [mm3]"""
        return float(self.weights_mm3.sum())


def sampled(
    mask: VoxelMask, grid: Grid, step_mm: float = STEP_MM, within: FineRegion | None = None
) -> SamplePoints:
    """The voxels of `mask` as weighted points. [mm, mm3]

    Each voxel is divided along each axis into the fewest equal parts that are no longer than `step_mm`. A
    step of several voxels uses blocks of whole voxels instead. With `within`, only voxels that reach into
    this region are divided; each other voxel is one point. Equal input gives equal points in equal order; an
    empty mask gives none. Raises RequestError for a step or reach that is not positive.
    """
    for name, value in (
        ("sampling step", step_mm),
        ("reach", NEAR_MM if within is None else within.reach_mm),
    ):
        if not value > 0.0:
            raise RequestError(name, f"it is {value:g} mm", "Give a length above 0 mm.")
    inside = mask.cropped()
    is_near = inside if within is None else _near(mask, grid, within)
    spacing = grid.spacing_mm
    far_V, far_parts, far_step = _points(
        inside & ~is_near, spacing, float(spacing.min()), False, MAX_POINTS // 2
    )
    near_V, near_parts, near_step = _points(is_near, spacing, step_mm, True, MAX_POINTS - len(far_V))
    p_V = np.concatenate([near_V, far_V]) + np.array(mask.lower)
    return SamplePoints(
        points_P=grid.to_patient(p_V * spacing),
        weights_mm3=np.concatenate([near_parts, far_parts]) * grid.voxel_volume_mm3,
        near_count=len(near_V),
        step_mm=near_step,
        far_step_mm=far_step,
    )


def _near(mask: VoxelMask, grid: Grid, within: FineRegion) -> Bool[np.ndarray, "mx my mz"]:
    """Of the cropped mask, the voxels whose centre is no farther than the reach and half a diagonal."""
    from scipy.spatial import cKDTree

    inside = mask.cropped()
    is_near = np.zeros_like(inside)
    if len(within.points_P) == 0:
        return is_near
    spacing, lower = grid.spacing_mm, np.array(mask.lower)
    reach = within.reach_mm + 0.5 * float(np.linalg.norm(spacing))
    p_B = grid.to_box(within.points_P)
    # Only the box around the points: an organ may have millions of voxels elsewhere.
    first = np.clip(np.floor((p_B.min(axis=0) - reach) / spacing).astype(int) - lower, 0, inside.shape)
    last = np.clip(np.ceil((p_B.max(axis=0) + reach) / spacing).astype(int) + 1 - lower, first, inside.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    indices = np.argwhere(inside[box]) + first
    distance, _ = cKDTree(p_B).query((indices + lower) * spacing, distance_upper_bound=reach)
    near_indices = indices[np.isfinite(distance)]
    is_near[near_indices[:, 0], near_indices[:, 1], near_indices[:, 2]] = True
    return is_near


def _points(
    inside: Bool[np.ndarray, "mx my mz"],
    spacing_mm: Float[np.ndarray, "3"],
    step_mm: float,
    divide: bool,
    most: int,
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"], float]:
    """Points in V from the crop's first voxel, how many voxels each stands for, and the step used.

    With `divide` off a voxel is never divided.
    """
    while True:
        block = np.maximum(np.floor(step_mm / spacing_mm + _ROUNDING), 1.0).astype(int)
        parts = np.maximum(np.ceil(spacing_mm / step_mm - _ROUNDING), 1.0).astype(int)
        if not divide:
            parts[:] = 1
        if _block_count(inside, block) * int(parts.prod()) <= most:
            break
        step_mm *= STEP_GROWTH
    centres, voxels = _blocks(inside, block)
    along = [(np.arange(n) + 0.5) / n - 0.5 for n in parts]
    offsets = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
    points = (centres[:, None, :] + offsets).reshape(-1, 3)
    return points, np.repeat(voxels / len(offsets), len(offsets)), step_mm


def _block_count(inside: Bool[np.ndarray, "mx my mz"], block: Int[np.ndarray, "3"]) -> int:
    """Number of blocks that hold a voxel of the mask."""
    return int(np.count_nonzero(inside if block.max() == 1 else _summed(inside, block, (0, 1, 2))))


def _blocks(
    inside: Bool[np.ndarray, "mx my mz"], block: Int[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Centroid in V, and number, of the mask's voxels in each block that holds any."""
    if block.max() == 1:
        centres = np.argwhere(inside).astype(float)
        return centres, np.ones(len(centres))
    counts = _summed(inside, block, (0, 1, 2))
    occupied = counts > 0
    centres = np.empty((int(np.count_nonzero(occupied)), 3))
    for axis in range(3):
        # Across the other two axes first: what is left is small.
        across = _summed(inside, block, tuple(a for a in range(3) if a != axis))
        index = np.arange(inside.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
        centres[:, axis] = _summed(across * index, block, (axis,))[occupied] / counts[occupied]
    return centres, counts[occupied].astype(float)


def _summed(
    values: np.ndarray, block: Int[np.ndarray, "3"], axes: tuple[int, ...]
) -> Int[np.ndarray, "mx my mz"]:
    """Sums over blocks along `axes`; the last block may be shorter."""
    for axis in axes:
        first = np.arange(0, values.shape[axis], block[axis])
        values = np.add.reduceat(values, first, axis=axis, dtype=np.int64)
    return values
