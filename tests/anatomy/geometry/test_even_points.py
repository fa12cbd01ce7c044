"""Even points lie in the voxels, evenly, and a sum over them is close to the volume's."""

import numpy as np
import pytest
from box_scenes import grid_of
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.masks import MaskLayers, mask_from_bool

SHAPE = (14, 12, 10)


@given(st.integers(0, 99_999))
@settings(max_examples=20)
def test_points_are_spread_evenly_over_the_voxels(seed):
    rng = np.random.default_rng(seed)
    grid = grid_of(SHAPE, tuple(rng.uniform(0.7, 4.0, 3)))
    mask = mask_from_bool(rng.random(SHAPE) < rng.choice([0.01, 0.5]))
    index = even_points_B(mask, grid, 4_000) / grid.spacing_mm
    at = np.floor(index + 0.5).astype(int)
    assert len(at) == 4_000 and (mask.layer[tuple(at.T)] == mask.label).all()
    # Both halves along each axis, of the voxels and within them, hold their share.
    voxels = np.argwhere(mask.layer == mask.label)
    for axis in range(3):
        middle = np.median(voxels[:, axis])
        share = (voxels[:, axis] <= middle).mean()
        # Scattered voxels are many intervals of the sequence, each with an error of its own.
        assert (at[:, axis] <= middle).mean() == pytest.approx(share, abs=0.02)
        assert (index[:, axis] < at[:, axis]).mean() == pytest.approx(0.5, abs=0.01)


@given(st.integers(500, 6_000), st.floats(3.0, 8.0), st.floats(0.0, 3.0))
@settings(max_examples=20)
def test_the_share_of_points_in_a_half_space_is_that_of_the_volume(count, radius, cut):
    """What goals are counted by: of a ball, beyond a plane, to one in a hundred."""
    grid = grid_of((33, 33, 33), (0.5, 0.5, 0.5))
    from_middle = (np.moveaxis(np.indices(grid.shape), 0, -1) - 16) * 0.5
    mask = mask_from_bool((from_middle**2).sum(axis=-1) <= min(radius, 7.8) ** 2)
    points = even_points_B(mask, grid, count) - 8.0
    inside = (from_middle**2).sum(axis=-1) <= min(radius, 7.8) ** 2
    # Each voxel's box counts by the part of it that lies beyond the cut.
    part = np.clip((from_middle[..., 0] + 0.25 - cut) / 0.5, 0.0, 1.0)
    assert (points[:, 0] > cut).mean() == pytest.approx(part[inside].mean(), abs=0.01)


def test_a_voxel_alone_has_all_points_and_an_empty_mask_none():
    grid = grid_of((5, 5, 5))
    one = np.zeros(grid.shape, bool)
    one[2, 2, 2] = True
    points = even_points_B(mask_from_bool(one), grid, 7)
    assert points.shape == (7, 3) and (np.abs(points - 2.0) <= 0.5).all()
    empty = MaskLayers(grid.shape).add("nothing", np.zeros(grid.shape, bool))
    assert even_points_B(empty, grid, 7).shape == (0, 3)
