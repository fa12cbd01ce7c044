"""Aim points: the points at which the optimiser computes the dose, in the PTV first, then in each organ with
a goal.

Points are spread evenly. Of an organ only the part near the PTV is sampled, because only this part can be
hot. The rest of the organ counts as cold.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.frames import MM3_PER_CC
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.implant.seeding.goals import PointGoal, target_goals
from planner.records.organ_goals import GOAL_VOLUMES_CC, goal_volume_cc
from planner.records.request.prescription import OrganGoal, Prescription

ORGAN_POINTS = 1_000
"""Number of points of an organ [U]."""
NEAR_MM = 30.0
"""An organ is sampled within this distance of the PTV's bounding box [U]."""


@dataclass(frozen=True, eq=False)
class AimPoints:
    """Points in B and the goals on them."""

    points_B: Float[np.ndarray, "m 3"]
    goals: tuple[PointGoal, ...]


def aim_points(
    scene: Scene, ptv: VoxelMask, prescription: Prescription, count: int, reserve: float
) -> AimPoints:
    """At most `count` points of the PTV, and points of the organs with goals.

    Coverage goals are aimed at with a `reserve`, as a share of the volume.
    """
    parts = [even_points_B(ptv, scene.grid, count)]
    goals = target_goals(prescription, len(parts[0]), reserve)
    for name, goal in sorted(prescription.organ_goals.items()):
        near_ptv = _part_near_ptv(scene.structure(name).mask, ptv, scene)
        if near_ptv is not None:
            points = even_points_B(near_ptv, scene.grid, ORGAN_POINTS)
            volume_mm3 = near_ptv.count * scene.grid.voxel_volume_mm3
            organ_cc = scene.structure(name).mask.count * scene.grid.voxel_volume_mm3 / MM3_PER_CC
            goals += _organ_goals(goal, organ_cc, sum(map(len, parts)), len(points), volume_mm3)
            parts.append(points)
    return AimPoints(np.concatenate(parts), tuple(goals))


def _part_near_ptv(mask: VoxelMask, ptv: VoxelMask, scene: Scene) -> VoxelMask | None:
    """The part of a structure near the PTV's bounding box; None where there is none."""
    pad = np.ceil(NEAR_MM / scene.grid.spacing_mm).astype(int)
    lower = np.maximum(np.array(mask.lower), np.array(ptv.lower) - pad)
    upper = np.minimum(np.array(mask.upper), np.array(ptv.upper) + pad)
    if (lower >= upper).any():
        return None
    a, b = lower.tolist(), upper.tolist()
    part = VoxelMask(mask.layer, mask.label, (a[0], a[1], a[2]), (b[0], b[1], b[2]))
    return part if part.count else None


def _organ_goals(
    goal: OrganGoal, organ_cc: float, first: int, count: int, volume_mm3: float
) -> list[PointGoal]:
    limits = [(goal_volume_cc(field, organ_cc), getattr(goal, field)) for field in GOAL_VOLUMES_CC]
    return [
        PointGoal(first, first + count, dose, False, min(1.0, cc * MM3_PER_CC / volume_mm3))
        for cc, dose in limits
        if dose is not None
    ]
