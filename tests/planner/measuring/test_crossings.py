"""Crossings: the walk against each voxel's own slabs, and what a path's list of structures says."""

from dataclasses import replace

import numpy as np
import pytest
from box_scenes import CHEST, at_voxel, chest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy.geometry.surface import Surface
from anatomy.structures import Role
from planner.measuring import crossings as module
from planner.measuring.crossings import (
    SHORTEST_MM,
    NeedleAxis,
    by_layer,
    crossed_voxels,
    crossings,
    mask_intervals,
)
from planner.measuring.voxel_walk import runs_along, span_in_box


def slab_intervals(labels: np.ndarray, spacing: np.ndarray, start: np.ndarray, d: np.ndarray, length: float):
    """Each voxel's own interval on the line, by three slabs: [(from, to, label)], in order."""
    index = np.argwhere(np.ones(labels.shape, bool))
    with np.errstate(divide="ignore", invalid="ignore"):
        one = ((index - 0.5) * spacing - start) / d
        two = ((index + 0.5) * spacing - start) / d
    first = np.fmax.reduce(np.fmin(one, two), axis=1).clip(0, length)
    last = np.fmin.reduce(np.fmax(one, two), axis=1).clip(0, length)
    met = np.flatnonzero(last - first > 1e-9)
    return sorted((first[n], last[n], int(labels[tuple(index[n])])) for n in met)


def merged(intervals):
    runs = []
    for a, b, label in intervals:
        if runs and runs[-1][2] == label and abs(runs[-1][1] - a) < 1e-6:
            runs[-1] = (runs[-1][0], b, label)
        else:
            runs.append((a, b, label))
    return runs


seeds = st.integers(0, 10_000)


@given(seeds)
def test_walk_finds_the_runs_that_each_voxel_says(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 7, 3))
    labels = rng.integers(0, 3, shape).astype(np.uint8)
    spacing = rng.uniform(0.5, 3.0, 3)
    start = rng.uniform(-0.5, np.array(shape) - 0.5) * spacing
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    _, edge = span_in_box(-0.5 * spacing, (np.array(shape) - 0.5) * spacing, start, direction)
    length = rng.uniform(0, 1) * edge
    got_labels, bounds = runs_along(labels, spacing, start, direction, length)
    merged_spans = merged(slab_intervals(labels, spacing, start, direction, length))
    assert [int(n) for n in got_labels] == [label for _, _, label in merged_spans]
    assert np.allclose(bounds[:-1], [a for a, _, _ in merged_spans])
    assert bounds[-1] == pytest.approx(length)


@given(seeds)
def test_beyond_the_layer_the_nearest_voxel_goes_on(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (4, 3, 5)).astype(np.uint16)
    padded = np.pad(labels, 30, mode="edge")
    spacing = rng.uniform(1.0, 2.0, 3)
    start = rng.uniform(-3, 7, 3) * spacing
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    got_labels, bounds = runs_along(labels, spacing, start, direction, 20.0)
    wanted_labels, wanted_bounds = runs_along(padded, spacing, start + 30 * spacing, direction, 20.0)
    assert got_labels.tolist() == wanted_labels.tolist()
    assert np.allclose(bounds, wanted_bounds)


@pytest.mark.interpreted
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_walk_along_an_axis_steps_through_each_voxel(axis, sign):
    labels = np.arange(5, dtype=np.uint8).reshape([-1 if a == axis else 1 for a in range(3)])
    start = np.zeros(3)
    start[axis] = -0.5 if sign > 0 else 4.5
    direction = np.zeros(3)
    direction[axis] = sign
    got, bounds = runs_along(labels, np.ones(3), start, direction, 5.0)
    assert got.tolist() == [0, 1, 2, 3, 4][:: int(sign)]
    assert np.allclose(bounds, np.arange(6))


@pytest.mark.interpreted
def test_a_walk_through_edges_sees_only_the_voxels_it_is_inside():
    labels = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    direction = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    got, _ = runs_along(labels, np.ones(3), np.array([-0.5, -0.5, 0.0]), direction, 3 * np.sqrt(2))
    assert got.tolist() == [0, 4, 8]


def test_a_walk_of_no_length_meets_nothing():
    got, bounds = runs_along(
        np.zeros((2, 2, 2), np.uint8), np.ones(3), np.zeros(3), np.array([1.0, 0, 0]), 0.0
    )
    assert got.size == 0
    assert bounds.tolist() == [0.0]


@pytest.mark.interpreted
def test_a_line_beside_a_box_has_no_span_in_it():
    first, last = span_in_box(np.zeros(3), np.ones(3), np.array([0.5, 2.0, 0.5]), np.array([1.0, 0.0, 0.0]))
    assert first > last
    first, last = span_in_box(np.zeros(3), np.ones(3), np.array([-2.0, 0.5, 0.5]), np.array([1.0, 0.0, 0.0]))
    assert (first, last) == (2.0, 3.0)


def axis_between(scene, entry_P, tip_P) -> NeedleAxis:
    length = float(np.linalg.norm(tip_P - entry_P))
    return NeedleAxis(
        scene.grid.to_box(entry_P), scene.grid.vectors_to_box((tip_P - entry_P) / length), length
    )


def crossed(scene, entry_P, tip_P):
    axis = axis_between(scene, entry_P, tip_P)
    found = crossed_voxels(by_layer(scene.structures), scene.grid.spacing_mm, axis)
    return crossings(scene, found, entry_P, tip_P)


def box_interval(name: str, scene, entry_P, tip_P) -> tuple[float, float]:
    """Where the segment is inside a structure of CHEST, by three slabs."""
    (lower, upper), spacing = CHEST[name][1], scene.grid.spacing_mm
    a, b = scene.grid.to_box(entry_P), scene.grid.to_box(tip_P)
    length = np.linalg.norm(b - a)
    first, last = span_in_box(
        (np.array(lower) - 0.5) * spacing, (np.array(upper) - 0.5) * spacing, a, (b - a) / length
    )
    return max(first, 0.0), min(last, length)


@given(seeds)
@settings(max_examples=30)
def test_boxes_are_crossed_where_their_slabs_say(seed):
    scene = chest()
    rng = np.random.default_rng(seed)
    entry_P, tip_P = (at_voxel(scene.grid, *rng.uniform(0, np.array(scene.grid.shape) - 1)) for _ in "et")
    got = {c.structure: (c.from_mm, c.to_mm) for c in crossed(scene, entry_P, tip_P)}
    wanted = {name: box_interval(name, scene, entry_P, tip_P) for name in CHEST if name != "body"}
    wanted = {name: (a, b) for name, (a, b) in wanted.items() if b - a >= SHORTEST_MM}
    assert got.keys() == wanted.keys()
    for name, span in wanted.items():
        assert got[name] == pytest.approx(span, abs=1e-9)


def test_a_path_from_the_front_meets_structures_in_order():
    scene = chest()
    spans = crossed(scene, at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 27.5, 24))
    assert [(c.structure, c.from_mm, c.to_mm) for c in spans] == [
        ("lung_upper_lobe_right", pytest.approx(12.0), pytest.approx(40.0)),
        ("node", pytest.approx(28.0), pytest.approx(40.0)),
    ]


def test_same_depths_are_ordered_by_name():
    twins = {name: (Role.PASSABLE, ((20, 14, 20), (30, 20, 30))) for name in ("zeta", "alpha")}
    scene = chest(**twins)
    spans = crossed(scene, at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 27.5, 24))
    assert [c.structure for c in spans] == ["alpha", "zeta", "lung_upper_lobe_right", "node"]


def test_skin_is_no_crossing_but_all_else_is():
    scene = chest()
    spans = crossed(scene, at_voxel(scene.grid, 30, 41.5, 30), at_voxel(scene.grid, 30, 7.5, 10))
    assert "body" not in {c.structure for c in spans}
    assert "vertebrae" in {c.structure for c in spans}


def test_structures_of_one_layer_share_a_walk():
    scene = chest()
    layers = by_layer(scene.structures)
    assert len(layers) < len(scene.structures)
    assert sum(len(group) for layer in layers for group in layer.structures.values()) == len(scene.structures)


def test_a_surface_is_crossed_where_its_triangles_are():
    scene = chest()
    corners = np.array([[x, y, z] for x in (40.0, 60.0) for y in (25.0, 30.5) for z in (60.0, 80.0)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    meshed = replace(scene.structure("heart"), surface=Surface(corners, faces))
    structures = tuple(meshed if s.name == "heart" else s for s in scene.structures)
    scene = replace(scene, structures=structures)
    spans = crossed(scene, np.array([50.5, 15.0, 70.3]), np.array([50.5, 54.0, 70.3]))
    heart = [c for c in spans if c.structure == "heart"]
    assert [(c.from_mm, c.to_mm) for c in heart] == [(pytest.approx(10.0), pytest.approx(15.5))]


def test_grazes_of_a_surface_are_left_out(monkeypatch):
    scene = chest()
    surface = Surface(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    meshed = tuple(replace(s, surface=surface) if s.name == "heart" else s for s in scene.structures)
    spans = np.array([[1.0, 1.0 + SHORTEST_MM / 2], [2.0, 3.0]])
    monkeypatch.setattr(module, "surface_crossings", lambda surface, entry_P, tip_P: spans)
    crossing_spans = crossings(replace(scene, structures=meshed), [], np.zeros(3), np.ones(3))
    assert [(c.structure, c.from_mm, c.to_mm) for c in crossing_spans] == [("heart", 2.0, 3.0)]


def test_a_graze_at_the_end_is_left_out():
    scene = chest()
    entry_P = at_voxel(scene.grid, 25, 7.5, 24)
    # The node begins 28 mm behind the entry.
    for beyond_mm, count in ((SHORTEST_MM / 2, 0), (2 * SHORTEST_MM, 1)):
        axis = axis_between(scene, entry_P, entry_P + np.array([0.0, 28.0 + beyond_mm, 0.0]))
        assert len(mask_intervals(scene.target, scene.grid.spacing_mm, axis)) == count


def test_mask_intervals_are_of_that_label_only():
    scene = chest()
    entry_P, tip_P = at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 30, 24)
    axis = axis_between(scene, entry_P, tip_P)
    assert mask_intervals(scene.target, scene.grid.spacing_mm, axis) == [
        (pytest.approx(28.0), pytest.approx(40.0))
    ]
