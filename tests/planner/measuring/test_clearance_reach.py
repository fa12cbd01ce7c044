"""How far clearance looks: what lies within reach is found and what lies beyond it is not, to a nanometre."""

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
def test_a_box_a_hair_beyond_the_reach_is_not_found_and_one_a_hair_within_is(k):
    """Voxels of any size, ahead of the needle's tip. Reaches end on a face of the box, where rounding alone
    says whether its slab is looked at."""
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
        for beyond in (1e-9, 0.5 * NANOMETRE):
            assert bone.nearest(behind, tip, gap - beyond) == (np.inf, "")
        assert bone.nearest(behind, tip, gap + NANOMETRE) == (pytest.approx(gap, abs=1e-9), "bone")


@pytest.mark.interpreted
def test_a_box_beside_a_slanting_needle_is_found_from_its_very_distance_on():
    """One voxel of any shape, at any side of a needle that slants across slabs. The distance is another
    program's, by halving."""
    rng = np.random.default_rng(2)
    shape, at = (11, 11, 11), np.array([5, 5, 5])
    for _ in range(120):
        grid = grid_of(shape, tuple(rng.uniform(0.7, 5.0, 3)))
        low, high = (at - 0.5) * grid.spacing_mm, (at + 0.5) * grid.spacing_mm
        mask = mask_from_bool(box_mask(shape, (at, at + 1)))
        bone = Obstacles([Structure("bone", mask, Role.FORBIDDEN)], grid)
        one, two = (rng.uniform(grid.lower_B, grid.upper_B) for _ in range(2))
        away = float(segment_distance(one[None], two[None], low[None], high[None])[0])
        if away > NANOMETRE:
            assert bone.nearest(one, two, away - NANOMETRE) == (np.inf, "")
            assert bone.nearest(one, two, away + NANOMETRE) == (pytest.approx(away, abs=1e-9), "bone")
