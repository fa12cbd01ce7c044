from types import MappingProxyType

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, pose_P, scene_of_masks
from hypothesis import given
from hypothesis import strategies as st

from anatomy.geometry.frames import Grid
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.ptv import ptv_of
from planner.errors import RequestError
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest

SHAPE = (13, 12, 11)


def scene_of(grid: Grid, seed: int) -> Scene:
    """A body that fills most of the grid, with a ragged target in it, and an organ that overlaps both."""
    rng = np.random.default_rng(seed)
    body = box_mask(grid.shape, ((1, 1, 1), (12, 11, 11)))
    target = box_mask(grid.shape, ((3, 3, 3), (9, 8, 8))) & (rng.random(grid.shape) < 0.15)
    target[5, 5, 5] = True
    organ = body & (rng.random(grid.shape) < 0.3)
    return scene_of_masks(
        grid,
        {
            "body": (Role.SKIN, body),
            "heart": (Role.FORBIDDEN, organ),
            "node": (Role.TARGET, target),
        },
    )


def request_with_margin(margin_mm: float, *cut_back: str) -> Request:
    return Request(
        target=TargetRequest(("node",), margin_mm=margin_mm, cut_back=cut_back),
        clearance_mm=MappingProxyType({"default": 2.0}),
    )


def ptv_voxels(scene: Scene, request: Request) -> np.ndarray:
    mask = ptv_of(scene, request.target)
    return np.asarray(mask.layer == mask.label)


def structure_voxels(scene: Scene, name: str) -> np.ndarray:
    mask = scene.structure(name).mask
    return np.asarray(mask.layer == mask.label)


def brute_force_ptv(scene: Scene, margin_mm: float) -> np.ndarray:
    """The PTV from the distance of every voxel's centre to the box of every target voxel."""
    spacing = scene.grid.spacing_mm
    centres = np.argwhere(np.ones(scene.grid.shape, bool)) * spacing
    boxes = np.argwhere(structure_voxels(scene, "node")) * spacing
    gaps = np.maximum(np.abs(centres[:, None] - boxes[None]) - spacing / 2, 0.0)
    within_margin = (np.linalg.norm(gaps, axis=2) <= margin_mm + 1e-9).any(axis=1)
    return within_margin.reshape(scene.grid.shape)


grids = st.builds(
    lambda spacing, turn: grid_of(SHAPE, spacing, pose_P(turn, (4.0, -9.0, 2.0))),
    st.tuples(*[st.sampled_from([0.7, 1.0, 1.7, 3.1])] * 3),
    st.tuples(*[st.floats(-180.0, 180.0)] * 3),
)
margins = st.floats(0.1, 6.0)


@given(grids, st.integers(0, 999), margins)
def test_the_ptv_agrees_with_brute_force_inside_the_body(grid, seed, margin_mm):
    scene = scene_of(grid, seed)
    expected = brute_force_ptv(scene, margin_mm) & structure_voxels(scene, "body")
    assert np.array_equal(
        ptv_voxels(scene, request_with_margin(margin_mm)), expected | structure_voxels(scene, "node")
    )


@given(grids, st.integers(0, 999))
def test_without_a_margin_the_ptv_is_the_target(grid, seed):
    scene = scene_of(grid, seed)
    assert np.array_equal(ptv_voxels(scene, request_with_margin(0.0)), structure_voxels(scene, "node"))
    assert np.array_equal(
        ptv_voxels(scene, request_with_margin(0.0, "heart")), structure_voxels(scene, "node")
    )


@given(grids, st.integers(0, 999), margins, margins)
def test_a_wider_margin_never_loses_a_voxel(grid, seed, margin, other_margin):
    scene = scene_of(grid, seed)
    narrow, wide = sorted([margin, other_margin])
    assert not (
        ptv_voxels(scene, request_with_margin(narrow)) & ~ptv_voxels(scene, request_with_margin(wide))
    ).any()


@given(grids, st.integers(0, 999), margins)
def test_cut_back_removes_only_the_organ_and_never_the_target(grid, seed, margin_mm):
    scene = scene_of(grid, seed)
    uncut, cut = (
        ptv_voxels(scene, request_with_margin(margin_mm)),
        ptv_voxels(scene, request_with_margin(margin_mm, "heart")),
    )
    assert np.array_equal(cut, (uncut & ~structure_voxels(scene, "heart")) | structure_voxels(scene, "node"))


@given(st.integers(0, 999), margins)
def test_rotating_and_moving_the_patient_changes_no_voxel(seed, margin_mm):
    scene, moved_scene = (
        scene_of(grid_of(SHAPE, (1.0, 2.0, 1.5), motion), seed)
        for motion in (None, pose_P((70.0, -20.0, 150.0), (300.0, 0.0, -80.0)))
    )
    assert np.array_equal(
        ptv_voxels(scene, request_with_margin(margin_mm)),
        ptv_voxels(moved_scene, request_with_margin(margin_mm)),
    )


def test_a_margin_beyond_the_field_of_view_ends_at_the_body():
    scene = scene_of(grid_of(SHAPE), 3)
    assert np.array_equal(ptv_voxels(scene, request_with_margin(30.0)), structure_voxels(scene, "body"))


def test_the_box_of_the_ptv_is_tight():
    mask = ptv_of(scene_of(grid_of(SHAPE), 3), request_with_margin(2.0).target)
    inside = mask.cropped()
    assert inside.any(axis=(1, 2))[[0, -1]].all()
    assert inside.any(axis=(0, 2))[[0, -1]].all()
    assert inside.any(axis=(0, 1))[[0, -1]].all()


def test_cutting_back_from_an_unknown_structure_suggests_a_similar_name():
    with pytest.raises(RequestError, match="hart") as error:
        ptv_of(scene_of(grid_of(SHAPE), 3), request_with_margin(2.0, "hart").target)
    assert "target/cut_back" in str(error.value)
    assert "heart" in str(error.value)
