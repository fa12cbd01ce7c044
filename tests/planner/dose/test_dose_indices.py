"""Conformity, external and homogeneity index: examples by hand, bounds, and a sphere around a point
source."""

from math import pi

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, pose_P
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.geometry.points_in_mask import points_inside
from planner.dose import volume_outside as outside
from planner.dose.dvh import dose_volume
from planner.dose.indices import QualityIndices, quality_indices
from planner.dose.sampling import sampled
from planner.dose.volume_outside import outside_mm3
from planner.errors import RequestError

K = 12_000.0
GRID = grid_of((40, 40, 40), (0.8, 0.8, 0.8), pose_P((30.0, -20.0, 75.0), (5.0, -60.0, 420.0)))
SEED_P = GRID.to_patient(np.array([[15.63, 15.31, 15.87]]))


def dose(p_P: np.ndarray) -> np.ndarray:
    """A bare point source at SEED_P."""
    return np.asarray(K / np.maximum(((p_P - SEED_P) ** 2).sum(axis=1), 0.01))


def ball(radius_mm: float) -> np.ndarray:
    centres = np.stack(np.indices(GRID.shape), axis=-1) * GRID.spacing_mm
    return np.linalg.norm(centres - GRID.to_box(SEED_P)[0], axis=-1) < radius_mm


def test_indices_agree_with_an_example_by_hand() -> None:
    # 100 mm3 of target: 80 get the dose, 20 of them 1.5 times the dose; 40 mm3 outside get it too.
    target = dose_volume(np.array([100.0, 130.0, 200.0]), np.array([20.0, 60.0, 20.0]))
    indices = quality_indices(target, 120.0, 40.0)
    assert indices == QualityIndices(120.0, 120.0, ci=0.8 * 80.0 / 120.0, ei=0.4, hi=0.75)


def test_the_homogeneity_index_agrees_with_a_published_series() -> None:
    # Wang 2022 (10.5114/jcb.2022.113548): V100 92.7 % and V150 66.9 % make a homogeneity index of 0.28.
    target = dose_volume(np.array([0.0, 110.0, 200.0]), np.array([7.3, 25.8, 66.9]))
    assert quality_indices(target, 100.0, 0.0).hi == pytest.approx(1.0 - 66.9 / 92.7)


@given(arrays(float, 12, elements=st.floats(0.0, 400.0)), st.floats(0.0, 500.0), st.floats(1.0, 300.0))
def test_indices_keep_their_bounds(doses: np.ndarray, outside: float, level: float) -> None:
    indices = quality_indices(dose_volume(doses, np.full(12, 10.0)), level, outside)
    assert 0.0 <= indices.ci <= 1.0 + 1e-12
    assert indices.ei >= 0.0
    assert (indices.hi is None) == (doses.max() < level)
    assert indices.hi is None or 0.0 <= indices.hi <= 1.0


def test_without_any_dose_the_indices_are_zero_or_missing() -> None:
    indices = quality_indices(dose_volume(np.ones(3), np.ones(3)), 120.0, 0.0)
    assert (indices.ci, indices.ei, indices.hi) == (0.0, 0.0, None)


@pytest.mark.parametrize("radius", [6.0, 10.0])
def test_a_ball_about_a_point_source(radius: float) -> None:
    target, level = mask_from_bool(ball(8.0)), K / radius**2
    points = sampled(target, GRID, 0.4)
    outside = outside_mm3(dose, level, SEED_P, target, GRID, 0.4)
    indices = quality_indices(dose_volume(dose(points.points_P), points.weights_mm3), level, outside)
    dose_mm3, target_mm3 = 4.0 / 3.0 * pi * radius**3, 4.0 / 3.0 * pi * 8.0**3
    assert indices.reference_volume_mm3 == pytest.approx(dose_mm3, rel=0.01)
    assert indices.ci == pytest.approx(min(dose_mm3, target_mm3) ** 2 / (target_mm3 * dose_mm3), rel=0.02)
    assert indices.ei == pytest.approx(max(0.0, dose_mm3 - target_mm3) / target_mm3, abs=0.01)
    hot = min(target_mm3, dose_mm3 / 1.5**1.5)
    assert indices.hi == pytest.approx(1.0 - hot / min(dose_mm3, target_mm3), abs=0.01)


def test_a_smaller_target_leaves_more_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    level = K / 9.0**2
    volumes = [outside_mm3(dose, level, SEED_P, mask_from_bool(ball(r)), GRID) for r in (9.5, 6.0, 3.0)]
    assert volumes[0] < 60.0 < volumes[1] < volumes[2]
    monkeypatch.setattr(outside, "POINTS_AT_ONCE", 100)
    assert outside_mm3(dose, level, SEED_P, mask_from_bool(ball(3.0)), GRID) == volumes[2]


def test_moving_the_patient_does_not_change_the_volume_outside() -> None:
    unmoved = grid_of(GRID.shape, (0.8, 0.8, 0.8))
    seed = GRID.to_box(SEED_P)
    volumes = [
        outside_mm3(
            lambda p, s=at: K / ((p - s) ** 2).sum(axis=1), 120.0, at, mask_from_bool(ball(6.0)), grid
        )
        for grid, at in ((GRID, SEED_P), (unmoved, seed))
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-12)


def test_a_level_of_zero_is_refused() -> None:
    with pytest.raises(RequestError, match="above 0 Gy"):
        outside_mm3(dose, 0.0, SEED_P, mask_from_bool(ball(3.0)), GRID)


def test_a_voxel_includes_its_lower_sides_and_not_its_upper_ones() -> None:
    grid = grid_of((4, 4, 4), (1.0, 2.0, 3.0))
    mask = mask_from_bool(box_mask((4, 4, 4), ((1, 1, 1), (3, 2, 2))))
    points = np.array(
        [[0.5, 1.0, 1.5], [2.49, 2.9, 4.4], [2.5, 2.0, 3.0], [0.49, 2.0, 3.0], [-9.0, 99.0, 3.0]]
    )
    assert points_inside(mask, grid, points).tolist() == [True, True, False, False, False]
    empty = MaskLayers((4, 4, 4)).add("node", np.zeros((4, 4, 4), bool))
    assert not points_inside(empty, grid, points).any()
