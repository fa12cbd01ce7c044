"""Even points lie evenly in the voxels, and a mean over them is close to that over the volume."""

import numpy as np
import pytest
from box_scenes import grid_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.masks import MaskLayers, mask_from_bool

SHAPE = (14, 12, 10)


@given(st.integers(0, 99_999))
@settings(max_examples=20)
def test_points_are_distributed_evenly_over_the_voxels(seed):
    rng = np.random.default_rng(seed)
    grid = grid_of(SHAPE, tuple(rng.uniform(0.7, 4.0, 3)))
    mask = mask_from_bool(rng.random(SHAPE) < rng.choice([0.01, 0.5]))
    index = even_points_B(mask, grid, 4_000) / grid.spacing_mm
    voxel_index = np.floor(index + 0.5).astype(int)
    assert len(voxel_index) == 4_000 and (mask.layer[tuple(voxel_index.T)] == mask.label).all()
    # Both halves along each axis, of the voxels and within them, have their share.
    voxels = np.argwhere(mask.layer == mask.label)
    for axis in range(3):
        middle = np.median(voxels[:, axis])
        share = (voxels[:, axis] <= middle).mean()
        # Scattered voxels are many intervals of the sequence, each with its own error.
        assert (voxel_index[:, axis] <= middle).mean() == pytest.approx(share, abs=0.02)
        assert (index[:, axis] < voxel_index[:, axis]).mean() == pytest.approx(0.5, abs=0.01)


@given(st.integers(500, 6_000), st.floats(3.0, 8.0), st.floats(0.0, 3.0))
@example(500, 3.0, 1.0)
@settings(max_examples=20)
def test_the_share_of_points_in_a_half_space_agrees_with_the_volume(count, radius, cut):
    """Goals use this share. A ball, cut by a plane, to within twelve points: 0.2 % of 6,000."""
    grid = grid_of((33, 33, 33), (0.5, 0.5, 0.5))
    from_middle = (np.moveaxis(np.indices(grid.shape), 0, -1) - 16) * 0.5
    mask = mask_from_bool((from_middle**2).sum(axis=-1) <= min(radius, 7.8) ** 2)
    points = even_points_B(mask, grid, count) - 8.0
    inside = (from_middle**2).sum(axis=-1) <= min(radius, 7.8) ** 2
    # Each voxel's box counts by its fraction beyond the cut.
    fraction = np.clip((from_middle[..., 0] + 0.25 - cut) / 0.5, 0.0, 1.0)
    assert (points[:, 0] > cut).mean() == pytest.approx(fraction[inside].mean(), abs=12 / count)


def test_a_single_voxel_has_all_points_and_an_empty_mask_none():
    grid = grid_of((5, 5, 5))
    single = np.zeros(grid.shape, bool)
    single[2, 2, 2] = True
    points = even_points_B(mask_from_bool(single), grid, 7)
    assert points.shape == (7, 3) and (np.abs(points - 2.0) <= 0.5).all()
    empty = MaskLayers(grid.shape).add("nothing", np.zeros(grid.shape, bool))
    assert even_points_B(empty, grid, 7).shape == (0, 3)
