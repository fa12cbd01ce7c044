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


def asked(margin_mm: float, *cut_back: str) -> Request:
    return Request(
        target=TargetRequest(("node",), margin_mm=margin_mm, cut_back=cut_back),
        clearance_mm=MappingProxyType({"default": 2.0}),
    )


def voxels(scene: Scene, request: Request) -> np.ndarray:
    mask = ptv_of(scene, request.target)
    return np.asarray(mask.layer == mask.label)


def of(scene: Scene, name: str) -> np.ndarray:
    mask = scene.structure(name).mask
    return np.asarray(mask.layer == mask.label)


def by_distances(scene: Scene, margin_mm: float) -> np.ndarray:
    """Every voxel's centre against the box of every target voxel, one by one."""
    spacing = scene.grid.spacing_mm
    centres = np.argwhere(np.ones(scene.grid.shape, bool)) * spacing
    boxes = np.argwhere(of(scene, "node")) * spacing
    beyond = np.maximum(np.abs(centres[:, None] - boxes[None]) - spacing / 2, 0.0)
    near = (np.linalg.norm(beyond, axis=2) <= margin_mm + 1e-9).any(axis=1)
    return near.reshape(scene.grid.shape)


grids = st.builds(
    lambda spacing, turn: grid_of(SHAPE, spacing, pose_P(turn, (4.0, -9.0, 2.0))),
    st.tuples(*[st.sampled_from([0.7, 1.0, 1.7, 3.1])] * 3),
    st.tuples(*[st.floats(-180.0, 180.0)] * 3),
)
margins = st.floats(0.1, 6.0)


@given(grids, st.integers(0, 999), margins)
def test_the_ptv_is_what_brute_force_finds_within_the_margin_inside_the_body(grid, seed, margin_mm):
    scene = scene_of(grid, seed)
    expected = by_distances(scene, margin_mm) & of(scene, "body")
    assert np.array_equal(voxels(scene, asked(margin_mm)), expected | of(scene, "node"))


@given(grids, st.integers(0, 999))
def test_without_a_margin_the_ptv_is_the_target(grid, seed):
    scene = scene_of(grid, seed)
    assert np.array_equal(voxels(scene, asked(0.0)), of(scene, "node"))
    assert np.array_equal(voxels(scene, asked(0.0, "heart")), of(scene, "node"))


@given(grids, st.integers(0, 999), margins, margins)
def test_a_wider_margin_never_loses_a_voxel(grid, seed, one, two):
    scene = scene_of(grid, seed)
    narrow, wide = sorted([one, two])
    assert not (voxels(scene, asked(narrow)) & ~voxels(scene, asked(wide))).any()


@given(grids, st.integers(0, 999), margins)
def test_cut_back_takes_away_the_organ_and_nothing_else_and_never_the_target(grid, seed, margin_mm):
    scene = scene_of(grid, seed)
    whole, cut = voxels(scene, asked(margin_mm)), voxels(scene, asked(margin_mm, "heart"))
    assert np.array_equal(cut, (whole & ~of(scene, "heart")) | of(scene, "node"))


@given(st.integers(0, 999), margins)
def test_turning_and_moving_the_patient_changes_no_voxel(seed, margin_mm):
    one, two = (
        scene_of(grid_of(SHAPE, (1.0, 2.0, 1.5), motion), seed)
        for motion in (None, pose_P((70.0, -20.0, 150.0), (300.0, 0.0, -80.0)))
    )
    assert np.array_equal(voxels(one, asked(margin_mm)), voxels(two, asked(margin_mm)))


def test_a_margin_beyond_the_field_of_view_ends_at_the_body():
    scene = scene_of(grid_of(SHAPE), 3)
    assert np.array_equal(voxels(scene, asked(30.0)), of(scene, "body"))


def test_the_box_of_the_ptv_is_tight():
    mask = ptv_of(scene_of(grid_of(SHAPE), 3), asked(2.0).target)
    inside = mask.cropped()
    assert inside.any(axis=(1, 2))[[0, -1]].all()
    assert inside.any(axis=(0, 2))[[0, -1]].all()
    assert inside.any(axis=(0, 1))[[0, -1]].all()


def test_cutting_back_from_what_is_not_there_names_what_is_like_it():
    with pytest.raises(RequestError, match="hart") as caught:
        ptv_of(scene_of(grid_of(SHAPE), 3), asked(2.0, "hart").target)
    assert "target/cut_back" in str(caught.value)
    assert "heart" in str(caught.value)
