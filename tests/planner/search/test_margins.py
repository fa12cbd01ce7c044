"""Margins that distinguish neighbouring lines, compared with samples of the needle's whole length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from single_cells import Patient, cell_patient, sampled_margins, scattered_voxels
from small_chests import Lines, random_lines

from anatomy.geometry.distance_field import QUANTUM_MM
from planner.search.kernels import line
from planner.search.kernels.clear import PIECE_MM
from planner.search.kernels.line import MARGIN, TIP
from planner.search.kernels.verdicts import SAFE

pytestmark = pytest.mark.interpreted

SAMPLE_STEP_MM = 0.05
"""Distance between samples. [mm]"""


def refined(patient: Patient, lines: Lines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which lines are safe, and the tips and margins of these."""
    verdict, quantities = line.test_lines(patient.fields, lines.point, lines.outward)
    safe = np.flatnonzero(verdict == SAFE)
    quantities = quantities[safe]
    line.refine_margins(patient.fields, lines.point[safe], lines.outward[safe], quantities)
    return safe, quantities[:, TIP], quantities[:, MARGIN]


def least_sampled_margin(patient: Patient, lines: Lines, tip: np.ndarray) -> np.ndarray:
    """Least (distance - need) over each needle's length, as samples find it. [mm]"""
    s = tip[:, None] + np.arange(0.0, patient.fields.needle_length, SAMPLE_STEP_MM)
    return np.asarray(sampled_margins(patient, lines, s).min(axis=1))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_a_refined_margin_agrees_with_the_least_sample(seed):
    """The margin is at most PIECE_MM above the least sample. It may be lower by the error of a field: each
    corner of a cell uses its own nearest box, which costs at most the cell's diagonal, plus rounding."""
    patient = cell_patient(bones=scattered_voxels(6, 1), vessels=scattered_voxels(3, 2), spacing=2.0)
    lines = random_lines(patient.chest, 12, seed)
    safe, tip, margin = refined(patient, lines)
    least_mm = least_sampled_margin(patient, lines.take(safe), tip)
    slack = np.sqrt(3.0) * 2.0 + 3.0 * QUANTUM_MM
    assert (margin <= least_mm + PIECE_MM).all()
    assert (margin >= least_mm - 0.5 * SAMPLE_STEP_MM - slack).all()


@pytest.mark.parametrize("i", [3, 6, 8])
@pytest.mark.parametrize("z", [14.0, 17.0])
def test_a_needle_beside_the_edge_of_a_bone_has_the_margin_of_that_edge(i, z):
    """The edge lies at y = z = 6, beside 4 mm of the needles: at the tip, midway or near the end. The axis
    needs 1.635 mm. Neighbouring needles differ by a millimetre."""
    patient = cell_patient(bones=(((i, 1, 1), (i + 1, 2, 2)),))
    y = np.arange(11.0, 22.0)
    points = np.column_stack([np.zeros(len(y)), y, np.full(len(y), z)])
    safe, _, margin = refined(patient, Lines(points, np.tile([1.0, 0.0, 0.0], (len(y), 1))))
    assert len(safe) == len(y)
    true = np.hypot(y - 6.0, z - 6.0) - 1.635
    assert (true - 0.6 <= margin).all()
    assert (margin <= true + 1e-9).all()
    assert (np.diff(margin) > 0.0).all()


def test_without_obstacles_all_margins_are_large():
    lines = random_lines(cell_patient().chest, 5, seed=1)
    safe, _, margin = refined(cell_patient(), lines)
    assert len(safe) > 0
    assert (margin > 100.0).all()
