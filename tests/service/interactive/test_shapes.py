"""Shapes for display: closed, with outward normals, in the right place and of about the right size."""

import numpy as np
import pytest
import trimesh
from box_scenes import grid_of, pose_P
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.geometry.surface import Surface
from anatomy.structures import Structure
from anatomy.thorax import thorax
from service.interactive.shapes import LARGEST_BLOCK_MM, MOST_TRIANGLES, shape, shapes
from service.operations.case import Case

SHAPE = (40, 36, 32)
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def structure(mask: np.ndarray) -> Structure:
    return Structure("organ", MaskLayers(mask.shape).add("organ", mask))


def ball(grid: Grid, middle_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return np.asarray(np.linalg.norm(index * grid.spacing_mm - middle_mm, axis=-1) <= radius_mm)


def mesh(surface: Surface) -> trimesh.Trimesh:
    return trimesh.Trimesh(surface.vertices_P, surface.faces, process=False)


@given(
    st.tuples(*[st.floats(-180.0, 180.0)] * 3),
    st.tuples(*[st.floats(0.5, 3.0)] * 3),
    st.booleans(),
    st.floats(0.2, 0.9),
)
@settings(max_examples=25, deadline=None)
def test_the_shape_of_a_ball_is_closed_faces_outward_and_has_its_size_and_place(
    rotation_deg, spacing, mirrored, size
):
    motion = pose_P(rotation_deg, (12.0, -30.0, 5.0)) @ (MIRROR if mirrored else np.eye(4))
    grid = grid_of(SHAPE, spacing, motion)
    middle_mm = (np.array(SHAPE) - 1) / 2 * grid.spacing_mm
    radius_mm = size * float(middle_mm.min())
    solid = mesh(shape(structure(ball(grid, middle_mm, radius_mm)), grid))
    assert solid.is_watertight
    assert solid.volume > 0.0
    tolerance_mm = float(max(LARGEST_BLOCK_MM, *grid.spacing_mm))
    distances_mm = np.linalg.norm(solid.vertices - grid.to_patient(middle_mm), axis=1)
    assert np.abs(distances_mm - radius_mm).max() <= tolerance_mm
    assert solid.center_mass == pytest.approx(grid.to_patient(middle_mm), abs=0.5 * tolerance_mm)


def test_a_structure_of_one_voxel_has_a_shape():
    grid = grid_of(SHAPE, (1.0, 1.0, 4.0))
    mask = np.zeros(SHAPE, bool)
    mask[7, 8, 9] = True
    solid = mesh(shape(structure(mask), grid))
    assert solid.is_watertight
    assert solid.volume > 0.0
    assert solid.bounds.mean(axis=0) == pytest.approx([7.0, 8.0, 36.0])


def test_a_branch_of_single_voxels_is_shown_to_its_end():
    grid = grid_of((80, 36, 32))
    mask = ball(grid, np.array([18.0, 18.0, 16.0]), 12.0)
    mask[30:70, 18, 16] = True
    solid = mesh(shape(structure(mask), grid))
    assert solid.is_watertight
    assert solid.bounds[1, 0] == pytest.approx(69.0, abs=2.0)
    assert len(solid.split()) == 1


def test_a_structure_at_the_edge_of_the_grid_is_closed_there():
    grid = grid_of(SHAPE)
    assert mesh(shape(structure(np.ones(SHAPE, bool)), grid)).is_watertight


def test_an_empty_structure_has_no_triangles():
    assert len(shape(structure(np.zeros(SHAPE, bool)), grid_of(SHAPE)).faces) == 0


def test_a_small_mesh_is_shown_unchanged():
    sphere = trimesh.creation.icosphere(2, 9.0)
    surface = Surface(np.asarray(sphere.vertices), np.asarray(sphere.faces))
    organ = structure(np.ones(SHAPE, bool))
    assert shape(Structure("organ", organ.mask, surface=surface), grid_of(SHAPE)) is surface


def test_a_large_mesh_is_made_coarser():
    sphere = trimesh.creation.icosphere(5, 9.0)
    surface = Surface(np.asarray(sphere.vertices), np.asarray(sphere.faces))
    organ = structure(np.ones(SHAPE, bool))
    coarse = shape(Structure("organ", organ.mask, surface=surface), grid_of(SHAPE))
    assert len(coarse.faces) < 2 * MOST_TRIANGLES < len(surface.faces)


@pytest.mark.long
def test_every_structure_of_the_thorax_is_closed_and_has_its_volume():
    segmentation = thorax()
    shapes_json = shapes(Case("thorax"))
    assert [s["structure"] for s in shapes_json] == list(segmentation.names())
    for entry, structure in zip(shapes_json, segmentation.structures, strict=True):
        solid = trimesh.Trimesh(entry["vertices_mm"], entry["triangles"], process=False)
        assert solid.is_watertight, structure.name
        volume_mm3 = structure.mask.count * segmentation.grid.voxel_volume_mm3
        # Thin structures are drawn too thick.
        assert 0.8 * volume_mm3 < solid.volume < 2.5 * volume_mm3, structure.name
