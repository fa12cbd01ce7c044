"""Where a needle or its hub first comes too near something, against samples of its whole length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracle import Oracle
from single_cells import CUT_BODY, MIDDLE, Patient, cell_patient, sampled_margins, scattered_voxels
from small_chests import Lines, concatenated, perturbed, random_lines

from planner.search.kernels import line
from planner.search.kernels.clear import PIECE_MM

pytestmark = pytest.mark.interpreted

APART_MM = 0.02
"""Between samples. A distance changes by no more than half of it from the nearest one."""


def along_x(y: float, z: float) -> Lines:
    """A line along x, whose s is x."""
    return Lines(np.array([[0.0, y, z]]), np.array([[1.0, 0.0, 0.0]]))


def first_blocks(one: Patient, lines: Lines) -> np.ndarray:
    return line.first_blocks(one.fields, lines.point, lines.outward)


def crowded(which: int) -> Patient:
    """Patients with bones and vessels all about."""
    bones, vessels = scattered_voxels([6, 18][which], 1), scattered_voxels([4, 12][which], 2)
    return cell_patient([CUT_BODY, ((2, 1, 1), (9, 8, 8))][which], bones=bones, vessels=vessels)


@given(which=st.sampled_from([0, 1]), seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_first_block_is_where_samples_first_find_the_distance_below_the_need(which, seed):
    """To PIECE_MM, and never behind it."""
    one = crowded(which)
    some = random_lines(one.chest, 6, seed)
    lines = concatenated(
        [some, perturbed(some.take(np.arange(2)), 8.0, seed), along_x(MIDDLE + 3.0, MIDDLE - 4.0)]
    )
    at = first_blocks(one, lines)
    true = Oracle(one.chest).judge(lines)
    needle, hub = one.fields.needle_length, one.fields.hub_length
    s = true.tip[:, None] + np.arange(0.0, needle + hub, APART_MM)
    margin = np.where(
        s < true.tip[:, None] + needle,
        sampled_margins(one, lines, s),
        sampled_margins(one, lines, s, one.fields.hub_extra),
    )
    for n in range(len(lines)):
        if true.chord[n] == 0.0:
            assert at[n] == np.inf
            continue
        surely = s[n][margin[n] < 0.0].min(initial=np.inf)
        perhaps = s[n][margin[n] < 0.5 * APART_MM].min(initial=np.inf)
        assert perhaps - APART_MM - PIECE_MM <= at[n] <= surely


def test_the_first_block_before_a_wall_is_as_far_from_it_as_the_need():
    """The wall begins at x = 22; the axis keeps 1.635 mm."""
    one = cell_patient(bones=(((6, 1, 1), (8, 8, 8)),))
    at = first_blocks(one, along_x(MIDDLE, MIDDLE))[0]
    assert 22.0 - 1.635 - PIECE_MM <= at <= 22.0 - 1.635


@pytest.mark.parametrize(
    ("bone", "y", "first", "last"),
    [
        (((9, 5, 1), (10, 9, 8)), 16.0, 38.0, 38.0),  # 34..38 along x, 2 mm beside the needle
        (((11, 1, 1), (12, 8, 8)), 16.0, 38.0, 38.0),  # 42..46, ahead
        (((11, 5, 1), (12, 9, 8)), 14.1, 41.1 - PIECE_MM, 41.12),  # 42..46, 3.9 mm beside
        (((11, 5, 1), (12, 9, 8)), 13.9, np.inf, np.inf),  # 42..46, 4.1 mm beside
    ],
)
def test_a_hub_is_blocked_by_what_its_needle_clears(bone, y, first, last):
    """The needle runs from x = 10 to 38, the hub on to 42: 3 mm wide to either side, it keeps 1 mm off.
    Another bone, in a corner of the body, is in no one's way."""
    one = cell_patient(bones=(bone, ((2, 1, 1), (3, 2, 2))))
    assert first <= first_blocks(one, along_x(y, MIDDLE))[0] <= last


def test_a_line_beside_the_target_or_between_its_parts_has_no_needle_to_be_blocked():
    """Parts at 10..14 and 18..22 mm of y, and a wall that all lines meet."""
    parts = (((3, 3, 3), (5, 4, 6)), ((3, 5, 3), (5, 6, 6)))
    one = cell_patient(nodes=parts, bones=(((6, 1, 1), (8, 8, 8)),))
    lines = concatenated([along_x(y, MIDDLE) for y in (9.5, 10.5, 13.5, 14.5, 17.5, 18.5, 21.5, 22.5)])
    met = [False, True, True, False, False, True, True, False]
    assert np.isfinite(first_blocks(one, lines)).tolist() == met
