"""The verification's own dose-volume statistics: evenly spread points, agreement with closed forms, and with
the planner's results within sampling error."""

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


def test_phi_solves_its_equation() -> None:
    assert abs(PHI**4 - PHI - 1.0) < 1e-15


@given(arrays(bool, (4, 5, 3)), st.integers(1, 700))
def test_points_lie_inside_and_are_shared_evenly_by_the_voxels(mask: np.ndarray, count: int) -> None:
    if not mask.any():
        return
    grid = grid_of((4, 5, 3), (0.8, 0.9, 2.0), pose_P((15.0, 40.0, -20.0)))
    voxels = mask_from_bool(mask)
    points = points_in(voxels, grid, count)
    assert points_inside(voxels, grid, points).all()
    index = np.floor(grid.to_box(points) / grid.spacing_mm + 0.5).astype(int)
    _, counts = np.unique(index, axis=0, return_counts=True)
    points_in_voxels = [*counts.tolist(), *([0] * (voxels.count - len(counts)))]
    assert max(points_in_voxels) - min(points_in_voxels) <= 1


def test_points_differ_from_the_planners() -> None:
    voxels = mask_from_bool(ellipsoid())
    points = points_in(voxels, GRID, 5000)
    planner_points = sampling.sampled(voxels, GRID, 1.0).points_P
    assert np.abs(points[:, None] - planner_points[None, ::7]).max(axis=2).min() > 0.0


@pytest.mark.parametrize("step", [1.0, 0.45])
def test_a_planners_claim_lies_within_the_sampling_error(step: float) -> None:
    voxels = mask_from_bool(ellipsoid())
    points = sampling.sampled(voxels, GRID, step)
    curve = dvh.dose_volume(dose(points.points_P), points.weights_mm3)
    recomputed = sampled_doses(voxels, GRID, dose, min(20_000, len(points.points_P)))
    assert recomputed.volume_mm3 == pytest.approx(curve.volume_mm3)
    for percent in (100.0 if step < 0.5 else 98.0, 99.0, 90.0, 50.0, 10.0):
        bounds = recomputed.covering_percent(percent)
        assert bounds.least <= dvh.dose_covering_percent(curve, percent) <= bounds.most
        assert bounds.least <= bounds.value <= bounds.most
    for level in (20.0, 60.0, 120.0, 240.0):
        bounds = recomputed.percent_at(level)
        assert bounds.least <= dvh.volume_percent_at(curve, level) <= bounds.most
        assert bounds.most - bounds.least < 6.0
    for cc in (0.1, 1.0):
        claimed, bounds_cc = dvh.dose_to_hottest_cc(curve, cc), recomputed.hottest_cc(cc)
        assert claimed is not None and bounds_cc is not None
        assert bounds_cc.least <= claimed <= bounds_cc.most
    assert recomputed.hottest_cc(99.0) is None


def test_a_claim_in_other_units_or_at_another_place_does_not() -> None:
    voxels = mask_from_bool(ellipsoid())
    recomputed = sampled_doses(voxels, GRID, dose, 20_000)
    d90, v60 = recomputed.covering_percent(90.0), recomputed.percent_at(60.0)
    assert d90.most < 1.05 * d90.value
    assert d90.least > 0.95 * d90.value
    shifted = sampled_doses(
        voxels, GRID, lambda p: dose(p + GRID.vectors_to_patient(np.array([2.0, 0, 0]))), 20_000
    )
    assert not v60.least <= shifted.percent_at(60.0).value <= v60.most


def test_a_ball_about_a_point_source() -> None:
    grid = grid_of((60, 60, 60), (0.4, 0.4, 0.4))
    voxels = mask_from_bool(np.ones((60, 60, 60), bool))
    source_P = np.array([11.7, 11.9, 11.6])
    recomputed = sampled_doses(voxels, grid, lambda p: 12_000.0 / ((p - source_P) ** 2).sum(axis=1))
    for radius in (5.0, 8.0, 11.0):
        percent = 100.0 * 4.0 / 3.0 * pi * radius**3 / 24.0**3
        share = recomputed.percent_at(12_000.0 / radius**2)
        assert share.value == pytest.approx(percent, rel=0.005)
        assert share.least <= percent <= share.most
        dose = recomputed.covering_percent(percent)
        assert dose.value == pytest.approx(12_000.0 / radius**2, rel=0.005)


@given(arrays(float, st.integers(1, 50), elements=st.floats(0.0, 500.0)), st.integers(1, 100))
def test_an_order_statistic_is_the_largest_dose_that_covers_the_share(
    doses: np.ndarray, percent: int
) -> None:
    value = SampledDoses(doses, 1.0).covering_percent(float(percent)).value
    assert np.count_nonzero(doses >= value) * 100 >= percent * len(doses)
    assert np.count_nonzero(doses > value) * 100 < percent * len(doses)


def test_extreme_statistics_are_unbounded_except_by_zero() -> None:
    three_samples = SampledDoses(np.array([10.0, 20.0, 30.0]), 3000.0)
    assert three_samples.covering_percent(100.0) == Recomputed(10.0, 0.0, inf)
    assert three_samples.hottest_cc(1e-12) == Recomputed(30.0, 0.0, inf)
    assert three_samples.percent_at(25.0) == Recomputed(100.0 * (1.0 / 3.0), 0.0, 100.0)
    assert share_tolerance(0.0, 1000) == share_tolerance(1.0, 1000) == pytest.approx(0.0066)
    # All points miss a volume of this share as rarely as an error of three standard deviations to one side.
    one_side = 0.5 * erfc(3.0 / sqrt(2.0))
    assert 0.5 * one_side < (1.0 - share_tolerance(0.0, 20_000)) ** 20_000 <= 1.01 * one_side


def test_the_same_mask_gives_the_same_points_in_any_number_of_calls() -> None:
    voxels = mask_from_bool(ellipsoid())
    calls: list[int] = []

    def counting_dose(p_P: np.ndarray) -> np.ndarray:
        calls.append(len(p_P))
        return dose(p_P)

    doses = sampled_doses(voxels, GRID, counting_dose, 2 * POINTS_AT_ONCE + 1)
    assert calls == [POINTS_AT_ONCE, POINTS_AT_ONCE, 1]
    repeated = sampled_doses(voxels, GRID, dose, 2 * POINTS_AT_ONCE + 1)
    assert doses.doses_gy.tobytes() == repeated.doses_gy.tobytes()
