"""Dose-volume statistics: what must hold of any samples, and solids with histograms in closed form."""

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
def samples(draw: st.DrawFn, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Doses, many of them equal, and weights."""
    count = draw(st.integers(least, 40))
    some = draw(st.lists(DOSES, min_size=1, max_size=8))
    doses = draw(arrays(float, count, elements=st.sampled_from(some)))
    return doses, draw(arrays(float, count, elements=st.floats(0.01, 10.0)))


@given(samples())
def test_a_histogram_starts_at_the_whole_and_never_rises(given_samples) -> None:
    dvh = cumulative("node", dose_volume(*given_samples), LEVELS)
    assert dvh.volume_percent[0] == 100.0
    assert all(a >= b for a, b in pairwise(dvh.volume_percent))
    assert dvh.volume_percent[-1] == 0.0
    assert dvh.volume_cc == pytest.approx(given_samples[1].sum() / 1000.0)
    assert (dvh.name, dvh.dose_gy) == ("node", LEVELS)


@given(samples(), DOSES)
def test_a_histogram_is_the_single_volumes(given_samples, level: float) -> None:
    curve = dose_volume(*given_samples)
    assert cumulative("node", curve, [level]).volume_percent == (volume_percent_at(curve, level),)


@given(samples(), st.floats(0.1, 100.0), st.floats(0.1, 100.0))
def test_less_volume_gets_no_smaller_dose(given_samples, one: float, other: float) -> None:
    curve = dose_volume(*given_samples)
    assert dose_covering_percent(curve, max(one, other)) <= dose_covering_percent(curve, min(one, other))


@given(samples())
def test_d100_is_the_least_dose_and_no_d_exceeds_the_largest(given_samples) -> None:
    curve = dose_volume(*given_samples)
    assert dose_covering_percent(curve, 100.0) == given_samples[0].min()
    assert dose_covering_percent(curve, 1e-6) == given_samples[0].max()


@given(samples(), st.floats(0.1, 99.9))
def test_d_is_the_largest_dose_that_the_volume_gets(given_samples, percent: float) -> None:
    curve = dose_volume(*given_samples)
    dose = dose_covering_percent(curve, percent)
    assert volume_percent_at(curve, dose) >= percent * (1.0 - 1e-8)
    assert volume_percent_at(curve, np.nextafter(dose, np.inf)) < percent


@given(samples(), DOSES, st.floats(0.001, 1.0))
def test_v_and_d_are_inverse(given_samples, level: float, share: float) -> None:
    curve = dose_volume(*given_samples)
    volume_mm3 = share * curve.volume_mm3
    assume(abs(volume_mm3_at(curve, level) - volume_mm3) > 1e-6 * volume_mm3)
    dose = dose_to_hottest_cc(curve, volume_mm3 / 1000.0)
    assert dose is not None
    assert (volume_mm3_at(curve, level) < volume_mm3) == (dose < level)


@given(samples(), st.randoms(use_true_random=False))
def test_the_order_of_samples_never_matters(given_samples, random) -> None:
    doses, weights = given_samples
    order = list(range(len(doses)))
    random.shuffle(order)
    one, other = dose_volume(doses, weights), dose_volume(doses[order], weights[order])
    assert dose_covering_percent(one, 90.0) == dose_covering_percent(other, 90.0)
    assert cumulative("", one, LEVELS).volume_percent == pytest.approx(
        cumulative("", other, LEVELS).volume_percent
    )


@given(samples(), st.sampled_from([0.25, 2.0, 8.0]))
def test_twice_the_dose_makes_every_d_twice_as_large(given_samples, factor: float) -> None:
    doses, weights = given_samples
    one, other = dose_volume(doses, weights), dose_volume(factor * doses, weights)
    for percent in (100.0, 90.0, 50.0, 1.0):
        assert dose_covering_percent(other, percent) == factor * dose_covering_percent(one, percent)


@given(samples(), st.sampled_from([0.25, 2.0, 8.0]))
def test_a_larger_structure_of_the_same_shares_has_the_same_percents(given_samples, factor: float) -> None:
    doses, weights = given_samples
    one, other = dose_volume(doses, weights), dose_volume(doses, factor * weights)
    assert other.volume_mm3 == factor * one.volume_mm3
    assert cumulative("", one, LEVELS).volume_percent == cumulative("", other, LEVELS).volume_percent
    assert dose_covering_percent(one, 90.0) == dose_covering_percent(other, 90.0)


@given(samples(), samples())
def test_volumes_of_structures_taken_together_add_up(first, second) -> None:
    both = dose_volume(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
    for level in LEVELS:
        parts = volume_mm3_at(dose_volume(*first), level) + volume_mm3_at(dose_volume(*second), level)
        assert volume_mm3_at(both, level) == pytest.approx(parts, abs=1e-9)


@given(samples())
def test_a_sample_may_be_split_in_two(given_samples) -> None:
    doses, weights = given_samples
    curve = dose_volume(doses, weights)
    split = dose_volume(np.repeat(doses, 2), np.repeat(weights / 2, 2))
    for percent in (100.0, 90.0, 50.0):
        assert dose_covering_percent(split, percent) == dose_covering_percent(curve, percent)


@given(samples(least=2), st.floats(1.0, 1000.0), st.data())
def test_nothing_reported_depends_on_how_dose_in_a_seed_is_capped(given_samples, cap: float, data) -> None:
    doses, weights = given_samples
    in_seed = data.draw(arrays(bool, len(doses)))
    raised = data.draw(arrays(float, len(doses), elements=st.floats(0.0, 1e6)))
    one = np.where(in_seed, cap, np.minimum(doses, cap))
    other = np.where(in_seed, cap + raised, one)
    highest = highest_reportable_gy(cap)
    levels = dose_levels_gy(cap / 3.0, highest)
    assert max(levels) <= highest < cap
    results = []
    for capped in (one, other):
        curve = dose_volume(capped, weights)
        ds = [reported(dose_covering_percent(curve, p), highest) for p in (100.0, 90.0, 10.0, 1.0)]
        results.append((ds, cumulative("", curve, levels).volume_percent))
    assert results[0][0] == results[1][0]
    assert results[0][1] == pytest.approx(results[1][1])


def test_a_dose_above_the_highest_is_reported_as_at_least_that() -> None:
    assert reported(150.0, 2000.0) == DoseIndex(150.0, at_least=False)
    assert reported(2000.0, 2000.0) == DoseIndex(2000.0, at_least=False)
    assert reported(2500.0, 2000.0) == DoseIndex(2000.0, at_least=True)


@given(samples(least=2), st.data())
def test_a_sample_in_a_seed_reaches_every_level_and_no_dose_is_told_of_it(given_samples, data) -> None:
    doses, weights = given_samples
    inside = data.draw(arrays(bool, len(doses)))
    curve = dose_volume(np.where(inside, np.inf, doses), weights)
    highest = highest_outside_gy(curve)
    assert highest == max(doses[~inside], default=0.0)
    assert volume_mm3_at(curve, 1e9) == pytest.approx(weights[inside].sum())
    if not inside.all():
        rest = dose_volume(doses[~inside], weights[~inside])
        for level in LEVELS:
            expected = volume_mm3_at(rest, level) + weights[inside].sum()
            assert volume_mm3_at(curve, level) == pytest.approx(expected)
    found = reported(dose_covering_percent(curve, 1.0), highest)
    assert np.isfinite(found.gy)
    assert found.at_least == (dose_covering_percent(curve, 1.0) == np.inf)


def test_levels_are_percents_of_the_prescription() -> None:
    levels = dose_levels_gy(120.0, 2000.0)
    assert (levels[0], levels[1], levels[100], levels[-1]) == (0.0, 1.2, 120.0, 480.0)
    assert dose_levels_gy(120.0, 300.0)[-1] == 300.0


def test_a_volume_in_cc_is_a_thousand_cubic_millimetres() -> None:
    curve = dose_volume(np.arange(1.0, 11.0), np.full(10, 100.0))
    assert dose_to_hottest_cc(curve, 0.1) == 10.0
    assert dose_to_hottest_cc(curve, 1.0) == 1.0
    assert dose_to_hottest_cc(curve, 0.2001) == 8.0
    assert dose_to_hottest_cc(curve, 1.1) is None
    assert volume_mm3_at(curve, 10.0) == 100.0
    assert volume_mm3_at(curve, 10.5) == 0.0


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.1, np.nan])
def test_a_share_outside_the_structure_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="not a part of it"):
        dose_covering_percent(dose_volume(np.ones(1), np.ones(1)), percent)


def test_what_is_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        dose_volume(np.empty(0), np.empty(0))
    with pytest.raises(ValueError, match="numbers"):
        dose_volume(np.array([np.nan]), np.ones(1))
    with pytest.raises(ValueError, match="positive"):
        dose_volume(np.ones(2), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="not a volume"):
        dose_to_hottest_cc(dose_volume(np.ones(1), np.ones(1)), 0.0)


# Solids in fine voxels, on a grid that lies obliquely, one point a voxel as far as MAX_POINTS allows. What
# is asked for is half a percent: of the whole volume for a V, of itself for a D. In a gradient along the
# grid's axes all samples of a layer have one dose, and V is off by half a layer: 3 h / (8 R) of a sphere, so
# h must be below R / 75.

HALF_PERCENT = 0.005
OBLIQUE = pose_P((20.0, -35.0, 50.0), (12.0, -80.0, 310.0))
CENTRE_B = np.array([11.37, 11.81, 11.59])
"""No voxel's centre and no corner."""


def solid(inside, side_mm: float = 23.2, voxel_mm: float = 0.13) -> tuple[SamplePoints, Grid]:
    """Points of all voxels whose centre, in mm along the grid's axes from CENTRE_B, `inside` takes."""
    size = round(side_mm / voxel_mm)
    grid = grid_of((size, size, size), (voxel_mm,) * 3, OBLIQUE)
    axes = [np.arange(size) * voxel_mm - c for c in CENTRE_B]
    mask = np.ascontiguousarray(np.broadcast_to(inside(*np.ix_(*axes)), (size,) * 3))
    return sampled(mask_from_bool(mask), grid, voxel_mm), grid


def made_with(points: SamplePoints, grid: Grid, dose) -> DoseVolume:
    """The statistics of a dose that is a function of the place along the grid's axes, from CENTRE_B."""
    return dose_volume(dose(grid.to_box(points.points_P) - CENTRE_B), points.weights_mm3)


def test_around_a_point_source_without_attenuation_volume_is_that_of_a_sphere() -> None:
    k = 15_000.0
    points, grid = solid(lambda x, y, z: (np.abs(x) < 30) & (np.abs(y) < 30) & (np.abs(z) < 30))
    made = made_with(points, grid, lambda p: k / (p**2).sum(axis=1))
    for dose in (k / 5.0**2, 400.0, 200.0, k / 11.0**2):
        assert volume_mm3_at(made, dose) == pytest.approx(
            4.0 / 3.0 * pi * (k / dose) ** 1.5, rel=HALF_PERCENT
        )
    for cc in (0.5, 1.0, 2.0, 5.0):
        radius = (cc * 1000.0 * 0.75 / pi) ** (1.0 / 3.0)
        assert dose_to_hottest_cc(made, cc) == pytest.approx(k / radius**2, rel=HALF_PERCENT)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.48, -0.6, 0.64)])
def test_a_sphere_in_a_linear_gradient(direction: tuple[float, float, float]) -> None:
    radius, middle, slope = 10.0, 120.0, 6.0
    points, grid = solid(lambda x, y, z: x**2 + y**2 + z**2 < radius**2)
    made = made_with(points, grid, lambda p: middle + slope * (p @ np.array(direction)))

    def share(height: float) -> float:
        """The part of the sphere above a plane at `height` from its centre: a cap."""
        return (radius - height) ** 2 * (2.0 * radius + height) / (4.0 * radius**3)

    assert made.volume_mm3 == pytest.approx(4.0 / 3.0 * pi * radius**3, rel=HALF_PERCENT)
    for height in (-9.0, -5.0, 0.0, 4.0, 8.0):
        expected = 100.0 * share(height)
        assert volume_percent_at(made, middle + slope * height) == pytest.approx(expected, abs=0.5)
    for percent in (98.0, 90.0, 50.0, 10.0, 2.0):
        height = brentq(lambda h, p=percent: share(h) - p / 100.0, -radius, radius)
        dose = middle + slope * height
        assert dose_covering_percent(made, percent) == pytest.approx(dose, rel=HALF_PERCENT)


@pytest.mark.parametrize("slope", [5.0, -5.0])
def test_a_cone_in_a_gradient_along_its_axis(slope: float) -> None:
    height, radius, at_apex = 18.0, 9.0, 150.0
    u, v, w = axis = np.array([0.48, -0.6, 0.64])

    def inside(x, y, z):
        depth = u * x + v * y + w * z + height / 2
        off_axis = np.sqrt(np.maximum(x**2 + y**2 + z**2 - (depth - height / 2) ** 2, 0.0))
        return (depth < height) & (off_axis < radius * depth / height)

    points, grid = solid(inside)
    made = made_with(points, grid, lambda p: at_apex + slope * (p @ axis + height / 2))
    assert made.volume_mm3 == pytest.approx(pi * radius**2 * height / 3.0, rel=HALF_PERCENT)
    for depth in (4.0, 10.0, 15.0, 17.0):
        below_apex = (depth / height) ** 3
        expected = 100.0 * (1.0 - below_apex if slope > 0.0 else below_apex)
        assert volume_percent_at(made, at_apex + slope * depth) == pytest.approx(expected, abs=0.5)
    for percent in (98.0, 90.0, 50.0, 10.0):
        part = 1.0 - percent / 100.0 if slope > 0.0 else percent / 100.0
        dose = at_apex + slope * height * part ** (1.0 / 3.0)
        assert dose_covering_percent(made, percent) == pytest.approx(dose, rel=HALF_PERCENT)
