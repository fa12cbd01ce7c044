"""Seeds with equal positions in the cells of a grid, around which a plan's samples have equal errors."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from ball_plans import MIDDLE_B, ball_scene, changed_request
from box_scenes import grid_of
from hypothesis import given
from hypothesis import strategies as st

from anatomy.geometry.masks import mask_from_bool
from planner.plan import plan
from planner.records.plan import Plan
from planner.records.request.given import GivenSeed
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.prescription import Prescription
from planner.records.request.seeds import SeedRequest
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.verify import verify
from planner.verify.dose.grid_alignment import (
    MIRRORED,
    MIRRORED_ACROSS,
    alignment_error_in,
    alignment_error_mm3,
    correlated_cells,
)
from planner.verify.dose.seed_doses import SeedDoses

GRID = grid_of((40, 40, 40), (1.0, 0.9, 2.0))
CELL = np.array([0.5, 0.45, 0.5])
"""Sides of the cells, at most half a millimetre. [mm]"""


def seeds_at(points_B: np.ndarray, axis_B: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> SeedDoses:
    """Seeds along the axis; the zero vector means an unknown axis."""
    points_P = GRID.to_patient(points_B)
    axes_P = np.broadcast_to(GRID.R_PB @ np.array(axis_B), points_P.shape)
    return SeedDoses(AMERSHAM_6711, 0.5, points_P, axes_P)


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 100))
def test_seeds_with_equal_cell_positions_count_as_their_group_size(
    group: int, groups: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.linspace(0.0, 1.0, groups, endpoint=False)[:, None] + np.array([0.1, 0.12, 0.98])
    cells = rng.integers(0, 20, (group * groups, 3))
    points_B = (cells + np.repeat(offsets, group, axis=0)) * CELL
    assert correlated_cells(seeds_at(points_B), GRID, 0.5) == pytest.approx(group)


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.0, 0.5)])
def test_cells_around_a_centre_or_a_corner_have_correlated_errors(offset: tuple[float, float, float]) -> None:
    point_B = (np.array(offset) + 7.0) * CELL
    assert correlated_cells(seeds_at(point_B[None]), GRID, 0.5) == MIRRORED
    assert correlated_cells(seeds_at(point_B[None] + 0.1), GRID, 0.5) == 1.0


@pytest.mark.parametrize("axis", range(3))
def test_cells_along_a_seed_have_correlated_errors(axis: int) -> None:
    """Two seeds of a needle: each spans nine or ten cells of half a millimetre, in eight mirrored rows at a
    cell centre."""
    direction = np.eye(3)[axis]
    cells = 2 * 4.5 / CELL[axis]
    pair_B = (7.0 + np.array([[0.2, 0.3, 0.4], [0.2, 0.3, 0.4]]) + np.outer([0.0, 11.3], direction)) * CELL
    assert correlated_cells(seeds_at(pair_B, tuple(direction)), GRID, 0.5) == pytest.approx(cells)
    middle_B = 7.0 * CELL + np.outer([0.1, 5.2], direction)
    assert correlated_cells(seeds_at(middle_B, tuple(direction)), GRID, 0.5) == pytest.approx(
        MIRRORED_ACROSS * cells
    )
    oblique = direction + 0.12 * np.roll(direction, 1)
    assert correlated_cells(seeds_at(pair_B, tuple(oblique / np.linalg.norm(oblique))), GRID, 0.5) == 1.0


def test_seeds_at_random_positions_are_uncorrelated() -> None:
    points_B = np.random.default_rng(7).uniform(0.0, 30.0, (40, 3))
    assert 1.0 <= correlated_cells(seeds_at(points_B), GRID, 0.5) < 2.0
    assert correlated_cells(seeds_at(np.zeros((0, 3))), GRID, 0.5) == 1.0


def lattice_plan(pitch_mm: float, reach_mm: float, activity_mci: float, dose_gy: float) -> Plan:
    """A plan with given seeds on voxel centres, to which none can be added."""
    steps = np.arange(-reach_mm, reach_mm + 0.5, pitch_mm)
    centre_B = np.round(MIDDLE_B / 2.0) * 2.0
    lattice_B = centre_B + np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    seeds = tuple(GivenSeed(tuple(p.tolist())) for p in ball_scene().grid.to_patient(lattice_B))
    request = changed_request(
        needle_set=NeedleSetRequest(given_seeds=seeds),
        seeds=SeedRequest(activity_mci=activity_mci),
        prescription=Prescription(dose_gy),
        clearance_mm=MappingProxyType({"default": 200.0}),
    )
    return plan(ball_scene(), request).plan


@pytest.mark.long
@pytest.mark.parametrize(
    ("pitch_mm", "activity_mci", "dose_gy"),
    [(6.0, 0.05, 120.0), (6.0, 0.05, 300.0), (8.0, 0.1, 160.0), (10.0, 0.05, 120.0)],
)
def test_a_plan_of_weak_seeds_on_voxel_centres_is_verified(
    pitch_mm: float, activity_mci: float, dose_gy: float
) -> None:
    """Only a few samples around each seed have a high dose, the same ones around each."""
    checks = lattice_plan(pitch_mm, 12.0, activity_mci, dose_gy).verification.checks
    assert [check for check in checks if not check.passed] == []


@pytest.mark.long
def test_other_doses_are_refused_with_seeds_on_voxel_centres_too() -> None:
    plan = lattice_plan(6.0, 6.0, 0.6, 450.0)
    assert [check for check in plan.verification.checks if not check.passed] == []
    dose, organs = plan.dose, {organ.structure: organ for organ in plan.dose.organs}
    aorta = replace(organs["aorta"], d0_1cc_gy=0.85 * organs["aorta"].d0_1cc_gy)
    for changes, name in (
        ({"target": replace(dose.target, d90_gy=1.04 * dose.target.d90_gy)}, "D90"),
        ({"target": replace(dose.target, v100_percent=dose.target.v100_percent + 2.0)}, "V100"),
        ({"target": replace(dose.target, ei=1.05 * dose.target.ei)}, "EI"),
        ({"organs": (aorta, *(o for o in dose.organs if o.structure != "aorta"))}, "D0.1cc"),
    ):
        checks = verify(replace(plan, dose=replace(dose, **changes)), ball_scene()).checks
        assert name in {check.name for check in checks if not check.passed}


@pytest.mark.parametrize("count", [1, 8, 50])
def test_the_alignment_error_covers_a_small_volume_at_each_seed(count: int) -> None:
    offset = np.array([0.1, 0.1, 0.1])
    aligned = seeds_at(np.arange(count)[:, None] % 20 * np.array([1.0, 0.9, 2.0]) + offset)
    correlated = correlated_cells(aligned, GRID, 0.5)
    error_mm3 = alignment_error_mm3(count * 3.0, count, correlated, 0.5)
    # For one ball of 3 mm3 and 10 mm2: three times 0.29 of 0.25 mm2 and 3.2 mm; for all, `count` times that.
    assert error_mm3 == pytest.approx(count * 3.0 * 0.29 * 0.25 * (36.0 * np.pi * 9.0) ** (1.0 / 6.0))
    assert alignment_error_mm3(count * 16.1, count, correlated, 0.5) == 0.0
    assert alignment_error_mm3(0.0, 0, 1.0, 0.5) == 0.0


def test_only_seeds_in_and_beside_a_mask_count() -> None:
    inside = np.zeros(GRID.shape, bool)
    inside[10:14, 10:14, 10:14] = True
    mask, far_B = mask_from_bool(inside), np.array([[0.0, 0.0, 0.0], [11.0, 9.9, 30.0]])
    near_B = np.array([[11.0, 9.9, 22.0], [9.0, 9.9, 22.0]])
    seeds = seeds_at(np.concatenate([far_B, near_B]))
    expected_mm3 = alignment_error_mm3(6.0, 2, correlated_cells(seeds_at(near_B), GRID, 0.5), 0.5)
    assert alignment_error_in([mask], GRID, seeds, 0.5)(6.0) == expected_mm3 > 0.0
    # Seeds inside a hollow organ's box but outside the organ do not count.
    inside[2:30, 2:30, 2:38] = True
    inside[4:28, 4:28, 4:36] = False
    hollow_mask = mask_from_bool(inside)
    assert alignment_error_in([hollow_mask], GRID, seeds_at(near_B), 0.5)(6.0) == 0.0
