"""The lower bound on lung: never above the lung of any line of a cell, and close to it for narrow cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracle import Oracle
from single_cells import Patient, along_x, cell_about, cell_patient, lines_in, with_needle

from planner.search.line_net import Cells, join_cells
from planner.search.lung_bound import lung_bound_mm

pytestmark = pytest.mark.interpreted


def patient_with_lung(lungs: bool = True) -> Patient:
    """A node at 3..7 mm of x; behind it lung, 12 mm thick and 14 mm wide, and a wall of 2 mm."""
    return cell_patient(
        body=((1, 1, 1), (11, 8, 8)),
        nodes=(((2, 3, 3), (4, 6, 6)),),
        lungs=(((4, 1, 1), (10, 8, 8)),) if lungs else (),
        spacing=2.0,
        shape=(12, 9, 9),
    )


def bound_mm(patient: Patient, cell: Cells, gap: float = 26.0) -> float:
    return lung_bound_mm(patient.fields, along_x(patient, gap), cell)


COORDINATES = st.tuples(st.floats(-4.0, 4.0), st.floats(-4.0, 4.0))


@given(
    places=st.tuples(COORDINATES, COORDINATES),
    halves=st.tuples(st.floats(0.05, 3.0), st.floats(0.05, 3.0)),
    gap=st.floats(15.0, 40.0),
    needle=st.floats(14.0, 40.0),
)
@settings(max_examples=25)
def test_no_safe_line_of_a_cell_crosses_less_lung_than_the_bound(places, halves, gap, needle):
    patient, cell = with_needle(patient_with_lung(), needle), cell_about(*places, *halves)
    judged = Oracle(patient.chest).judge(lines_in(along_x(patient, gap), cell))
    assert 0.0 <= bound_mm(patient, cell, gap) <= judged.lung[judged.safe].min(initial=np.inf)


def test_the_bound_is_near_the_lung_of_a_narrow_cell_and_zero_for_a_wide_one():
    """Of 12 mm of lung, each end loses twice the distance to the field's nearest node, up to 1.7 mm. A cell
    as wide as the lung has lines that miss it."""
    narrow, wide = (cell_about((0, 0), (0, 0), half, half) for half in (0.01, 6.0))
    assert 5.0 <= bound_mm(patient_with_lung(), narrow) <= 12.0
    assert bound_mm(patient_with_lung(), wide) == 0.0


def test_the_bound_of_several_cells_is_the_least_of_them():
    cells = [cell_about((0, 0), (0, 0), half, half) for half in (0.01, 1.0, 0.5)]
    assert bound_mm(patient_with_lung(), join_cells(cells)) == min(
        bound_mm(patient_with_lung(), cell) for cell in cells
    )


def test_without_lung_or_cells_the_bound_is_zero():
    cell = cell_about((0, 0), (0, 0), 0.01, 0.01)
    assert bound_mm(patient_with_lung(lungs=False), cell) == 0.0
    assert bound_mm(patient_with_lung(), cell.take(slice(0, 0))) == 0.0
