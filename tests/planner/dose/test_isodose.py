"""Isodose surfaces: closed and outward in every case, and correct for sources with a formula."""

from itertools import product
from math import pi

import numpy as np
import pytest
import trimesh
from box_scenes import grid_of, pose_P
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface
from anatomy.geometry.surfaces import voxelise
from planner.dose import dose_grid as lattices
from planner.dose.dose_grid import DoseGrid, dose_grid_enclosing, dose_on_grid, grid_around
from planner.dose.isodose import isodose_surface
from planner.errors import RequestError

FRAME = grid_of((10, 10, 10), (0.7, 0.8, 3.0), pose_P((15.0, -30.0, 65.0), (31.0, -22.0, 505.0)))
MIRRORED = Grid((10, 10, 10), FRAME.X_PV @ np.diag([-1.0, 1.0, 1.0, 1.0]))
SEED_P = np.array([[33.3, -20.2, 511.7]])


def sources(*at_P, k: float = 12_000.0, per_mm: float = 0.0):
    """Point sources that fall off as k exp(-per_mm r) / r^2."""

    def dose(p_P: np.ndarray) -> np.ndarray:
        r = np.sqrt(((p_P[:, None, :] - np.array(at_P)[None]) ** 2).sum(axis=2))
        return np.asarray((k * np.exp(-per_mm * r) / np.maximum(r, 0.05) ** 2).sum(axis=1))

    return dose


def mesh_of(surface: Surface) -> trimesh.Trimesh:
    return trimesh.Trimesh(surface.vertices_P, surface.faces, process=False)


def assert_closed_and_outward(surface: Surface) -> trimesh.Trimesh:
    mesh = mesh_of(surface)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0.0
    assert mesh.area_faces.min() > 0.0
    return mesh


@pytest.mark.parametrize("frame", [FRAME, MIRRORED], ids=["right-handed", "left-handed"])
@pytest.mark.parametrize("step", [0.5, 1.0])
def test_a_point_source_has_spheres(frame: Grid, step: float) -> None:
    dose = sources(SEED_P[0])
    radius = 10.0
    level = 12_000.0 / radius**2
    surface = isodose_surface(dose_grid_enclosing(dose, level, SEED_P, frame, step), level)
    mesh = assert_closed_and_outward(surface)
    # Along an edge of length e, the distance to the source deviates from linear by at most e^2 / (8 r).
    error_mm = np.linalg.norm(surface.vertices_P - SEED_P, axis=1) - radius
    assert np.abs(error_mm).max() <= 3.0 * step**2 / (8.0 * radius) + 1e-3 * np.sqrt(3.0) * step
    assert mesh.volume == pytest.approx(4.0 / 3.0 * pi * radius**3, rel=0.006 * step**2 + 1e-4)
    np.testing.assert_allclose(mesh.center_mass, SEED_P[0], atol=0.01)


def test_attenuation_moves_the_sphere_to_the_correct_radius() -> None:
    level, per_mm = 100.0, 0.03
    dose = sources(SEED_P[0], per_mm=per_mm)
    radius = brentq(lambda r: 12_000.0 * np.exp(-per_mm * r) / r**2 - level, 1.0, 20.0)
    surface = isodose_surface(dose_grid_enclosing(dose, level, SEED_P, FRAME, 0.5), level)
    error_mm = np.linalg.norm(surface.vertices_P - SEED_P, axis=1) - radius
    assert np.abs(error_mm).max() < 0.02
    assert mesh_of(surface).volume == pytest.approx(4.0 / 3.0 * pi * radius**3, rel=0.005)


def test_distant_seeds_have_separate_surfaces_and_near_ones_share_one() -> None:
    for distance_mm, bodies in ((30.0, 2), (8.0, 1)):
        at_P = SEED_P + np.array([[0.0, 0.0, 0.0], [distance_mm, 0.0, 0.0]])
        dose_grid = dose_grid_enclosing(sources(*at_P), 200.0, at_P, FRAME, 1.0)
        mesh = assert_closed_and_outward(isodose_surface(dose_grid, 200.0))
        assert mesh.body_count == bodies


@given(st.floats(1.05, 4.0), st.floats(60.0, 400.0))
def test_a_higher_level_lies_within_a_lower_one(factor: float, level: float) -> None:
    at_P = SEED_P + np.array([[0.0, 0.0, 0.0], [9.0, 3.0, 1.0], [2.0, 7.0, -6.0]])
    dose_grid = dose_grid_enclosing(sources(*at_P, k=3000.0), level, at_P, FRAME, 2.0)
    low, high = (mesh_of(isodose_surface(dose_grid, x)).volume for x in (level, factor * level))
    assert high < low


@given(arrays(float, (5, 4, 4), elements=st.sampled_from([0.0, 1.0, 9.99, 10.0, 10.01, 300.0])))
def test_any_doses_give_a_closed_surface(middle: np.ndarray) -> None:
    doses = np.pad(middle, 1)
    dose_grid = DoseGrid(grid_of(doses.shape, (1.0, 1.5, 2.0)), doses)
    surface = isodose_surface(dose_grid, 10.0)
    if not (middle >= 10.0).any():
        assert surface.faces.shape == (0, 3)
        return
    assert_closed_and_outward(surface)
    np.testing.assert_array_equal(voxelise(surface, dose_grid.grid, touching=False), doses >= 10.0)


def test_every_case_of_a_cube_is_closed_and_separates_its_corners() -> None:
    grid = grid_of((4, 4, 4), (1.0, 1.0, 1.0))
    corners = list(product((1, 2), repeat=3))
    for bits in range(1, 256):
        doses = np.zeros((4, 4, 4))
        for n, corner in enumerate(corners):
            doses[corner] = 40.0 if bits >> n & 1 else 0.0
        surface = isodose_surface(DoseGrid(grid, doses), 10.0)
        assert_closed_and_outward(surface)
        np.testing.assert_array_equal(voxelise(surface, grid, touching=False), doses >= 10.0)


def test_a_cavity_faces_inwards() -> None:
    doses = np.pad(np.full((5, 5, 5), 40.0), 1)
    full = isodose_surface(DoseGrid(grid_of((7, 7, 7)), doses.copy()), 10.0)
    doses[3, 3, 3] = 0.0
    mesh = assert_closed_and_outward(isodose_surface(DoseGrid(grid_of((7, 7, 7)), doses), 10.0))
    assert mesh.body_count == 2
    assert mesh.volume < mesh_of(full).volume


def test_a_level_that_reaches_the_sides_is_refused() -> None:
    dose_grid = dose_on_grid(sources(SEED_P[0]), grid_around(SEED_P, FRAME, 4.0, 1.0))
    with pytest.raises(RequestError, match="sides of the lattice"):
        isodose_surface(dose_grid, 100.0)
    for level in (0.0, -5.0, np.nan):
        with pytest.raises(RequestError, match="above 0 Gy"):
            isodose_surface(dose_grid, level)
        with pytest.raises(RequestError, match="above 0 Gy"):
            dose_grid_enclosing(sources(SEED_P[0]), level, SEED_P, FRAME, 1.0)


def test_a_level_too_low_for_any_lattice_is_refused() -> None:
    with pytest.raises(RequestError, match="higher level"):
        dose_grid_enclosing(lambda p_P: np.ones(len(p_P)), 1.0, SEED_P, FRAME, 20.0)


@given(st.floats(0.5, 6.0), st.floats(2.0, 12.0), st.integers(1, 4))
def test_a_lattice_encloses_all_points_and_its_nodes_are_fixed(
    step: float, margin: float, count: int
) -> None:
    points_P = SEED_P + 7.0 * np.arange(count)[:, None] * np.array([[0.3, -0.8, 0.5]])
    grid = grid_around(points_P, FRAME, margin, step)
    np.testing.assert_allclose(grid.spacing_mm, step)
    np.testing.assert_allclose(grid.R_PB, FRAME.R_PB, atol=1e-12)
    p_V = grid.to_box(points_P) / step
    assert (p_V * step >= margin - 1e-6).all()
    assert ((np.array(grid.shape) - 1 - p_V) * step >= margin - 1e-6).all()
    nodes = (FRAME.to_box(grid.origin_P) - FRAME.lower_B) / step - 0.5
    np.testing.assert_allclose(nodes, np.round(nodes), atol=1e-6)


def test_doses_belong_to_their_nodes_for_any_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattices, "POINTS_AT_ONCE", 7)
    dose = sources(SEED_P[0])
    dose_grid = dose_on_grid(dose, grid_around(SEED_P, FRAME, 3.0, 1.3))
    index = np.array([2, 1, 3])
    node_P = dose_grid.grid.to_patient(index * dose_grid.grid.spacing_mm)
    assert dose_grid.doses_gy[2, 1, 3] == dose(node_P[None])[0]


def test_a_wide_lattice_has_a_wider_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattices, "MAX_NODES", 1000)
    grid = grid_around(SEED_P, FRAME, 10.0, 0.5)
    assert np.prod(grid.shape) <= 1000
    assert grid.spacing_mm[0] > 0.5
