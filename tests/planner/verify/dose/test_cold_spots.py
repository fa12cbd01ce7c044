"""How far verification lets the centre of a cold spot lie from the one that it finds itself.

A spot's region lies between those voxels that are surely cold and those that may be. Whatever region between
the two a plan tells of, its centre is let pass; and none that is farther off than such a region's can be.
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


def refuted(centre: np.ndarray, spot_voxels: int, inner: np.ndarray, centres: np.ndarray) -> set[str]:
    """The claims that fail for a spot of so many of the voxels, all of which may be cold."""
    x, y, z = centre.tolist()
    spot = ColdSpot(spot_voxels * VOXEL_MM3 / 1000.0, (x, y, z), 50.0, (0.0, 0.0, 0.0))
    claims = Claims()
    _check_size(claims, "cold spot 1", spot, inner, np.ones(len(centres), bool), centres, VOXEL_MM3)
    return {check.name for check in claims.verification().checks if not check.passed}


def voxels(number: int, count: int) -> np.ndarray:
    return 2.0 * np.random.default_rng(number).integers(-6, 7, (count, 3)).astype(float) + 300.0


@given(st.integers(0, 9999), st.integers(4, 60), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_any_region_between_the_surely_and_the_maybe_cold_passes(
    number: int, count: int, sure: float, told: float
) -> None:
    centres, rng = voxels(number, count), np.random.default_rng(number + 1)
    inner = rng.random(count) < sure
    spot = inner | (rng.random(count) < told)
    assume(inner.any() and np.count_nonzero(spot) * VOXEL_MM3 >= MIN_SPOT_CC * 1000.0)
    assert refuted(centres[spot].mean(axis=0), int(np.count_nonzero(spot)), inner, centres) == set()


@given(st.integers(0, 9999), st.integers(4, 60), st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_where_no_voxel_is_in_doubt_the_centre_is_one_place(number: int, count: int, way: tuple) -> None:
    assume(np.linalg.norm(way) > 0.1)
    centres, every = voxels(number, count), np.ones(count, bool)
    off = np.array(way) / np.linalg.norm(way)
    middle = centres.mean(axis=0)
    assert refuted(middle + 0.5 * LENGTH_MM * off, count, every, centres) == set()
    assert refuted(middle + 2.0 * LENGTH_MM * off, count, every, centres) == {"the centre of its volume"}


@pytest.mark.parametrize("sure", [3, 10, 50])
def test_a_centre_is_let_move_as_far_as_the_farthest_voxel_can_move_it(sure: int) -> None:
    # All that is sure lies about one place, and one voxel in doubt far from it: without that the centre is
    # where the farthest voxel no longer draws it, to the last digit.
    centres = np.vstack([np.full((sure, 3), 300.0), [[330.0, 300.0, 300.0]]])
    inner = np.arange(sure + 1) < sure
    middle = centres.mean(axis=0)
    away = middle - centres[inner].mean(axis=0)
    assert refuted(middle - away, sure, inner, centres) == set()
    assert refuted(middle - (1.0 + 1e-5) * away, sure, inner, centres) == {"the centre of its volume"}


def test_a_spot_of_which_nothing_is_sure_may_lie_anywhere_in_it_and_not_outside() -> None:
    centres, none = voxels(5, 20), np.zeros(20, bool)
    middle = centres.mean(axis=0)
    farthest = centres[np.linalg.norm(centres - middle, axis=1).argmax()]
    assert refuted(farthest, 5, none, centres) == set()
    assert refuted(middle + 1.001 * (farthest - middle), 5, none, centres) == {"the centre of its volume"}
