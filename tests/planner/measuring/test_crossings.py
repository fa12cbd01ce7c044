"""Crossings: the walk compared with each voxel's slabs, and a path's list of structures."""

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
        at_lower = ((index - 0.5) * spacing - start) / d
        at_upper = ((index + 0.5) * spacing - start) / d
    first = np.fmax.reduce(np.fmin(at_lower, at_upper), axis=1).clip(0, length)
    last = np.fmin.reduce(np.fmax(at_lower, at_upper), axis=1).clip(0, length)
    hit = np.flatnonzero(last - first > 1e-9)
    return sorted((first[n], last[n], int(labels[tuple(index[n])])) for n in hit)


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
def test_the_walk_agrees_with_the_slabs_of_each_voxel(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 7, 3))
    labels = rng.integers(0, 3, shape).astype(np.uint8)
    spacing = rng.uniform(0.5, 3.0, 3)
    start = rng.uniform(-0.5, np.array(shape) - 0.5) * spacing
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    _, edge = span_in_box(-0.5 * spacing, (np.array(shape) - 0.5) * spacing, start, direction)
    length = rng.uniform(0, 1) * edge
    run_labels, bounds = runs_along(labels, spacing, start, direction, length)
    merged_spans = merged(slab_intervals(labels, spacing, start, direction, length))
    assert [int(n) for n in run_labels] == [label for _, _, label in merged_spans]
    assert np.allclose(bounds[:-1], [a for a, _, _ in merged_spans])
    assert bounds[-1] == pytest.approx(length)


@given(seeds)
def test_beyond_the_layer_the_nearest_voxel_continues(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (4, 3, 5)).astype(np.uint16)
    padded = np.pad(labels, 30, mode="edge")
    spacing = rng.uniform(1.0, 2.0, 3)
    start = rng.uniform(-3, 7, 3) * spacing
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    run_labels, bounds = runs_along(labels, spacing, start, direction, 20.0)
    padded_labels, padded_bounds = runs_along(padded, spacing, start + 30 * spacing, direction, 20.0)
    assert run_labels.tolist() == padded_labels.tolist()
    assert np.allclose(bounds, padded_bounds)


@pytest.mark.interpreted
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_walk_along_an_axis_steps_through_each_voxel(axis, sign):
    labels = np.arange(5, dtype=np.uint8).reshape([-1 if a == axis else 1 for a in range(3)])
    start = np.zeros(3)
    start[axis] = -0.5 if sign > 0 else 4.5
    direction = np.zeros(3)
    direction[axis] = sign
    run_labels, bounds = runs_along(labels, np.ones(3), start, direction, 5.0)
    assert run_labels.tolist() == [0, 1, 2, 3, 4][:: int(sign)]
    assert np.allclose(bounds, np.arange(6))


@pytest.mark.interpreted
def test_a_walk_through_edges_has_only_the_voxels_it_is_inside():
    labels = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    direction = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    run_labels, _ = runs_along(labels, np.ones(3), np.array([-0.5, -0.5, 0.0]), direction, 3 * np.sqrt(2))
    assert run_labels.tolist() == [0, 4, 8]


def test_a_walk_of_length_zero_is_empty():
    run_labels, bounds = runs_along(
        np.zeros((2, 2, 2), np.uint8), np.ones(3), np.zeros(3), np.array([1.0, 0, 0]), 0.0
    )
    assert run_labels.size == 0
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


def crossings_between(scene, entry_P, tip_P):
    axis = axis_between(scene, entry_P, tip_P)
    voxel_runs = crossed_voxels(by_layer(scene.structures), scene.grid.spacing_mm, axis)
    return crossings(scene, voxel_runs, entry_P, tip_P)


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
def test_crossings_of_boxes_agree_with_their_slabs(seed):
    scene = chest()
    rng = np.random.default_rng(seed)
    entry_P, tip_P = (at_voxel(scene.grid, *rng.uniform(0, np.array(scene.grid.shape) - 1)) for _ in "et")
    crossing_spans = {c.structure: (c.from_mm, c.to_mm) for c in crossings_between(scene, entry_P, tip_P)}
    expected = {name: box_interval(name, scene, entry_P, tip_P) for name in CHEST if name != "body"}
    expected = {name: (a, b) for name, (a, b) in expected.items() if b - a >= SHORTEST_MM}
    assert crossing_spans.keys() == expected.keys()
    for name, span in expected.items():
        assert crossing_spans[name] == pytest.approx(span, abs=1e-9)


def test_a_path_from_the_front_crosses_structures_in_order():
    scene = chest()
    spans = crossings_between(scene, at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 27.5, 24))
    assert [(c.structure, c.from_mm, c.to_mm) for c in spans] == [
        ("lung_upper_lobe_right", pytest.approx(12.0), pytest.approx(40.0)),
        ("node", pytest.approx(28.0), pytest.approx(40.0)),
    ]


def test_crossings_with_equal_depths_are_ordered_by_name():
    twins = {name: (Role.PASSABLE, ((20, 14, 20), (30, 20, 30))) for name in ("zeta", "alpha")}
    scene = chest(**twins)
    spans = crossings_between(scene, at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 27.5, 24))
    assert [c.structure for c in spans] == ["alpha", "zeta", "lung_upper_lobe_right", "node"]


def test_skin_is_the_only_structure_without_crossings():
    scene = chest()
    spans = crossings_between(scene, at_voxel(scene.grid, 30, 41.5, 30), at_voxel(scene.grid, 30, 7.5, 10))
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
    spans = crossings_between(scene, np.array([50.5, 15.0, 70.3]), np.array([50.5, 54.0, 70.3]))
    heart = [c for c in spans if c.structure == "heart"]
    assert [(c.from_mm, c.to_mm) for c in heart] == [(pytest.approx(10.0), pytest.approx(15.5))]


def test_very_short_crossings_of_a_surface_are_omitted(monkeypatch):
    scene = chest()
    surface = Surface(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    meshed = tuple(replace(s, surface=surface) if s.name == "heart" else s for s in scene.structures)
    spans = np.array([[1.0, 1.0 + SHORTEST_MM / 2], [2.0, 3.0]])
    monkeypatch.setattr(module, "surface_crossings", lambda surface, entry_P, tip_P: spans)
    crossing_spans = crossings(replace(scene, structures=meshed), [], np.zeros(3), np.ones(3))
    assert [(c.structure, c.from_mm, c.to_mm) for c in crossing_spans] == [("heart", 2.0, 3.0)]


def test_a_very_short_crossing_at_the_end_is_omitted():
    scene = chest()
    entry_P = at_voxel(scene.grid, 25, 7.5, 24)
    # The node begins 28 mm behind the entry.
    for crossing_mm, count in ((SHORTEST_MM / 2, 0), (2 * SHORTEST_MM, 1)):
        axis = axis_between(scene, entry_P, entry_P + np.array([0.0, 28.0 + crossing_mm, 0.0]))
        assert len(mask_intervals(scene.target, scene.grid.spacing_mm, axis)) == count


def test_mask_intervals_count_only_their_label():
    scene = chest()
    entry_P, tip_P = at_voxel(scene.grid, 25, 7.5, 24), at_voxel(scene.grid, 25, 30, 24)
    axis = axis_between(scene, entry_P, tip_P)
    assert mask_intervals(scene.target, scene.grid.spacing_mm, axis) == [
        (pytest.approx(28.0), pytest.approx(40.0))
    ]
