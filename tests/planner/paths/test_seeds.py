"""Seeds: known drops in a chest of boxes, and properties of any target."""

from itertools import pairwise

import numpy as np
import pytest
from box_scenes import at_voxel, box_mask, chest, grid_of, scene_of_masks
from hypothesis import given
from hypothesis import strategies as st
from measured_paths import seeds_along

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.structures import Role
from planner.measuring.measure import measure
from planner.paths.seed_drops import distal_ends, within_margin
from planner.records.request.request import Request
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest

ANTERIOR = np.array([0.0, -1.0, 0.0])


LENGTHS = {"amersham_6711": 4.5, "best_2301": 5.0, "best_2335": 5.0}
"""Seed lengths by model. [mm]"""


def request_of(margin_mm: float = 5.0, spacing_mm: float = 10.0, model: str = "amersham_6711") -> Request:
    seeds = SeedRequest(model=model, spacing_mm=spacing_mm)
    return Request(target=TargetRequest(margin_mm=margin_mm), seeds=seeds)


def measured_drops(scene, request: Request, point_P, outward_P):
    measured = measure(scene, request.needle_assembly, point_P, outward_P)
    assert measured is not None
    return measured, seeds_along(scene, request, measured)


@pytest.mark.interpreted
def test_seeds_have_the_positions_worked_out_by_hand():
    small_scene = chest()
    # 12 mm of node along the needle and 5 mm of margin in front: 17 mm have room for two seeds at 10 mm.
    measured, seeds = measured_drops(
        small_scene, request_of(), at_voxel(small_scene.grid, 25, 25, 24), ANTERIOR
    )
    assert measured.length_mm == pytest.approx(40.0)
    assert [s.depth_mm for s in seeds] == pytest.approx([37.75, 27.75])
    assert [s.retraction_mm for s in seeds] == pytest.approx([0.0, 10.0])
    assert [s.position_mm[1] for s in seeds] == pytest.approx([55 - 2.25, 55 - 12.25])
    assert {s.axis for s in seeds} == {measured.direction}


@pytest.mark.parametrize(
    ("margin", "spacing", "count"),
    [(0.0, 10.0, 1), (0.0, 7.5, 2), (0.0, 7.51, 1), (2.5, 10.0, 2), (2.49, 10.0, 1), (5.0, 5.0, 3)],
)
def test_a_seed_that_does_not_fit_is_left_out(margin, spacing, count):
    small_scene = chest()
    _, seeds = measured_drops(
        small_scene, request_of(margin, spacing), at_voxel(small_scene.grid, 25, 25, 24), ANTERIOR
    )
    assert len(seeds) == count


def test_no_seed_lies_in_a_hole_of_the_target():
    grid = grid_of((40, 80, 20))
    body = box_mask(grid.shape, ((5, 5, 2), (35, 78, 18)))
    node = box_mask(grid.shape, ((18, 30, 8), (22, 38, 12)), ((18, 48, 8), (22, 56, 12)))
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    measured, seeds = measured_drops(scene, request_of(0.0, 6.0), at_voxel(grid, 20, 50, 10), ANTERIOR)
    # From the tip at 56, the node's 8 mm have room for one seed. 6 mm farther, the next would reach into the
    # hole of 10 mm, so it moves to where the node begins again, 18 mm from the tip.
    assert [measured.length_mm - s.depth_mm for s in seeds] == pytest.approx([2.25, 20.25])
    assert [s.retraction_mm for s in seeds] == pytest.approx([0.0, 18.0])


def test_a_short_target_has_no_seed():
    grid = grid_of((40, 40, 20))
    body = box_mask(grid.shape, ((5, 5, 2), (35, 35, 18)))
    node = box_mask(grid.shape, ((18, 20, 8), (22, 24, 12)))
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    assert measured_drops(scene, request_of(0.0), at_voxel(grid, 20, 22, 10), ANTERIOR)[1] == ()
    assert len(measured_drops(scene, request_of(0.5), at_voxel(grid, 20, 22, 10), ANTERIOR)[1]) == 1


def test_no_seed_lies_outside_the_skin():
    grid = grid_of((40, 40, 20))
    body = box_mask(grid.shape, ((5, 5, 2), (35, 35, 18)))
    node = box_mask(grid.shape, ((10, 7, 8), (30, 20, 12)))
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    measured, seeds = measured_drops(scene, request_of(5.0, 5.0), at_voxel(grid, 20, 10, 10), ANTERIOR)
    # 15 mm from the skin to the tip: 0 to 4.5, 5 to 9.5, 10 to 14.5; a fourth would be outside.
    assert measured.length_mm == pytest.approx(15.0)
    assert len(seeds) == 3
    assert min(s.depth_mm for s in seeds) - 4.5 / 2 >= 0


directions = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda d: np.linalg.norm(d) > 0.1)


def distance_from(mask: VoxelMask, grid, points_P: np.ndarray) -> np.ndarray:
    """Distance of each point from the nearest box of the mask. [mm]"""
    centres = (np.argwhere(mask.cropped()) + mask.lower) * grid.spacing_mm
    offsets = np.maximum(0, np.abs(grid.to_box(points_P)[:, None, :] - centres) - grid.spacing_mm / 2)
    return np.linalg.norm(offsets, axis=2).min(axis=1)


@given(directions, st.floats(0, 8), st.floats(5, 12), st.sampled_from(sorted(LENGTHS)))
def test_every_seed_lies_wholly_within_the_margin(outward, margin, spacing, model):
    scene, request, half_mm = chest(), request_of(margin, spacing, model), LENGTHS[model] / 2
    measured = measure(scene, request.needle_assembly, at_voxel(scene.grid, 27.3, 24.8, 24.6), outward)
    if measured is None:
        return
    seeds = seeds_along(scene, request, measured)
    for s in seeds:
        offsets_mm = np.linspace(-half_mm, half_mm, 46)[:, None]
        points_P = np.array(s.position_mm) + offsets_mm * np.array(s.axis)
        assert distance_from(scene.target, scene.grid, points_P).max() <= margin + 1e-6
        assert np.allclose(measured.entry_P + s.depth_mm * measured.direction_P, s.position_mm)
        assert s.depth_mm - half_mm >= -1e-6
    depths = [s.depth_mm for s in seeds]
    assert np.allclose([s.retraction_mm for s in seeds][1:], -np.diff(depths))
    assert all(s.retraction_mm >= spacing - 1e-9 for s in seeds[1:])
    if seeds:
        assert seeds[0].retraction_mm == 0.0


@given(directions, st.floats(0, 8))
def test_the_allowed_spans_agree_with_point_distances(outward, margin):
    rng = np.random.default_rng(int(1e6 * margin))
    grid = grid_of((9, 9, 9), (1.5, 2.0, 3.0))
    target = mask_from_bool(rng.random((9, 9, 9)) < 0.01)
    tip_P, entry_P = at_voxel(grid, 4, 4, 4), at_voxel(grid, 4, 4, 4) + 20 * outward / np.linalg.norm(outward)
    spans = within_margin(target, grid, tip_P, entry_P, margin)
    s = np.linspace(0, 20, 801)
    points_P = tip_P + s[:, None] * (entry_P - tip_P) / 20
    distances_mm = distance_from(target, grid, points_P) if target.count else np.full(s.shape, np.inf)
    inside = np.any([(s >= a) & (s <= b) for a, b in spans], axis=0) if spans else np.zeros(s.shape, bool)
    assert (distances_mm[inside] <= margin + 1e-6).all()
    assert (distances_mm[~inside] >= margin - 1e-6).all()
    assert all(b[0] > a[1] for a, b in pairwise(spans))


def test_spacing_holds_across_a_gap_in_the_target():
    assert distal_ends([(0.0, 5.0), (6.0, 30.0)], 40.0, 10.0, 4.5) == [0.0, 10.0, 20.0]


quarters = st.integers(0, 200).map(lambda n: n / 4)


@given(
    st.lists(quarters, min_size=2, max_size=10, unique=True),
    quarters,
    st.sampled_from([5.0, 7.25, 10.0]),
    st.sampled_from([4.5, 5.0]),
)
def test_each_seed_lies_as_far_distal_as_possible(places, length, spacing, seed_mm):
    places = sorted(places)[: len(places) // 2 * 2]
    allowed = list(zip(places[::2], places[1::2], strict=True))
    fits = [
        e / 4
        for e in range(240)
        if e / 4 + seed_mm <= length and any(a <= e / 4 and e / 4 + seed_mm <= b for a, b in allowed)
    ]
    expected: list[float] = []
    for end in fits:
        if not expected or end >= expected[-1] + spacing:
            expected.append(end)
    assert distal_ends(allowed, length, spacing, seed_mm) == pytest.approx(expected)
