"""How far the stated centre of a cold spot may lie from the one that verification computes.

A spot's region lies between the voxels that are surely cold and those that may be cold. The centre of every
region between the two passes; a centre that no such region can have fails.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planner.records.followup import ColdSpot
from planner.verify.claims import Claims
from planner.verify.dose.cold_spots import MIN_SPOT_CC, _check_size
from planner.verify.tolerances import LENGTH_MM

VOXEL_MM3 = 8.0


def failed_claims(centre: np.ndarray, spot_voxels: int, inner: np.ndarray, centres: np.ndarray) -> set[str]:
    """The claims that fail for a spot of `spot_voxels` of the voxels, all of which may be cold."""
    x, y, z = centre.tolist()
    spot = ColdSpot(spot_voxels * VOXEL_MM3 / 1000.0, (x, y, z), 50.0, (0.0, 0.0, 0.0))
    claims = Claims()
    _check_size(claims, "cold spot 1", spot, inner, np.ones(len(centres), bool), centres, VOXEL_MM3)
    return {check.name for check in claims.verification().checks if not check.passed}


def random_voxels(number: int, count: int) -> np.ndarray:
    return 2.0 * np.random.default_rng(number).integers(-6, 7, (count, 3)).astype(float) + 300.0


@given(st.integers(0, 9999), st.integers(4, 60), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_any_region_between_the_surely_and_the_maybe_cold_passes(
    number: int, count: int, sure_share: float, stated_share: float
) -> None:
    centres, rng = random_voxels(number, count), np.random.default_rng(number + 1)
    inner = rng.random(count) < sure_share
    spot = inner | (rng.random(count) < stated_share)
    assume(inner.any() and np.count_nonzero(spot) * VOXEL_MM3 >= MIN_SPOT_CC * 1000.0)
    assert failed_claims(centres[spot].mean(axis=0), int(np.count_nonzero(spot)), inner, centres) == set()


@given(st.integers(0, 9999), st.integers(4, 60), st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_without_doubtful_voxels_the_centre_is_one_point(number: int, count: int, direction: tuple) -> None:
    assume(np.linalg.norm(direction) > 0.1)
    centres, all_voxels = random_voxels(number, count), np.ones(count, bool)
    unit = np.array(direction) / np.linalg.norm(direction)
    middle = centres.mean(axis=0)
    assert failed_claims(middle + 0.5 * LENGTH_MM * unit, count, all_voxels, centres) == set()
    assert failed_claims(middle + 2.0 * LENGTH_MM * unit, count, all_voxels, centres) == {
        "the centre of its volume"
    }


@pytest.mark.parametrize("sure_count", [3, 10, 50])
def test_a_centre_may_move_as_far_as_the_farthest_voxel_can_move_it(sure_count: int) -> None:
    # All sure voxels lie at one point, with one doubtful voxel far away. Without that voxel, the centre is as
    # far away as the farthest voxel can move it.
    centres = np.vstack([np.full((sure_count, 3), 300.0), [[330.0, 300.0, 300.0]]])
    inner = np.arange(sure_count + 1) < sure_count
    middle = centres.mean(axis=0)
    shift = middle - centres[inner].mean(axis=0)
    assert failed_claims(middle - shift, sure_count, inner, centres) == set()
    assert failed_claims(middle - (1.0 + 1e-5) * shift, sure_count, inner, centres) == {
        "the centre of its volume"
    }


def test_a_spot_without_sure_voxels_may_have_any_centre_inside() -> None:
    centres, no_voxels = random_voxels(5, 20), np.zeros(20, bool)
    middle = centres.mean(axis=0)
    farthest = centres[np.linalg.norm(centres - middle, axis=1).argmax()]
    assert failed_claims(farthest, 5, no_voxels, centres) == set()
    assert failed_claims(middle + 1.001 * (farthest - middle), 5, no_voxels, centres) == {
        "the centre of its volume"
    }
