"""Rare lines: along the voxels' faces, and with a tip outside the body."""

import numpy as np
import pytest
from box_scenes import Box
from search_oracle import TOLERANCE_MM, Judged, Oracle
from single_cells import MIDDLE, NODE, SPACING_MM, Patient, cell_patient, scattered_voxels, with_needle
from small_chests import Lines, unit

from planner.search.kernels import line, verdicts
from planner.search.kernels.line import CHORD, LENGTH, LUNG, TIP

pytestmark = pytest.mark.interpreted


def judged(patient: Patient, lines: Lines) -> tuple[np.ndarray, np.ndarray, Judged]:
    """Verdicts and quantities of lines, and the brute-force results; asserts that all verdicts agree."""
    verdict, quantities = line.test_lines(patient.fields, lines.point, lines.outward)
    expected = Oracle(patient.chest).judge(lines)
    certain = ~expected.doubtful
    assert (expected.safe == (verdict == verdicts.SAFE))[certain].all()
    refused = np.flatnonzero(certain & ~expected.safe)
    assert expected.reasons[refused, verdict[refused]].all()
    return verdict, quantities, expected


def test_every_verdict_has_a_unique_number_and_a_sentence():
    numbers = [
        number for name, number in vars(verdicts).items() if name.isupper() and isinstance(number, int)
    ]
    assert sorted(numbers) == list(range(len(verdicts.VERDICTS)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_verdicts_of_lines_along_an_axis_agree_with_brute_force(axis, sign):
    """Lines all over the body, most of them beside the node, at voxel centres and elsewhere."""
    patient = cell_patient(bones=scattered_voxels(9, 4), lungs=(((5, 2, 2), (8, 7, 7)),))
    lateral_axes = np.delete(np.arange(3), axis)
    positions = np.stack(np.meshgrid(np.arange(4.0, 30.0, 2.2), np.arange(4.0, 30.0, 2.2)), axis=-1)
    positions = positions.reshape(-1, 2)
    point, outward = np.full((len(positions), 3), MIDDLE), np.zeros((len(positions), 3))
    point[:, lateral_axes] = positions
    outward[:, axis] = sign
    verdict, quantities, expected = judged(patient, Lines(point, outward))
    safe = verdict == verdicts.SAFE
    assert 0 < np.count_nonzero(safe) < np.count_nonzero(expected.chord == 0.0)
    for column, exact in (
        (TIP, expected.tip),
        (LENGTH, expected.length),
        (CHORD, expected.chord),
        (LUNG, expected.lung),
    ):
        assert np.abs(quantities[safe, column] - exact[safe]).max() < TOLERANCE_MM


def test_a_needle_whose_tip_would_lie_outside_the_body_is_refused():
    """A part of the target lies in the air, 4 mm behind the body: needles through it start there."""
    patient = cell_patient(nodes=(NODE, ((0, 4, 4), (1, 5, 5))))
    y = np.array([11.0, 13.5, 15.0, 16.5, 18.5])
    points = np.column_stack([np.zeros(5), y, np.full(5, MIDDLE)])
    verdict, _, expected = judged(patient, Lines(points, np.tile([1.0, 0.0, 0.0], (5, 1))))
    assert expected.tip.tolist() == [10.0, 10.0, -2.0, -2.0, 10.0]
    assert (verdict[expected.tip < 0.0] == verdicts.TIP_OUTSIDE).all()
    assert (verdict[expected.tip > 0.0] == verdicts.SAFE).all()


FIELD = (12, 9, 9)
"""Voxels of a field of view with a trunk, a separate forearm, and a hand in the last voxels before the
field's far end, 22..34 mm along the second axis. Between trunk and hand there is air."""
TRUNK: Box = ((2, 1, 2), (7, 9, 7))
FOREARM: Box = ((2, 8, 2), (12, 9, 7))
HAND: Box = ((11, 6, 2), (12, 9, 7))
NODE_IN_TRUNK: Box = ((4, 2, 3), (6, 4, 6))


def oriented_box(box: Box, order: list[int], side: int) -> Box:
    """The box with its axes in another order, and its first axis mirrored if `side` is low (0)."""
    (low, *low_rest), (high, *high_rest) = box
    first, last = (low, high) if side else (FIELD[0] - high, FIELD[0] - low)
    corners = np.array([[first, *low_rest], [last, *high_rest]])[:, order].tolist()
    return tuple(corners[0]), tuple(corners[1])


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
@pytest.mark.parametrize("side", [0, 1])
def test_beyond_the_field_of_view_the_body_continues_as_at_its_edge(order, side):
    """Lines leave the trunk, and then the field of view through air beside the hand. Some of them meet the
    hand's continuation beyond it and enter the patient again."""
    trunk, forearm, hand, node = (
        oriented_box(box, order, side) for box in (TRUNK, FOREARM, HAND, NODE_IN_TRUNK)
    )
    shape = tuple(np.array(FIELD)[order].tolist())
    patient = with_needle(cell_patient(trunk, (node,), shape=shape, limbs=(forearm, hand), hub=30.0), 60.0)
    rng = np.random.default_rng(5)
    low, high = (np.array(corner) * SPACING_MM - SPACING_MM / 2 for corner in NODE_IN_TRUNK)
    points = rng.uniform(low, high, (200, 3))
    face = (FIELD[0] - 0.5) * SPACING_MM
    face_points = np.column_stack(
        [np.full(200, face), rng.uniform(6.0, 24.0, 200), rng.uniform(4.0, 28.0, 200)]
    )
    outward = unit(face_points - points)
    if side == 0:
        points[:, 0] = (FIELD[0] - 1) * SPACING_MM - points[:, 0]
        outward[:, 0] *= -1.0
    verdict, _, expected = judged(patient, Lines(points[:, order], outward[:, order]))
    re_enters = verdict == verdicts.RE_ENTERS
    # These lines pass beside the hand up to the face, so they re-enter beyond it.
    beside_hand = face_points[:, 1] < HAND[0][1] * SPACING_MM - SPACING_MM / 2
    assert np.count_nonzero(re_enters & beside_hand & expected.reasons[:, verdicts.RE_ENTERS]) > 10
    assert np.count_nonzero(verdict == verdicts.SAFE) > 10
