"""Margins that tell neighbouring lines apart, against samples of the needle's whole length."""

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

APART_MM = 0.05
"""Between samples."""


def refined(one: Patient, lines: Lines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which lines are safe, and the tips and margins of these."""
    verdict, quantities = line.test_lines(one.fields, lines.point, lines.outward)
    safe = np.flatnonzero(verdict == SAFE)
    quantities = quantities[safe]
    line.refine_margins(one.fields, lines.point[safe], lines.outward[safe], quantities)
    return safe, quantities[:, TIP], quantities[:, MARGIN]


def least_sampled(one: Patient, lines: Lines, tip: np.ndarray) -> np.ndarray:
    """Least (distance - need) over each needle's length, as samples find it. [mm]"""
    s = tip[:, None] + np.arange(0.0, one.fields.needle_length, APART_MM)
    return np.asarray(sampled_margins(one, lines, s).min(axis=1))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_a_refined_margin_is_the_least_that_samples_find(seed):
    """Not above it by more than PIECE_MM. Below it by what a field may: each corner of a cell is weighed with
    what its own nearest box tells, which costs no more than the cell's diagonal, and by rounding."""
    one = cell_patient(bones=scattered_voxels(6, 1), vessels=scattered_voxels(3, 2), spacing=2.0)
    lines = random_lines(one.chest, 12, seed)
    safe, tip, margin = refined(one, lines)
    least = least_sampled(one, lines.take(safe), tip)
    slack = np.sqrt(3.0) * 2.0 + 3.0 * QUANTUM_MM
    assert (margin <= least + PIECE_MM).all()
    assert (margin >= least - 0.5 * APART_MM - slack).all()


@pytest.mark.parametrize("i", [3, 6, 8])
@pytest.mark.parametrize("z", [14.0, 17.0])
def test_a_needle_past_the_edge_of_a_bone_has_the_margin_of_its_distance_from_that_edge(i, z):
    """The edge runs beside the needles for 4 mm of x, where the tip is, midway or near the end, at y = z = 6.
    The axis keeps 1.635 mm. Needles are told apart by a millimetre."""
    one = cell_patient(bones=(((i, 1, 1), (i + 1, 2, 2)),))
    y = np.arange(11.0, 22.0)
    points = np.column_stack([np.zeros(len(y)), y, np.full(len(y), z)])
    safe, _, margin = refined(one, Lines(points, np.tile([1.0, 0.0, 0.0], (len(y), 1))))
    assert len(safe) == len(y)
    true = np.hypot(y - 6.0, z - 6.0) - 1.635
    assert (true - 0.6 <= margin).all()
    assert (margin <= true + 1e-9).all()
    assert (np.diff(margin) > 0.0).all()


def test_without_anything_forbidden_all_margins_are_wide():
    lines = random_lines(cell_patient().chest, 5, seed=1)
    safe, _, margin = refined(cell_patient(), lines)
    assert len(safe) > 0
    assert (margin > 100.0).all()
