"""The doses that verification computes itself, and its results without seeds."""

import numpy as np
import pytest
from box_scenes import grid_of

from anatomy.geometry.masks import mask_from_bool
from planner.records.dose import OrganDose
from planner.records.needle_set import PlacedSeed
from planner.sources import source_named
from planner.verify.claims import Claims
from planner.verify.dose.conformity import outside_mm3
from planner.verify.dose.dvh import SampledDoses
from planner.verify.dose.hottest import hottest_part
from planner.verify.dose.seed_doses import seed_doses
from planner.verify.dose.volume_dose import _near, check_organ

SOURCE = source_named("amersham_6711")
SEEDS = (
    PlacedSeed(None, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), None, None),
    PlacedSeed(None, (9.0, 1.0, -3.0), (0.6, 0.8, 0.0), None, None),
    PlacedSeed(None, (-7.0, 4.0, 2.0), None, None, None),
)
POINTS = np.array(
    [
        [3.0, 0.5, 1.0],
        [0.0, 0.0, 6.0],
        [20.0, -15.0, 30.0],
        [0.4, 0.9, 2.4],
        [130.0, 0.0, 5.0],
        [-7.0, 9.0, 2.0],
    ]
)


@pytest.mark.interpreted
def test_doses_at_many_points_are_those_of_the_formula_at_each() -> None:
    seeds = seed_doses(SOURCE, 0.762, SEEDS)
    expected = [seeds.at((float(x), float(y), float(z))) for x, y, z in POINTS]
    np.testing.assert_allclose(seeds.doses(POINTS), expected, rtol=2e-3)


@pytest.mark.interpreted
def test_a_point_inside_a_seed_has_an_infinite_dose() -> None:
    seeds = seed_doses(SOURCE, 0.762, SEEDS)
    inside = np.array([[0.0, 0.1, 1.0], [-7.0, 4.1, 2.0], [9.6, 1.8, -3.0]])
    assert np.isposinf(seeds.doses(inside)).all()


def test_without_seeds_there_is_no_dose_and_nothing_is_skipped() -> None:
    grid = grid_of((12, 12, 12), (2.0, 2.0, 2.0))
    cube = np.zeros(grid.shape, bool)
    cube[3:9, 3:9, 3:9] = True
    mask, no_seeds = mask_from_bool(cube), seed_doses(SOURCE, 0.762, ())
    assert not no_seeds.doses(POINTS).any()
    assert outside_mm3(no_seeds, mask, grid, 120.0) == (0.0, 0.0)
    assert hottest_part(mask, grid, no_seeds, None) is mask
    assert not _near(mask, grid, no_seeds)


def test_an_organ_of_exactly_one_cc_may_state_a_dose_or_none() -> None:
    samples = SampledDoses(np.full(1000, 50.0), 1000.0)
    for dose in (50.0, None):
        claims = Claims()
        check_organ(claims, OrganDose("heart", 1.0, 50.0, dose, None), 1.0, samples)
        assert claims.verification().passed
