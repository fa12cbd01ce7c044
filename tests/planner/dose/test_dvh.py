"""Dose-volume statistics: general properties of samples, and solids with closed-form histograms."""

from itertools import pairwise
from math import pi

import numpy as np
import pytest
from box_scenes import grid_of, pose_P
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import mask_from_bool
from planner.dose.dvh import (
    DoseIndex,
    DoseVolume,
    cumulative,
    dose_covering_percent,
    dose_levels_gy,
    dose_to_hottest_cc,
    dose_volume,
    highest_outside_gy,
    highest_reportable_gy,
    reported,
    volume_mm3_at,
    volume_percent_at,
)
from planner.dose.sampling import SamplePoints, sampled

LEVELS = tuple(np.linspace(0.0, 1200.0, 61).tolist())
DOSES = st.floats(0.0, 1000.0, allow_subnormal=False)


@st.composite
def samples(draw: st.DrawFn, min_count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Doses, many of them equal, and weights."""
    count = draw(st.integers(min_count, 40))
    distinct = draw(st.lists(DOSES, min_size=1, max_size=8))
    doses = draw(arrays(float, count, elements=st.sampled_from(distinct)))
    return doses, draw(arrays(float, count, elements=st.floats(0.01, 10.0)))


@given(samples())
def test_a_histogram_starts_at_100_percent_and_never_rises(doses_weights) -> None:
    dvh = cumulative("node", dose_volume(*doses_weights), LEVELS)
    assert dvh.volume_percent[0] == 100.0
    assert all(a >= b for a, b in pairwise(dvh.volume_percent))
    assert dvh.volume_percent[-1] == 0.0
    assert dvh.volume_cc == pytest.approx(doses_weights[1].sum() / 1000.0)
    assert (dvh.name, dvh.dose_gy) == ("node", LEVELS)


@given(samples(), DOSES)
def test_a_histogram_agrees_with_single_volumes(doses_weights, level: float) -> None:
    curve = dose_volume(*doses_weights)
    assert cumulative("node", curve, [level]).volume_percent == (volume_percent_at(curve, level),)


@given(samples(), st.floats(0.1, 100.0), st.floats(0.1, 100.0))
def test_a_smaller_volume_never_has_a_smaller_dose(
    doses_weights, percent: float, other_percent: float
) -> None:
    curve = dose_volume(*doses_weights)
    assert dose_covering_percent(curve, max(percent, other_percent)) <= dose_covering_percent(
        curve, min(percent, other_percent)
    )


@given(samples())
def test_d100_is_the_least_dose_and_no_d_exceeds_the_largest(doses_weights) -> None:
    curve = dose_volume(*doses_weights)
    assert dose_covering_percent(curve, 100.0) == doses_weights[0].min()
    assert dose_covering_percent(curve, 1e-6) == doses_weights[0].max()


@given(samples(), st.floats(0.1, 99.9))
def test_d_is_the_largest_dose_that_covers_the_volume(doses_weights, percent: float) -> None:
    curve = dose_volume(*doses_weights)
    dose = dose_covering_percent(curve, percent)
    assert volume_percent_at(curve, dose) >= percent * (1.0 - 1e-8)
    assert volume_percent_at(curve, np.nextafter(dose, np.inf)) < percent


@given(samples(), DOSES, st.floats(0.001, 1.0))
def test_v_and_d_are_inverse(doses_weights, level: float, share: float) -> None:
    curve = dose_volume(*doses_weights)
    volume_mm3 = share * curve.volume_mm3
    assume(abs(volume_mm3_at(curve, level) - volume_mm3) > 1e-6 * volume_mm3)
    dose = dose_to_hottest_cc(curve, volume_mm3 / 1000.0)
    assert dose is not None
    assert (volume_mm3_at(curve, level) < volume_mm3) == (dose < level)


@given(samples(), st.randoms(use_true_random=False))
def test_the_order_of_samples_never_matters(doses_weights, random) -> None:
    doses, weights = doses_weights
    order = list(range(len(doses)))
    random.shuffle(order)
    curve, shuffled = dose_volume(doses, weights), dose_volume(doses[order], weights[order])
    assert dose_covering_percent(curve, 90.0) == dose_covering_percent(shuffled, 90.0)
    assert cumulative("", curve, LEVELS).volume_percent == pytest.approx(
        cumulative("", shuffled, LEVELS).volume_percent
    )


@given(samples(), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_the_dose_scales_every_d(doses_weights, factor: float) -> None:
    doses, weights = doses_weights
    curve, scaled = dose_volume(doses, weights), dose_volume(factor * doses, weights)
    for percent in (100.0, 90.0, 50.0, 1.0):
        assert dose_covering_percent(scaled, percent) == factor * dose_covering_percent(curve, percent)


@given(samples(), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_the_weights_changes_no_percentage(doses_weights, factor: float) -> None:
    doses, weights = doses_weights
    curve, scaled = dose_volume(doses, weights), dose_volume(doses, factor * weights)
    assert scaled.volume_mm3 == factor * curve.volume_mm3
    assert cumulative("", curve, LEVELS).volume_percent == cumulative("", scaled, LEVELS).volume_percent
    assert dose_covering_percent(curve, 90.0) == dose_covering_percent(scaled, 90.0)


@given(samples(), samples())
def test_volumes_of_combined_structures_add_up(first, second) -> None:
    combined = dose_volume(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
    for level in LEVELS:
        parts = volume_mm3_at(dose_volume(*first), level) + volume_mm3_at(dose_volume(*second), level)
        assert volume_mm3_at(combined, level) == pytest.approx(parts, abs=1e-9)


@given(samples())
def test_splitting_samples_changes_no_statistic(doses_weights) -> None:
    doses, weights = doses_weights
    curve = dose_volume(doses, weights)
    split = dose_volume(np.repeat(doses, 2), np.repeat(weights / 2, 2))
    for percent in (100.0, 90.0, 50.0):
        assert dose_covering_percent(split, percent) == dose_covering_percent(curve, percent)


@given(samples(min_count=2), st.floats(1.0, 1000.0), st.data())
def test_reported_values_are_independent_of_the_cap_inside_seeds(doses_weights, cap: float, data) -> None:
    doses, weights = doses_weights
    in_seed = data.draw(arrays(bool, len(doses)))
    raised = data.draw(arrays(float, len(doses), elements=st.floats(0.0, 1e6)))
    capped_doses = np.where(in_seed, cap, np.minimum(doses, cap))
    raised_doses = np.where(in_seed, cap + raised, capped_doses)
    highest = highest_reportable_gy(cap)
    levels = dose_levels_gy(cap / 3.0, highest)
    assert max(levels) <= highest < cap
    results = []
    for capped in (capped_doses, raised_doses):
        curve = dose_volume(capped, weights)
        ds = [reported(dose_covering_percent(curve, p), highest) for p in (100.0, 90.0, 10.0, 1.0)]
        results.append((ds, cumulative("", curve, levels).volume_percent))
    assert results[0][0] == results[1][0]
    assert results[0][1] == pytest.approx(results[1][1])


def test_a_dose_above_the_highest_is_reported_as_a_lower_bound() -> None:
    assert reported(150.0, 2000.0) == DoseIndex(150.0, at_least=False)
    assert reported(2000.0, 2000.0) == DoseIndex(2000.0, at_least=False)
    assert reported(2500.0, 2000.0) == DoseIndex(2000.0, at_least=True)


@given(samples(min_count=2), st.data())
def test_a_sample_in_a_seed_counts_at_every_level_and_is_never_a_reported_dose(doses_weights, data) -> None:
    doses, weights = doses_weights
    inside = data.draw(arrays(bool, len(doses)))
    curve = dose_volume(np.where(inside, np.inf, doses), weights)
    highest = highest_outside_gy(curve)
    assert highest == max(doses[~inside], default=0.0)
    assert volume_mm3_at(curve, 1e9) == pytest.approx(weights[inside].sum())
    if not inside.all():
        outside_curve = dose_volume(doses[~inside], weights[~inside])
        for level in LEVELS:
            expected = volume_mm3_at(outside_curve, level) + weights[inside].sum()
            assert volume_mm3_at(curve, level) == pytest.approx(expected)
    index = reported(dose_covering_percent(curve, 1.0), highest)
    assert np.isfinite(index.gy)
    assert index.at_least == (dose_covering_percent(curve, 1.0) == np.inf)


def test_levels_are_percentages_of_the_prescription() -> None:
    levels = dose_levels_gy(120.0, 2000.0)
    assert (levels[0], levels[1], levels[100], levels[-1]) == (0.0, 1.2, 120.0, 480.0)
    assert dose_levels_gy(120.0, 300.0)[-1] == 300.0


def test_one_cc_is_a_thousand_cubic_millimetres() -> None:
    curve = dose_volume(np.arange(1.0, 11.0), np.full(10, 100.0))
    assert dose_to_hottest_cc(curve, 0.1) == 10.0
    assert dose_to_hottest_cc(curve, 1.0) == 1.0
    assert dose_to_hottest_cc(curve, 0.2001) == 8.0
    assert dose_to_hottest_cc(curve, 1.1) is None
    assert volume_mm3_at(curve, 10.0) == 100.0
    assert volume_mm3_at(curve, 10.5) == 0.0


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.1, np.nan])
def test_an_invalid_percentage_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="not a part of it"):
        dose_covering_percent(dose_volume(np.ones(1), np.ones(1)), percent)


def test_invalid_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        dose_volume(np.empty(0), np.empty(0))
    with pytest.raises(ValueError, match="numbers"):
        dose_volume(np.array([np.nan]), np.ones(1))
    with pytest.raises(ValueError, match="positive"):
        dose_volume(np.ones(2), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="not a volume"):
        dose_to_hottest_cc(dose_volume(np.ones(1), np.ones(1)), 0.0)


# Solids in fine voxels on an oblique grid, one point for each voxel as far as MAX_POINTS allows. The
# tolerance is half a percent: of the whole volume for V, of the dose for D. In a gradient along the grid's
# axes, all samples of a layer have the same dose, and V has an error of half a layer: 3 h / (8 R) of a
# sphere, so h must be below R / 75.

HALF_PERCENT = 0.005
OBLIQUE = pose_P((20.0, -35.0, 50.0), (12.0, -80.0, 310.0))
CENTRE_B = np.array([11.37, 11.81, 11.59])
"""Neither a voxel's centre nor a corner. [mm]"""


def solid(inside, side_mm: float = 23.2, voxel_mm: float = 0.13) -> tuple[SamplePoints, Grid]:
    """Points of all voxels for which `inside` is true at their centre, in mm from CENTRE_B along the grid's
    axes."""
    size = round(side_mm / voxel_mm)
    grid = grid_of((size, size, size), (voxel_mm,) * 3, OBLIQUE)
    axes = [np.arange(size) * voxel_mm - c for c in CENTRE_B]
    mask = np.ascontiguousarray(np.broadcast_to(inside(*np.ix_(*axes)), (size,) * 3))
    return sampled(mask_from_bool(mask), grid, voxel_mm), grid


def statistics_of(points: SamplePoints, grid: Grid, dose) -> DoseVolume:
    """The statistics of a dose that is a function of the position from CENTRE_B along the grid's axes."""
    return dose_volume(dose(grid.to_box(points.points_P) - CENTRE_B), points.weights_mm3)


def test_the_volume_around_an_unattenuated_point_source_is_a_sphere() -> None:
    k = 15_000.0
    points, grid = solid(lambda x, y, z: (np.abs(x) < 30) & (np.abs(y) < 30) & (np.abs(z) < 30))
    curve = statistics_of(points, grid, lambda p: k / (p**2).sum(axis=1))
    for dose in (k / 5.0**2, 400.0, 200.0, k / 11.0**2):
        assert volume_mm3_at(curve, dose) == pytest.approx(
            4.0 / 3.0 * pi * (k / dose) ** 1.5, rel=HALF_PERCENT
        )
    for cc in (0.5, 1.0, 2.0, 5.0):
        radius = (cc * 1000.0 * 0.75 / pi) ** (1.0 / 3.0)
        assert dose_to_hottest_cc(curve, cc) == pytest.approx(k / radius**2, rel=HALF_PERCENT)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.48, -0.6, 0.64)])
def test_a_sphere_in_a_linear_gradient_has_the_statistics_of_its_caps(
    direction: tuple[float, float, float],
) -> None:
    radius, middle, slope = 10.0, 120.0, 6.0
    points, grid = solid(lambda x, y, z: x**2 + y**2 + z**2 < radius**2)
    curve = statistics_of(points, grid, lambda p: middle + slope * (p @ np.array(direction)))

    def share(height: float) -> float:
        """The part of the sphere above a plane at `height` from its centre: a cap."""
        return (radius - height) ** 2 * (2.0 * radius + height) / (4.0 * radius**3)

    assert curve.volume_mm3 == pytest.approx(4.0 / 3.0 * pi * radius**3, rel=HALF_PERCENT)
    for height in (-9.0, -5.0, 0.0, 4.0, 8.0):
        expected = 100.0 * share(height)
        assert volume_percent_at(curve, middle + slope * height) == pytest.approx(expected, abs=0.5)
    for percent in (98.0, 90.0, 50.0, 10.0, 2.0):
        height = brentq(lambda h, p=percent: share(h) - p / 100.0, -radius, radius)
        dose = middle + slope * height
        assert dose_covering_percent(curve, percent) == pytest.approx(dose, rel=HALF_PERCENT)


@pytest.mark.parametrize("slope", [5.0, -5.0])
def test_a_cone_in_a_gradient_along_its_axis_has_closed_form_statistics(slope: float) -> None:
    height, radius, at_apex = 18.0, 9.0, 150.0
    u, v, w = axis = np.array([0.48, -0.6, 0.64])

    def inside(x, y, z):
        depth = u * x + v * y + w * z + height / 2
        off_axis = np.sqrt(np.maximum(x**2 + y**2 + z**2 - (depth - height / 2) ** 2, 0.0))
        return (depth < height) & (off_axis < radius * depth / height)

    points, grid = solid(inside)
    curve = statistics_of(points, grid, lambda p: at_apex + slope * (p @ axis + height / 2))
    assert curve.volume_mm3 == pytest.approx(pi * radius**2 * height / 3.0, rel=HALF_PERCENT)
    for depth in (4.0, 10.0, 15.0, 17.0):
        below_apex = (depth / height) ** 3
        expected = 100.0 * (1.0 - below_apex if slope > 0.0 else below_apex)
        assert volume_percent_at(curve, at_apex + slope * depth) == pytest.approx(expected, abs=0.5)
    for percent in (98.0, 90.0, 50.0, 10.0):
        part = 1.0 - percent / 100.0 if slope > 0.0 else percent / 100.0
        dose = at_apex + slope * height * part ** (1.0 / 3.0)
        assert dose_covering_percent(curve, percent) == pytest.approx(dose, rel=HALF_PERCENT)
