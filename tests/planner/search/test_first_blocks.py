"""Where a needle or its hub first comes too near an obstacle, compared with samples of its whole length."""

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

SAMPLE_STEP_MM = 0.02
"""Distance between samples. A distance differs by at most half of it from that of the nearest sample. [mm]"""


def along_x(y: float, z: float) -> Lines:
    """A line along x; its parameter s is x."""
    return Lines(np.array([[0.0, y, z]]), np.array([[1.0, 0.0, 0.0]]))


def first_blocks(patient: Patient, lines: Lines) -> np.ndarray:
    return line.first_blocks(patient.fields, lines.point, lines.outward)


def patient_with_obstacles(which: int) -> Patient:
    """A patient with bones and vessels around the target."""
    bones, vessels = scattered_voxels([6, 18][which], 1), scattered_voxels([4, 12][which], 2)
    return cell_patient([CUT_BODY, ((2, 1, 1), (9, 8, 8))][which], bones=bones, vessels=vessels)


@given(density=st.sampled_from([0, 1]), seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_first_block_agrees_with_samples(density, seed):
    """Within PIECE_MM before the first blocked sample, and never after it."""
    patient = patient_with_obstacles(density)
    random = random_lines(patient.chest, 6, seed)
    lines = concatenated(
        [random, perturbed(random.take(np.arange(2)), 8.0, seed), along_x(MIDDLE + 3.0, MIDDLE - 4.0)]
    )
    blocks = first_blocks(patient, lines)
    expected = Oracle(patient.chest).judge(lines)
    needle, hub = patient.fields.needle_length, patient.fields.hub_length
    s = expected.tip[:, None] + np.arange(0.0, needle + hub, SAMPLE_STEP_MM)
    margin = np.where(
        s < expected.tip[:, None] + needle,
        sampled_margins(patient, lines, s),
        sampled_margins(patient, lines, s, patient.fields.hub_extra),
    )
    for n in range(len(lines)):
        if expected.chord[n] == 0.0:
            assert blocks[n] == np.inf
            continue
        upper_mm = s[n][margin[n] < 0.0].min(initial=np.inf)
        lower_mm = s[n][margin[n] < 0.5 * SAMPLE_STEP_MM].min(initial=np.inf)
        assert lower_mm - SAMPLE_STEP_MM - PIECE_MM <= blocks[n] <= upper_mm


def test_the_first_block_in_front_of_a_wall_is_at_the_needed_distance():
    """The wall begins at x = 22; the axis needs 1.635 mm."""
    patient = cell_patient(bones=(((6, 1, 1), (8, 8, 8)),))
    block_mm = first_blocks(patient, along_x(MIDDLE, MIDDLE))[0]
    assert 22.0 - 1.635 - PIECE_MM <= block_mm <= 22.0 - 1.635


@pytest.mark.parametrize(
    ("bone", "y", "first", "last"),
    [
        (((9, 5, 1), (10, 9, 8)), 16.0, 38.0, 38.0),  # 34..38 along x, 2 mm beside the needle
        (((11, 1, 1), (12, 8, 8)), 16.0, 38.0, 38.0),  # 42..46, ahead
        (((11, 5, 1), (12, 9, 8)), 14.1, 41.1 - PIECE_MM, 41.12),  # 42..46, 3.9 mm beside
        (((11, 5, 1), (12, 9, 8)), 13.9, np.inf, np.inf),  # 42..46, 4.1 mm beside
    ],
)
def test_a_hub_is_blocked_by_a_bone_that_its_needle_clears(bone, y, first, last):
    """The needle runs from x = 10 to 38 and the hub to 42; the hub's radius is 3 mm, its clearance 1 mm.
    Another bone, in a corner of the body, blocks nothing."""
    patient = cell_patient(bones=(bone, ((2, 1, 1), (3, 2, 2))))
    assert first <= first_blocks(patient, along_x(y, MIDDLE))[0] <= last


def test_a_line_that_misses_the_target_has_no_first_block():
    """Parts at 10..14 and 18..22 mm of y, and a wall that all lines meet."""
    parts = (((3, 3, 3), (5, 4, 6)), ((3, 5, 3), (5, 6, 6)))
    patient = cell_patient(nodes=parts, bones=(((6, 1, 1), (8, 8, 8)),))
    lines = concatenated([along_x(y, MIDDLE) for y in (9.5, 10.5, 13.5, 14.5, 17.5, 18.5, 21.5, 22.5)])
    blocked = [False, True, True, False, False, True, True, False]
    assert np.isfinite(first_blocks(patient, lines)).tolist() == blocked
