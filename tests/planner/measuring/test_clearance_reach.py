"""The reach of clearance: obstacles within it are found and those beyond are not, to a nanometre."""

import numpy as np
import pytest
from box_scenes import box_mask, grid_of
from search_oracle import segment_distance

from anatomy.geometry.masks import mask_from_bool
from anatomy.structures import Role, Structure
from planner.measuring.clearance import Obstacles

NANOMETRE = 1e-6
"""In millimetres."""


@pytest.mark.interpreted
@pytest.mark.parametrize("k", [3, 36])
def test_the_reach_is_exact_for_a_box_ahead_of_the_needle(k):
    """Voxels of any size, ahead of the needle's tip. Reaches end on a face of the box, where only rounding
    decides whether its slab is searched."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        height = float(rng.uniform(0.7, 4.0))
        grid = grid_of((3, 3, k + 2), (2.0, 2.0, height))
        mask = mask_from_bool(box_mask(grid.shape, ((0, 0, k), (3, 3, k + 2))))
        bone = Obstacles([Structure("bone", mask, Role.FORBIDDEN)], grid)
        face = (k - 0.5) * height
        tip = np.array([2.2, 1.3, face - rng.uniform(0.1, min(5.9, face))])
        gap = face - tip[2]
        behind = tip - np.array([0.3, 0.2, 1.0])
        for excess_mm in (1e-9, 0.5 * NANOMETRE):
            assert bone.nearest(behind, tip, gap - excess_mm) == (np.inf, "")
        assert bone.nearest(behind, tip, gap + NANOMETRE) == (pytest.approx(gap, abs=1e-9), "bone")


@pytest.mark.interpreted
def test_the_reach_is_exact_for_a_box_beside_an_oblique_needle():
    """One voxel of any shape, on any side of a needle that crosses slabs obliquely. The reference distance is
    by bisection."""
    rng = np.random.default_rng(2)
    shape, voxel = (11, 11, 11), np.array([5, 5, 5])
    for _ in range(120):
        grid = grid_of(shape, tuple(rng.uniform(0.7, 5.0, 3)))
        low, high = (voxel - 0.5) * grid.spacing_mm, (voxel + 0.5) * grid.spacing_mm
        mask = mask_from_bool(box_mask(shape, (voxel, voxel + 1)))
        bone = Obstacles([Structure("bone", mask, Role.FORBIDDEN)], grid)
        start, end = (rng.uniform(grid.lower_B, grid.upper_B) for _ in range(2))
        distance_mm = float(segment_distance(start[None], end[None], low[None], high[None])[0])
        if distance_mm > NANOMETRE:
            assert bone.nearest(start, end, distance_mm - NANOMETRE) == (np.inf, "")
            assert bone.nearest(start, end, distance_mm + NANOMETRE) == (
                pytest.approx(distance_mm, abs=1e-9),
                "bone",
            )
