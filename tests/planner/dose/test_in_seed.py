"""Samples inside seeds: exactly those in the cylinder, and no dose index that depends on them."""

from math import pi

import numpy as np
import pytest
from box_scenes import grid_of, pose_P
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anatomy.geometry.masks import mask_from_bool
from planner.dose.dvh import cumulative, dose_levels_gy, dose_volume
from planner.dose.sampling import sampled
from planner.dose.tg43.in_seed import doses_outside, in_seed

POSITIONS = st.lists(st.tuples(*[st.floats(-4.0, 4.0)] * 3), min_size=0, max_size=4)


def axes_of(count: int) -> np.ndarray:
    return Rotation.from_euler("xyz", np.outer(np.arange(count) + 1.0, [0.7, -1.3, 0.4])).apply(
        [0.0, 0.0, 1.0]
    )


@given(POSITIONS)
def test_points_in_seeds_are_those_in_any_cylinder(positions: list[tuple[float, float, float]]) -> None:
    seeds, axes = np.array(positions).reshape(-1, 3), axes_of(len(positions)).reshape(-1, 3)
    points = np.random.default_rng(5).uniform(-5.0, 5.0, (4000, 3))
    expected = np.zeros(len(points), bool)
    for seed, axis in zip(seeds, axes, strict=True):
        axial = ((points - seed) * axis).sum(axis=1)
        radial = np.linalg.norm(np.cross(points - seed, axis), axis=1)
        expected |= (np.abs(axial) <= 2.25) & (radial < 0.4)
    np.testing.assert_array_equal(in_seed(points, seeds, axes, 4.5, 0.8), expected)


def test_the_end_corners_belong_to_the_seed_and_its_side_does_not() -> None:
    seed, axis = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    points = np.array([[0.0, 0.0, 2.25], [0.3999, 0.0, -2.25], [0.4, 0.0, 0.0], [0.0, 0.0, 2.26]])
    assert in_seed(points, seed, axis, 4.5, 0.8).tolist() == [True, True, False, False]
    assert in_seed(points, seed, axis, 4.6, 1.0).all()


def test_a_seed_with_unknown_axis_counts_as_its_inscribed_ball() -> None:
    points = np.array([[0.39, 0.0, 0.0], [0.0, 0.0, -0.39], [0.3, 0.3, 0.0], [0.0, 0.0, 2.0]])
    assert in_seed(points, np.zeros((1, 3)), np.zeros((1, 3)), 4.5, 0.8).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_the_volume_of_samples_inside_is_that_of_the_seeds() -> None:
    grid = grid_of((24, 24, 24), (1.0, 1.0, 1.0), pose_P((20.0, 10.0, 30.0), (5.0, 6.0, 7.0)))
    points = sampled(mask_from_bool(np.ones((24, 24, 24), bool)), grid, 0.25)
    seeds_P = grid.to_patient(np.array([[6.0, 7.0, 8.0], [15.0, 9.0, 14.0], [12.0, 17.0, 5.0]]))
    inside = in_seed(points.points_P, seeds_P, axes_of(3), 4.5, 0.8)
    assert points.weights_mm3[inside].sum() == pytest.approx(3.0 * pi * 0.4**2 * 4.5, rel=0.03)


@given(st.floats(0.0, 1e5), st.floats(0.0, 1e5))
def test_doses_inside_seeds_do_not_change_the_histogram(cap_gy: float, other_cap_gy: float) -> None:
    doses, inside = np.linspace(50.0, 300.0, 40), np.arange(40) % 7 == 0
    histograms = [
        cumulative(
            "node",
            dose_volume(doses_outside(np.where(inside, cap, doses), inside), np.ones(40)),
            dose_levels_gy(120.0),
        )
        for cap in (cap_gy, other_cap_gy)
    ]
    assert histograms[0] == histograms[1]
