"""Benchmarks must compare the same thing: the surface that ray casters get is the solid we avoid."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.surfaces import voxel_faces
from benchmarks.table import Row, as_text

masks = arrays(bool, st.tuples(*[st.integers(1, 5)] * 3))


@given(masks.filter(lambda m: m.any()))
def test_voxel_faces_enclose_exactly_the_voxels(mask: np.ndarray) -> None:
    spacing_mm = np.array([1.0, 2.0, 3.0])
    mesh = voxel_faces(mask, spacing_mm)
    a, b, c = (mesh.vertices_B[mesh.faces[:, n]] for n in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert volume == pytest.approx(mask.sum() * spacing_mm.prod())


def test_voxel_faces_lie_half_a_voxel_from_centres() -> None:
    spacing_mm = np.array([1.0, 2.0, 3.0])
    mesh = voxel_faces(np.pad(np.ones((2, 3, 4), dtype=bool), 1), spacing_mm)
    assert np.array_equal(mesh.vertices_B.min(axis=0), 0.5 * spacing_mm)
    assert np.array_equal(mesh.vertices_B.max(axis=0), (np.array([2, 3, 4]) + 0.5) * spacing_mm)
    assert trimesh.Trimesh(mesh.vertices_B, mesh.faces, process=False).is_watertight


def test_the_table_lines_up_and_marks_what_is_missed() -> None:
    text = as_text([Row("a", "b", 1.0, "s"), Row("longer", "c", 123456.0, "lines", "2 times", "<= 1", False)])
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "NO" in lines[-1] and "1.235e+05" in lines[-1]
