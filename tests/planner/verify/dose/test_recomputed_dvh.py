"""The verification's own dose-volume statistics: spread evenly, known in closed form, and apart from the
planner's only by what two samples may differ."""

from math import erfc, inf, pi, sqrt

import numpy as np
import pytest
from box_scenes import grid_of, pose_P
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anatomy.geometry.masks import mask_from_bool
from anatomy.geometry.points_in_mask import points_inside
from planner.dose import dvh, sampling
from planner.verify.dose.dvh import (
    PHI,
    POINTS_AT_ONCE,
    Recomputed,
    SampledDoses,
    points_in,
    sampled_doses,
    share_tolerance,
)

SHAPE = (30, 26, 12)
GRID = grid_of(SHAPE, (0.8, 0.9, 2.0), pose_P((15.0, 40.0, -20.0), (80.0, -14.0, -300.0)))
SEEDS_B = np.array([[8.0, 11.0, 9.7], [16.3, 12.1, 12.2]])


def ellipsoid() -> np.ndarray:
    centres = np.stack(np.indices(SHAPE), axis=-1) / np.array(SHAPE) - 0.5
    return np.linalg.norm(centres, axis=-1) < 0.42


def dose(p_P: np.ndarray) -> np.ndarray:
    """Two sources that fall off with the square of the distance, capped as in a seed."""
    r2 = ((GRID.to_box(p_P)[:, None] - SEEDS_B) ** 2).sum(axis=2)
    return np.asarray((4000.0 / np.maximum(r2, 0.4**2)).sum(axis=1))


def test_phi_is_what_its_equation_says() -> None:
    assert abs(PHI**4 - PHI - 1.0) < 1e-15


@given(arrays(bool, (4, 5, 3)), st.integers(1, 700))
def test_points_lie_inside_and_every_voxel_has_its_share(mask: np.ndarray, count: int) -> None:
    if not mask.any():
        return
    grid = grid_of((4, 5, 3), (0.8, 0.9, 2.0), pose_P((15.0, 40.0, -20.0)))
    voxels = mask_from_bool(mask)
    points = points_in(voxels, grid, count)
    assert points_inside(voxels, grid, points).all()
    index = np.floor(grid.to_box(points) / grid.spacing_mm + 0.5).astype(int)
    _, each = np.unique(index, axis=0, return_counts=True)
    shares = [*each.tolist(), *([0] * (voxels.count - len(each)))]
    assert max(shares) - min(shares) <= 1


def test_points_are_none_of_the_planners() -> None:
    voxels = mask_from_bool(ellipsoid())
    own = points_in(voxels, GRID, 5000)
    theirs = sampling.sampled(voxels, GRID, 1.0).points_P
    assert np.abs(own[:, None] - theirs[None, ::7]).max(axis=2).min() > 0.0


@pytest.mark.parametrize("step", [1.0, 0.45])
def test_a_planners_claim_lies_within_what_samples_may_differ(step: float) -> None:
    voxels = mask_from_bool(ellipsoid())
    points = sampling.sampled(voxels, GRID, step)
    curve = dvh.dose_volume(dose(points.points_P), points.weights_mm3)
    again = sampled_doses(voxels, GRID, dose, min(20_000, len(points.points_P)))
    assert again.volume_mm3 == pytest.approx(curve.volume_mm3)
    for percent in (100.0 if step < 0.5 else 98.0, 99.0, 90.0, 50.0, 10.0):
        found = again.covering_percent(percent)
        assert found.least <= dvh.dose_covering_percent(curve, percent) <= found.most
        assert found.least <= found.value <= found.most
    for level in (20.0, 60.0, 120.0, 240.0):
        found = again.percent_at(level)
        assert found.least <= dvh.volume_percent_at(curve, level) <= found.most
        assert found.most - found.least < 6.0
    for cc in (0.1, 1.0):
        claimed, found_cc = dvh.dose_to_hottest_cc(curve, cc), again.hottest_cc(cc)
        assert claimed is not None and found_cc is not None
        assert found_cc.least <= claimed <= found_cc.most
    assert again.hottest_cc(99.0) is None


def test_a_claim_of_other_units_or_another_place_does_not() -> None:
    voxels = mask_from_bool(ellipsoid())
    again = sampled_doses(voxels, GRID, dose, 20_000)
    d90, v = again.covering_percent(90.0), again.percent_at(60.0)
    assert d90.most < 1.05 * d90.value
    assert d90.least > 0.95 * d90.value
    shifted = sampled_doses(
        voxels, GRID, lambda p: dose(p + GRID.vectors_to_patient(np.array([2.0, 0, 0]))), 20_000
    )
    assert not v.least <= shifted.percent_at(60.0).value <= v.most


def test_a_ball_about_a_point_source() -> None:
    grid = grid_of((60, 60, 60), (0.4, 0.4, 0.4))
    voxels = mask_from_bool(np.ones((60, 60, 60), bool))
    at = np.array([11.7, 11.9, 11.6])
    again = sampled_doses(voxels, grid, lambda p: 12_000.0 / ((p - at) ** 2).sum(axis=1))
    for radius in (5.0, 8.0, 11.0):
        percent = 100.0 * 4.0 / 3.0 * pi * radius**3 / 24.0**3
        found = again.percent_at(12_000.0 / radius**2)
        assert found.value == pytest.approx(percent, rel=0.005)
        assert found.least <= percent <= found.most
        dose_found = again.covering_percent(percent)
        assert dose_found.value == pytest.approx(12_000.0 / radius**2, rel=0.005)


@given(arrays(float, st.integers(1, 50), elements=st.floats(0.0, 500.0)), st.integers(1, 100))
def test_an_order_statistic_is_the_largest_dose_that_the_share_gets(doses: np.ndarray, percent: int) -> None:
    value = SampledDoses(doses, 1.0).covering_percent(float(percent)).value
    assert np.count_nonzero(doses >= value) * 100 >= percent * len(doses)
    assert np.count_nonzero(doses > value) * 100 < percent * len(doses)


def test_ends_have_no_bound_but_zero() -> None:
    few = SampledDoses(np.array([10.0, 20.0, 30.0]), 3000.0)
    assert few.covering_percent(100.0) == Recomputed(10.0, 0.0, inf)
    assert few.hottest_cc(1e-12) == Recomputed(30.0, 0.0, inf)
    assert few.percent_at(25.0) == Recomputed(100.0 * (1.0 / 3.0), 0.0, 100.0)
    assert share_tolerance(0.0, 1000) == share_tolerance(1.0, 1000) == pytest.approx(0.0066)
    # A true share so large is missed by all of the points as rarely as three deviations to one side happen.
    one_side = 0.5 * erfc(3.0 / sqrt(2.0))
    assert 0.5 * one_side < (1.0 - share_tolerance(0.0, 20_000)) ** 20_000 <= 1.01 * one_side


def test_the_same_mask_gives_the_same_points_in_as_many_calls_as_are_needed() -> None:
    voxels = mask_from_bool(ellipsoid())
    calls: list[int] = []

    def counted(p_P: np.ndarray) -> np.ndarray:
        calls.append(len(p_P))
        return dose(p_P)

    one = sampled_doses(voxels, GRID, counted, 2 * POINTS_AT_ONCE + 1)
    assert calls == [POINTS_AT_ONCE, POINTS_AT_ONCE, 1]
    other = sampled_doses(voxels, GRID, dose, 2 * POINTS_AT_ONCE + 1)
    assert one.doses_gy.tobytes() == other.doses_gy.tobytes()
