"""Seeds that stand alike in the cells of a grid, about which a plan's samples err alike."""

from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_plans import MIDDLE_B, asked, ball_scene
from made_scenes import grid_of

from planner.plan import plan
from planner.request import GivenSeed, NeedleSetRequest, Prescription, SeedRequest
from planner.verify.alike import alike

GRID = grid_of((40, 40, 40), (1.0, 0.9, 2.0))


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 100))
def test_groups_that_stand_alike_count_as_their_size(group: int, groups: int, seed: int) -> None:
    """Half a millimetre, two fifths and two thirds are the sides of cells no longer than that."""
    rng = np.random.default_rng(seed)
    cells_mm = np.array([0.5, 0.45, 0.5])
    places = np.linspace(0.0, 1.0, groups, endpoint=False)[:, None] + np.array([0.05, 0.03, 0.98])
    cells = rng.integers(0, 20, (group * groups, 3))
    points_B = (cells + np.repeat(places, group, axis=0)) * cells_mm
    assert alike(GRID.to_patient(points_B), GRID, 0.5) == pytest.approx(group)


def test_seeds_at_random_stand_apart_and_none_is_one() -> None:
    points_B = np.random.default_rng(7).uniform(0.0, 30.0, (40, 3))
    assert 1.0 <= alike(GRID.to_patient(points_B), GRID, 0.5) < 1.2
    assert alike(np.zeros((0, 3)), GRID, 0.5) == 1.0


@pytest.mark.parametrize(
    ("apart_mm", "activity_mci", "dose_gy"), [(6.0, 0.05, 120.0), (6.0, 0.05, 300.0), (10.0, 0.05, 120.0)]
)
def test_a_true_plan_of_weak_seeds_on_voxel_centres_is_verified(
    apart_mm: float, activity_mci: float, dose_gy: float
) -> None:
    """What gets a high dose is a few samples about each seed, and about each the same ones."""
    steps = np.arange(-12.0, 12.5, apart_mm)
    centre_B = np.round(MIDDLE_B / 2.0) * 2.0
    lattice_B = centre_B + np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    seeds = tuple(GivenSeed(tuple(p.tolist())) for p in ball_scene().grid.to_patient(lattice_B))
    request = asked(
        needle_set=NeedleSetRequest(given_seeds=seeds),
        seeds=SeedRequest(activity_mci=activity_mci),
        prescription=Prescription(dose_gy),
        clearance_mm=MappingProxyType({"default": 200.0}),
    )
    checks = plan(ball_scene(), request).plan.verification.checks
    assert [check for check in checks if not check.passed] == []
