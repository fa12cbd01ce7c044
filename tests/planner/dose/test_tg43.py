"""TG-43 by its formula: compared with a second implementation here, published values, and general
properties."""

import json
from math import acos, exp, log, pi, radians, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planner.dose.tg43.formula import (
    anisotropy,
    cap_gy_per_u,
    dose_rate_cgy_per_h_u,
    mean_anisotropy,
    radial_dose,
    relative_geometry,
    total_dose_1d_gy_per_u,
    total_dose_gy_per_u,
    uncapped_rate_cgy_per_h_u,
)
from planner.dose.tg43.strength import strength_u
from planner.sources import SOURCES, Source
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.verify.dose.tg43 import direct_dose_gy

pytestmark = pytest.mark.interpreted

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
any_source = st.sampled_from(SOURCES)


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def hand_rate(source: Source, r_cm: float, theta_deg: float, F: float) -> float:
    """The dose rate of 1 U [cGy/h] at an angle above 0, with beta from the triangle of point and line."""

    def beta(r: float, theta: float) -> float:
        half = source.active_length_cm / 2
        to_near = sqrt(r * r + half * half - 2 * r * half * np.cos(radians(theta)))
        to_far = sqrt(r * r + half * half + 2 * r * half * np.cos(radians(theta)))
        return acos((to_near**2 + to_far**2 - (2 * half) ** 2) / (2 * to_near * to_far))

    radii, g = source.radial
    k = max(n for n in range(len(radii) - 1) if radii[n] <= max(r_cm, radii[0]))
    log_g = log(g[k]) + (r_cm - radii[k]) / (radii[k + 1] - radii[k]) * log(g[k + 1] / g[k])
    geometry = beta(r_cm, theta_deg) / (r_cm * np.sin(radians(theta_deg))) / beta(1.0, 90.0)
    return source.dose_rate_constant_cgy_per_h_u * geometry * exp(log_g) * F


@each_source
def test_dose_at_the_table_nodes_agrees_with_the_formula(source: Source) -> None:
    table = source.anisotropy
    for r, row in zip(table.r_cm, table.F, strict=True):
        for theta, F in zip(table.theta_deg[1:], row[1:], strict=True):
            z, rho = 10 * r * np.cos(radians(theta)), 10 * r * np.sin(radians(theta))
            # Uncapped: at 2.5 mm, some angles lie within capsules of 5 mm.
            rate = uncapped_rate_cgy_per_h_u(source, floats(z), floats(rho))[0]
            assert rate == pytest.approx(hand_rate(source, r, theta, F), rel=1e-6), (r, theta)


@each_source
def test_the_geometry_function_has_its_limit_on_the_axis(source: Source) -> None:
    half = source.active_length_cm / 2
    z = np.linspace(source.seed_length_mm / 2, 100.0, 50)
    for rho in (0.0, 1e-12, 1e-9, 1e-6):
        beta = relative_geometry(source, z, np.full_like(z, rho))
        expected = 1.0 / (z**2 / 100 - half**2) / (2 * np.arctan(half) / (2 * half))
        assert beta == pytest.approx(expected, rel=1e-6)


def test_values_known_in_closed_form() -> None:
    # reference/analytic_checks.json, for the 6711.
    rate = dose_rate_cgy_per_h_u(AMERSHAM_6711, floats(0.0), floats(10.0))[0]
    total = total_dose_gy_per_u(AMERSHAM_6711, floats(0.0), floats(10.0))[0]
    assert rate == pytest.approx(0.965, rel=1e-12)
    assert 100 * total == pytest.approx(1984.7213385311106, rel=1e-12)
    seed = strength_u("I-125", 0.6)
    assert seed * rate == pytest.approx(0.73533, rel=1e-12)
    assert seed * total == pytest.approx(15.123576599607063, rel=1e-12)
    # At a large distance, G is 1 / r^2, which leaves G at 1 cm.
    assert 1 / (1e10 * relative_geometry(AMERSHAM_6711, floats(0.0), floats(1e6))[0]) == pytest.approx(
        0.9925996507299817, rel=1e-6
    )


def test_geometry_agrees_with_king_2001(reference: Path) -> None:
    file = reference / "geometry_function_king_2001.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    assert AMERSHAM_6711.active_length_cm == 0.3
    r = np.array(published["r_cm"], dtype=float)
    for theta, row in published["table"].items():
        z, rho = 10 * r * np.cos(radians(float(theta))), 10 * r * np.sin(radians(float(theta)))
        # The table is printed with four decimals.
        assert relative_geometry(AMERSHAM_6711, z, rho) * r**2 == pytest.approx(np.array(row), abs=5.1e-5)


def test_along_away_dose_rates_agree_with_the_derived_table(reference: Path) -> None:
    file = reference / "along_away_6711.json"
    derived = json.loads(file.read_text(encoding="utf-8"))
    for along, row in zip(derived["along_cm"], derived["table"], strict=True):
        for away, expected in zip(derived["away_cm"], row, strict=True):
            if expected is not None:
                rate = dose_rate_cgy_per_h_u(AMERSHAM_6711, floats(10 * along), floats(10 * away))[0]
                assert rate == pytest.approx(expected, rel=1e-9), (along, away)


@each_source
def test_g_between_and_beyond_its_radii(source: Source) -> None:
    r, g = source.radial
    assert radial_dose(source, 10 * np.array(r)) == pytest.approx(np.array(g), rel=1e-12)
    assert radial_dose(source, floats(0.0, 5 * r[0])) == pytest.approx(floats(g[0], g[0]), rel=1e-12)
    middles = radial_dose(source, floats(5 * (r[3] + r[4]), 10 * (2 * r[-1] - r[-2])))
    assert middles == pytest.approx(floats(sqrt(g[3] * g[4]), g[-1] ** 2 / g[-2]), rel=1e-12)


@each_source
def test_f_between_and_beyond_its_radii(source: Source) -> None:
    r, theta, F = source.anisotropy
    quarter = floats(10 * (0.75 * r[1] + 0.25 * r[2])), floats(0.5 * theta[2] + 0.5 * theta[3])
    bilinear = 0.375 * (F[1][2] + F[1][3]) + 0.125 * (F[2][2] + F[2][3])
    assert anisotropy(source, *quarter) == pytest.approx(floats(bilinear), rel=1e-12)
    for beyond, row in ((0.1, F[0]), (1e4, F[-1])):
        on_row = anisotropy(source, np.full(len(theta), beyond), np.array(theta))
        assert on_row == pytest.approx(np.array(row), rel=1e-12)


@each_source
def test_dose_is_finite_and_positive_everywhere(source: Source) -> None:
    half = source.seed_length_mm / 2
    beyond = [half * (1 + 1e-15), half + 1e-12, half + 1e-3]
    along = np.array([0.0, 1e-300, 0.1, 1.0, 5 * source.active_length_cm, half, *beyond, 3.0, 50.0, 1000.0])
    away = np.array([0.0, 1e-300, 1e-12, 1e-6, 0.2, 0.4, 0.401, 1.0, 10.0, 1000.0])
    z, rho = (v.ravel() for v in np.meshgrid(np.concatenate([along, -along]), away))
    for doses in (total_dose_gy_per_u(source, z, rho), total_dose_1d_gy_per_u(source, np.hypot(z, rho))):
        assert np.isfinite(doses).all() and (doses > 0.0).all()


@given(any_source, st.floats(-1, 1), st.floats(0, 0.3999), st.floats(2.6, 60), st.floats(0, 60))
def test_dose_inside_a_seed_is_that_on_its_side(
    source: Source, part: float, away: float, z: float, rho: float
) -> None:
    along = part * source.seed_length_mm / 2
    side = total_dose_gy_per_u(source, floats(along), floats(0.4))[0]
    assert total_dose_gy_per_u(source, floats(along), floats(away))[0] == side
    assert side >= cap_gy_per_u(source) * (1 - 1e-3)
    # Outside the seed, the dose is not capped.
    rate = dose_rate_cgy_per_h_u(source, floats(z), floats(rho))
    assert rate == uncapped_rate_cgy_per_h_u(source, floats(z), floats(rho))


@given(any_source, st.floats(0, 100), st.floats(0, 100))
def test_the_two_halves_of_a_seed_are_symmetric(source: Source, along: float, away: float) -> None:
    dose, mirrored_dose = total_dose_gy_per_u(source, floats(along, -along), floats(away, away))
    assert dose == mirrored_dose


@each_source
@pytest.mark.parametrize("r_mm", [3.0, 5.0, 10.0, 23.0, 50.0, 120.0])
def test_dose_without_an_axis_is_the_mean_over_all_directions(source: Source, r_mm: float) -> None:
    # Rings of equal angle, weighted by their area
    theta = np.radians(np.arange(0.05, 90.0, 0.1))
    doses = total_dose_gy_per_u(source, r_mm * np.cos(theta), r_mm * np.sin(theta))
    mean = float(doses @ np.sin(theta) / np.sin(theta).sum())
    # The printed phi_an has three digits: 0.973 at 5 mm, where F gives 0.971; it has no smaller radii.
    rel = 1e-5 if source.phi_an is None else (3e-3 if r_mm >= 5.0 else 6e-2)
    assert total_dose_1d_gy_per_u(source, floats(r_mm))[0] == pytest.approx(mean, rel=rel)


def test_a_table_of_phi_an_is_preferred_to_the_mean_of_f() -> None:
    assert AMERSHAM_6711.phi_an is not None
    r, phi = AMERSHAM_6711.phi_an
    assert mean_anisotropy(AMERSHAM_6711, 10 * np.array(r)) == pytest.approx(np.array(phi), rel=1e-12)
    assert mean_anisotropy(AMERSHAM_6711, floats(1.0, 1000.0)) == pytest.approx(floats(phi[0], phi[-1]))


coordinates = st.floats(-25, 25)
positions = st.tuples(coordinates, coordinates, coordinates).map(np.array)
rotation_angles = st.tuples(*[st.floats(-pi, pi)] * 3)
unit_axes = rotation_angles.map(lambda a: rotation(*a)[:, 2])
seeds_and_axes = st.lists(st.tuples(positions, unit_axes), min_size=1, max_size=5)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_new_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_new_z)


def away_from_all(seeds: np.ndarray, point: np.ndarray) -> bool:
    """Whether all seeds are far enough that rounding does not decide whether the point lies in one."""
    return bool((np.linalg.norm(seeds - point, axis=1) > 3.0).all())


@given(any_source, seeds_and_axes, positions, st.booleans())
def test_the_direct_sum_agrees_with_the_formula(
    source: Source, given_seeds: list[tuple[np.ndarray, np.ndarray]], point: np.ndarray, axes_known: bool
) -> None:
    seeds, axes = (np.stack(v) for v in zip(*given_seeds, strict=True))
    total = 0.0
    for seed, axis in zip(seeds, axes, strict=True):
        z = float((point - seed) @ axis)
        rho = float(np.linalg.norm(point - seed - z * axis))
        total += (
            total_dose_gy_per_u(source, floats(z), floats(rho))[0]
            if axes_known
            else total_dose_1d_gy_per_u(source, floats(float(np.linalg.norm(point - seed))))[0]
        )
    direct = direct_dose_gy(source, 2.0, seeds, axes if axes_known else None, point)
    # Both integrate phi_an with different methods; nearer than 3 mm they agree to 1e-4.
    strict = axes_known or away_from_all(seeds, point)
    assert direct == pytest.approx(2.0 * total, rel=3e-6 if strict else 2e-4)


@given(any_source, seeds_and_axes, positions, st.floats(0.01, 10), rotation_angles, positions)
def test_the_direct_sum_is_linear_additive_and_moves_with_the_patient(
    source: Source,
    given_seeds: list[tuple[np.ndarray, np.ndarray]],
    point: np.ndarray,
    strength: float,
    angles: tuple[float, float, float],
    shift: np.ndarray,
) -> None:
    seeds, axes = (np.stack(v) for v in zip(*given_seeds, strict=True))
    assume(away_from_all(seeds, point))
    dose = direct_dose_gy(source, 1.0, seeds, axes, point)
    assert direct_dose_gy(source, strength, seeds, axes, point) == pytest.approx(strength * dose)
    single_doses = [
        direct_dose_gy(source, 1.0, seeds[n : n + 1], axes[n : n + 1], point) for n in range(len(seeds))
    ]
    assert dose == pytest.approx(sum(single_doses), rel=1e-12)
    assert direct_dose_gy(source, 1.0, seeds[::-1], -3.0 * axes[::-1], point) == pytest.approx(dose, rel=1e-9)
    R = rotation(*angles)
    moved = direct_dose_gy(source, 1.0, seeds @ R.T + shift, axes @ R.T, R @ point + shift)
    assert moved == pytest.approx(dose, rel=1e-6)


@each_source
def test_the_direct_sum_is_capped_too(source: Source) -> None:
    seeds, axes = np.zeros((1, 3)), floats(0, 0, 1.0)[None]
    for z in (-2.2, 0.0, 1.0, 2.1):
        expected = total_dose_gy_per_u(source, floats(z), floats(0.0))[0]
        assert direct_dose_gy(source, 1.0, seeds, axes, floats(0, 0, z)) == pytest.approx(expected, rel=1e-9)
    middle = total_dose_1d_gy_per_u(source, floats(0.0))[0]
    assert direct_dose_gy(source, 1.0, seeds, None, floats(0, 0, 0)) == pytest.approx(middle, rel=1e-4)


@each_source
def test_the_direct_sum_agrees_on_the_axis_and_beyond_the_tables(source: Source) -> None:
    seeds, axes = np.zeros((1, 3)), floats(0, 0, 1.0)[None]
    for z, rho in ((20.0, 0.0), (-20.0, 1e-6), (150.0, 0.0), (0.0, 150.0), (-90.0, 110.0)):
        expected = total_dose_gy_per_u(source, floats(z), floats(rho))[0]
        assert direct_dose_gy(source, 1.0, seeds, axes, floats(0, rho, z)) == pytest.approx(
            expected, rel=1e-7
        )
