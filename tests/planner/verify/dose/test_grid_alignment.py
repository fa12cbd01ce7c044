"""Seeds that stand alike in the cells of a grid, about which a plan's samples err alike."""

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
"""Sides of cells of half a millimetre at most."""


def standing(points_B: np.ndarray, axis_B: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> SeedDoses:
    """Seeds that lie along the axis; without one it is not known."""
    points_P = GRID.to_patient(points_B)
    axes_P = np.broadcast_to(GRID.R_PB @ np.array(axis_B), points_P.shape)
    return SeedDoses(AMERSHAM_6711, 0.5, points_P, axes_P)


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 100))
def test_groups_that_stand_alike_count_as_their_size(group: int, groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = np.linspace(0.0, 1.0, groups, endpoint=False)[:, None] + np.array([0.1, 0.12, 0.98])
    cells = rng.integers(0, 20, (group * groups, 3))
    points_B = (cells + np.repeat(places, group, axis=0)) * CELL
    assert correlated_cells(standing(points_B), GRID, 0.5) == pytest.approx(group)


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.0, 0.5)])
def test_cells_about_a_middle_or_a_corner_err_together(place: tuple[float, float, float]) -> None:
    one_B = (np.array(place) + 7.0) * CELL
    assert correlated_cells(standing(one_B[None]), GRID, 0.5) == MIRRORED
    assert correlated_cells(standing(one_B[None] + 0.1), GRID, 0.5) == 1.0


@pytest.mark.parametrize("axis", range(3))
def test_cells_along_a_seed_err_together(axis: int) -> None:
    """Two seeds of a needle: about each nine or ten cells of half a millimetre, of eight rows at a middle."""
    along = np.eye(3)[axis]
    cells = 2 * 4.5 / CELL[axis]
    pair_B = (7.0 + np.array([[0.2, 0.3, 0.4], [0.2, 0.3, 0.4]]) + np.outer([0.0, 11.3], along)) * CELL
    assert correlated_cells(standing(pair_B, tuple(along)), GRID, 0.5) == pytest.approx(cells)
    middle_B = 7.0 * CELL + np.outer([0.1, 5.2], along)
    assert correlated_cells(standing(middle_B, tuple(along)), GRID, 0.5) == pytest.approx(
        MIRRORED_ACROSS * cells
    )
    askew = along + 0.12 * np.roll(along, 1)
    assert correlated_cells(standing(pair_B, tuple(askew / np.linalg.norm(askew))), GRID, 0.5) == 1.0


def test_seeds_at_random_stand_apart_and_none_is_one() -> None:
    points_B = np.random.default_rng(7).uniform(0.0, 30.0, (40, 3))
    assert 1.0 <= correlated_cells(standing(points_B), GRID, 0.5) < 2.0
    assert correlated_cells(standing(np.zeros((0, 3))), GRID, 0.5) == 1.0


def lattice_plan(apart_mm: float, reach_mm: float, activity_mci: float, dose_gy: float) -> Plan:
    """Seeds that are in, on voxel centres, and no way to add one."""
    steps = np.arange(-reach_mm, reach_mm + 0.5, apart_mm)
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
    ("apart_mm", "activity_mci", "dose_gy"),
    [(6.0, 0.05, 120.0), (6.0, 0.05, 300.0), (8.0, 0.1, 160.0), (10.0, 0.05, 120.0)],
)
def test_a_true_plan_of_weak_seeds_on_voxel_centres_is_verified(
    apart_mm: float, activity_mci: float, dose_gy: float
) -> None:
    """What gets a high dose is a few samples about each seed, and about each the same ones."""
    checks = lattice_plan(apart_mm, 12.0, activity_mci, dose_gy).verification.checks
    assert [check for check in checks if not check.passed] == []


@pytest.mark.long
def test_seeds_on_voxel_centres_excuse_no_other_dose() -> None:
    made = lattice_plan(6.0, 6.0, 0.6, 450.0)
    assert [check for check in made.verification.checks if not check.passed] == []
    dose, organs = made.dose, {organ.structure: organ for organ in made.dose.organs}
    aorta = replace(organs["aorta"], d0_1cc_gy=0.85 * organs["aorta"].d0_1cc_gy)
    for changed, name in (
        ({"target": replace(dose.target, d90_gy=1.04 * dose.target.d90_gy)}, "D90"),
        ({"target": replace(dose.target, v100_percent=dose.target.v100_percent + 2.0)}, "V100"),
        ({"target": replace(dose.target, ei=1.05 * dose.target.ei)}, "EI"),
        ({"organs": (aorta, *(o for o in dose.organs if o.structure != "aorta"))}, "D0.1cc"),
    ):
        checks = verify(replace(made, dose=replace(dose, **changed)), ball_scene()).checks
        assert name in {check.name for check in checks if not check.passed}


@pytest.mark.parametrize("count", [1, 8, 50])
def test_only_a_little_about_each_seed_may_be_off(count: int) -> None:
    aside = np.array([0.1, 0.1, 0.1])
    aligned = standing(np.arange(count)[:, None] % 20 * np.array([1.0, 0.9, 2.0]) + aside)
    correlated = correlated_cells(aligned, GRID, 0.5)
    off = alignment_error_mm3(count * 3.0, count, correlated, 0.5)
    # Of one ball of 3 mm3, 10 mm2 large, three times 0.29 of 0.25 mm2 and 3.2 mm; of all as many times that.
    assert off == pytest.approx(count * 3.0 * 0.29 * 0.25 * (36.0 * np.pi * 9.0) ** (1.0 / 6.0))
    assert alignment_error_mm3(count * 16.1, count, correlated, 0.5) == 0.0
    assert alignment_error_mm3(0.0, 0, 1.0, 0.5) == 0.0


def test_only_seeds_in_and_beside_a_mask_count() -> None:
    inside = np.zeros(GRID.shape, bool)
    inside[10:14, 10:14, 10:14] = True
    mask, far = mask_from_bool(inside), np.array([[0.0, 0.0, 0.0], [11.0, 9.9, 30.0]])
    near = np.array([[11.0, 9.9, 22.0], [9.0, 9.9, 22.0]])
    seeds = standing(np.concatenate([far, near]))
    alone = alignment_error_mm3(6.0, 2, correlated_cells(standing(near), GRID, 0.5), 0.5)
    assert alignment_error_in([mask], GRID, seeds, 0.5)(6.0) == alone > 0.0
    # Seeds in the box of an organ that lies around them, and not in it, do not count.
    inside[2:30, 2:30, 2:38] = True
    inside[4:28, 4:28, 4:36] = False
    around = mask_from_bool(inside)
    assert alignment_error_in([around], GRID, standing(near), 0.5)(6.0) == 0.0
