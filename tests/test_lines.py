"""Lines that hardly any search meets: along the voxels' faces, and with a tip outside the body."""

import numpy as np
import pytest
from single_cells import MIDDLE, NODE, Patient, patient, scattered
from small_chests import Lines
from test_search_oracle import TOLERANCE_MM, Judged, Oracle

from planner.kernels import line, verdicts
from planner.kernels.line import CHORD, LENGTH, LUNG, TIP

pytestmark = pytest.mark.interpreted


def judged(one: Patient, lines: Lines) -> tuple[np.ndarray, np.ndarray, Judged]:
    """Verdicts and quantities of lines, and what brute force says of them. All verdicts are true."""
    verdict, quantities = line.test_lines(one.world, lines.point, lines.outward)
    true = Oracle(one.chest).judge(lines)
    sure = ~true.doubtful
    assert (true.safe == (verdict == verdicts.SAFE))[sure].all()
    refused = np.flatnonzero(sure & ~true.safe)
    assert true.reasons[refused, verdict[refused]].all()
    return verdict, quantities, true


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("towards", [-1.0, 1.0])
def test_lines_along_an_axis_are_judged_as_brute_force_does(axis, towards):
    """All over the body, most of them beside the node: at middles of voxels and off them."""
    one = patient(bones=scattered(9, 4), lungs=(((5, 2, 2), (8, 7, 7)),))
    across = np.delete(np.arange(3), axis)
    places = np.stack(np.meshgrid(np.arange(4.0, 30.0, 2.2), np.arange(4.0, 30.0, 2.2)), axis=-1)
    places = places.reshape(-1, 2)
    point, outward = np.full((len(places), 3), MIDDLE), np.zeros((len(places), 3))
    point[:, across] = places
    outward[:, axis] = towards
    verdict, quantities, true = judged(one, Lines(point, outward))
    safe = verdict == verdicts.SAFE
    assert 0 < np.count_nonzero(safe) < np.count_nonzero(true.chord == 0.0)
    for column, wanted in ((TIP, true.tip), (LENGTH, true.length), (CHORD, true.chord), (LUNG, true.lung)):
        assert np.abs(quantities[safe, column] - wanted[safe]).max() < TOLERANCE_MM


def test_a_needle_whose_tip_would_lie_outside_the_body_is_refused():
    """A part of the target lies in the air behind the body, 4 mm off: needles through it start there."""
    one = patient(nodes=(NODE, ((0, 4, 4), (1, 5, 5))))
    y = np.array([11.0, 13.5, 15.0, 16.5, 18.5])
    points = np.column_stack([np.zeros(5), y, np.full(5, MIDDLE)])
    verdict, _, true = judged(one, Lines(points, np.tile([1.0, 0.0, 0.0], (5, 1))))
    assert true.tip.tolist() == [10.0, 10.0, -2.0, -2.0, 10.0]
    assert (verdict[true.tip < 0.0] == verdicts.TIP_OUTSIDE).all()
    assert (verdict[true.tip > 0.0] == verdicts.SAFE).all()
