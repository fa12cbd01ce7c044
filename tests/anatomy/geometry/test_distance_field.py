"""Distance fields, compared with the distance from every node to every voxel's box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from anatomy.geometry.distance_field import (
    QUANTUM_MM,
    ROUNDING_QUANTA,
    FieldNodes,
    field_nodes_over,
    signed_distance,
)

SATURATED = 32_000
ROUNDING_MM = 1e-9
"""Tolerance above the float64 rounding of the oracle and far below a quantum. [mm]"""


def nodes_of(nodes: FieldNodes) -> np.ndarray:
    """All nodes (..., 3) in B."""
    return np.stack(np.meshgrid(*(nodes.axis_B(a) for a in range(3)), indexing="ij"), axis=-1)


def to_boxes(points: np.ndarray, index: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Distance from points (..., 3) to the nearest of the voxel boxes with these indices (n, 3). [mm]"""
    offsets = np.maximum(0.0, np.abs(points[..., None, :] - index * spacing) - spacing / 2)
    return np.linalg.norm(offsets, axis=-1).min(axis=-1, initial=np.inf)


def true_distance(
    mask: np.ndarray, spacing: np.ndarray, nodes: FieldNodes, offset: tuple[int, int, int] = (0, 0, 0)
) -> np.ndarray:
    """Signed distance from every node, box by box. [mm]"""
    points = nodes_of(nodes)
    distance = to_boxes(points, np.argwhere(mask) + offset, spacing)
    inside = distance == 0.0
    distance[inside] = -to_boxes(points[inside], np.argwhere(~mask) + offset, spacing)
    return distance


def inside_array(nodes: FieldNodes, shape: tuple[int, ...], spacing: np.ndarray) -> FieldNodes:
    """The same number of nodes inside the array's boxes, none on their faces."""
    size = np.array(shape) * spacing
    gaps = np.maximum(1, np.array(nodes.shape) - 1)
    step = np.minimum(nodes.step_mm, 0.99 * size / gaps)
    first = 0.3719 * (size - step * (np.array(nodes.shape) - 1)) - 0.5 * spacing
    return FieldNodes(first, step, nodes.shape)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, FieldNodes, tuple[int, int, int]]:
    """A mask of any density, its spacing, unaligned nodes around it, and its offset."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(rng.integers(1, 5, 3))
    mask = rng.random(shape) < draw(st.sampled_from([0.0, 0.05, 0.3, 0.7, 0.95, 1.0]))
    spacing = rng.uniform(0.3, 5.0, 3)
    offset = (int(rng.integers(-3, 4)), int(rng.integers(-3, 4)), int(rng.integers(-3, 4)))
    size = np.array(shape) * spacing
    lower = (np.array(offset) - 0.5) * spacing + rng.uniform(-0.5, 0.9, 3) * size
    counts = rng.integers(1, 6, 3)
    nodes = (int(counts[0]), int(counts[1]), int(counts[2]))
    return mask, spacing, FieldNodes(lower, rng.uniform(0.1, 0.5, 3) * size, nodes), offset


def assert_enclosed(stored: np.ndarray, true_mm: np.ndarray) -> None:
    """Asserts that true distances lie in [q, q + ROUNDING_QUANTA); beyond saturation, only sign and size
    count."""
    limit = SATURATED * QUANTUM_MM
    within = np.abs(true_mm) < limit
    q = stored.astype(float)
    assert (q[within] * QUANTUM_MM <= true_mm[within] + ROUNDING_MM).all()
    assert (true_mm[within] < (q[within] + ROUNDING_QUANTA) * QUANTUM_MM + ROUNDING_MM).all()
    assert (np.abs(q[~within]) >= SATURATED - ROUNDING_QUANTA).all()
    assert (np.sign(q[~within]) == np.sign(true_mm[~within])).all()


@pytest.mark.interpreted
@given(cases())
def test_true_distances_lie_within_two_quanta_above_the_stored_ones(case) -> None:
    mask, spacing, nodes, offset = case
    stored = signed_distance(mask, spacing, nodes, offset)
    true_mm = true_distance(mask, spacing, nodes, offset)
    # Outside the array, voxels are neither set nor unset, so nodes that touch it from outside are undefined.
    index = nodes_of(nodes) / spacing - offset
    outside_array = ((index < -0.5) | (index > np.array(mask.shape) - 0.5)).any(axis=-1)
    defined = ~outside_array | (true_mm > 2 * QUANTUM_MM)
    assert_enclosed(stored[defined], true_mm[defined])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.003, 0.03, 0.97]))
def test_true_distances_are_enclosed_in_masks_of_many_rows_too(seed: int, density: float) -> None:
    """In long rows with few boxes, many boxes are behind others as seen from a node."""
    rng = np.random.default_rng(seed)
    mask = rng.random((14, 12, 10)) < density
    spacing = rng.uniform(0.3, 4.0, 3)
    size = np.array(mask.shape) * spacing
    nodes = FieldNodes(-0.49 * spacing, 0.97 * size / np.array([9, 8, 7]), (10, 9, 8))
    assert_enclosed(signed_distance(mask, spacing, nodes), true_distance(mask, spacing, nodes))


@pytest.mark.interpreted
@given(cases())
def test_nodes_in_set_boxes_are_negative_and_nodes_away_from_them_positive(case) -> None:
    mask, spacing, nodes, _ = case
    nodes = inside_array(nodes, mask.shape, spacing)
    stored = signed_distance(mask, spacing, nodes)
    exact = nodes_of(nodes) / spacing + 0.5
    index = np.floor(exact).astype(int)
    set_here = mask[tuple(np.moveaxis(index, -1, 0))]
    # Within one or two quanta of a face, either sign is right.
    face_distances = np.minimum(exact - index, index + 1 - exact) * spacing
    clear = face_distances.min(axis=-1) > 2 * QUANTUM_MM
    assert (stored[set_here & clear] < 0).all()
    assert (stored[~set_here & clear] > 0).all()


@pytest.mark.interpreted
@given(cases())
def test_distances_of_two_nodes_differ_by_at_most_their_separation(case) -> None:
    mask, spacing, nodes, _ = case
    nodes = inside_array(nodes, mask.shape, spacing)
    stored = signed_distance(mask, spacing, nodes).ravel().astype(float)
    stored = np.clip(stored, -SATURATED, SATURATED)
    points = nodes_of(nodes).reshape(-1, 3)
    separations = np.linalg.norm(points[:, None] - points, axis=-1) / QUANTUM_MM
    assert (np.abs(stored[:, None] - stored) <= separations + ROUNDING_QUANTA).all()


@pytest.mark.interpreted
@pytest.mark.parametrize(("value", "distance"), [(False, SATURATED), (True, -SATURATED)])
def test_a_mask_of_one_value_is_saturated_everywhere(value: bool, distance: int) -> None:
    mask = np.full((3, 2, 4), value)
    nodes = field_nodes_over(np.array([-0.5, -0.5, -0.5]), np.array([2.5, 1.5, 3.5]), 0.75)
    assert (signed_distance(mask, (1.0, 1.0, 1.0), nodes) == distance).all()


@pytest.mark.interpreted
def test_distances_saturate_at_500_mm_on_both_sides() -> None:
    mask = np.zeros((60, 1, 1), bool)
    mask[:1] = True
    nodes = field_nodes_over(np.array([-10.0, -0.5, -0.5]), np.array([1190.0, 0.5, 0.5]), 100.0)
    outside = signed_distance(mask, (20.0, 1.0, 1.0), nodes)[:, 0, 0]
    # Nodes every 100 mm starting at -10; the box ends at 10.
    assert_enclosed(outside[:6], np.array([-20.0, 80.0, 180.0, 280.0, 380.0, 480.0]))
    assert (outside[6:] == SATURATED).all()
    inside = signed_distance(~mask, (20.0, 1.0, 1.0), nodes)[:-1, 0, 0]
    assert_enclosed(inside[:6], -np.array([-20.0, 80.0, 180.0, 280.0, 380.0, 480.0]))
    assert (inside[6:] == -SATURATED).all()


@pytest.mark.interpreted
def test_distances_known_by_hand() -> None:
    """One box of 2 x 4 x 6 mm among 5 x 5 x 5; nodes beside a face, an edge and a corner, and inside."""
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    spacing = (2.0, 4.0, 6.0)
    distances = {
        (4.0 + 1 + 2.5, 8.0, 12.0): 2.5,
        (4.0 + 1 + 3, 8.0 + 2 + 4, 12.0): 5.0,
        (4.0 - 1 - 1, 8.0 + 2 + 2, 12.0 - 3 - 2): 3.0,
        (4.0 + 0.25, 8.0, 12.0): -0.75,
        (4.0, 8.0 - 1.75, 12.0): -0.25,
        (4.0, 8.0, 12.0 + 2.875): -0.125,
        (5.0, 8.0, 12.0): 0.0,
    }
    for node_B, distance in distances.items():
        node = FieldNodes(np.array(node_B), np.ones(3), (1, 1, 1))
        stored = int(signed_distance(mask, spacing, node)[0, 0, 0])
        assert stored <= distance / QUANTUM_MM < stored + ROUNDING_QUANTA, node_B


def test_distances_to_tiny_boxes_agree_with_those_to_their_centres() -> None:
    """Compared with scipy's distance between centres, which differs by at most half a box's diagonal."""
    rng = np.random.default_rng(7)
    spacing = np.array([0.05, 0.06, 0.08])
    mask = ndimage.gaussian_filter(rng.random((40, 36, 30)), 2.0) > 0.5
    centres = FieldNodes(np.zeros(3), spacing, mask.shape)
    stored = signed_distance(mask, spacing, centres) * QUANTUM_MM
    between_centres = np.where(
        mask,
        -ndimage.distance_transform_edt(mask, sampling=spacing),
        ndimage.distance_transform_edt(~mask, sampling=spacing),
    )
    half_diagonal = np.linalg.norm(spacing) / 2
    assert np.abs(stored - between_centres).max() <= half_diagonal + ROUNDING_QUANTA * QUANTUM_MM
    assert np.abs(between_centres).max() > 0.2


def test_true_distances_of_a_large_distant_mask_are_enclosed_too() -> None:
    """float32 passes have the largest errors for distances of some hundred mm."""
    rng = np.random.default_rng(3)
    mask = np.zeros((40, 40, 40), bool)
    mask[tuple(rng.integers(0, 40, (3, 12)))] = True
    spacing = np.array([9.0, 11.0, 7.0])
    nodes = field_nodes_over(-0.5 * spacing, 39.25 * spacing, 23.0)
    stored = signed_distance(mask, spacing, nodes)
    true_mm = true_distance(mask, spacing, nodes)
    assert true_mm.max() > 150.0
    assert_enclosed(stored, true_mm)


@pytest.mark.interpreted
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nodes_on_faces_between_set_voxels_have_their_depth(axis: int) -> None:
    """Spacings and steps are binary fractions, so that nodes lie exactly on faces."""
    shape = np.full(3, 3)
    shape[axis] = 12
    mask = np.ones(shape, bool)
    mask[(slice(None),) * axis + (0,)] = False
    nodes = field_nodes_over(np.full(3, -0.375), shape * 0.75 - 0.375, 0.375)
    stored = signed_distance(mask, (0.75, 0.75, 0.75), nodes)
    depth = np.maximum(0.0, nodes.axis_B(axis) - 0.375)
    on_axis = np.moveaxis(stored, axis, 0)[2:, 3, 3]
    assert_enclosed(on_axis, -depth[2:])


ROUNDED_FACES = {
    "between two voxels along k": (2, 0.7, 200, 1.0),
    "the array's upper face along i": (0, 3.0, 64, 0.7),
    "the array's upper face along j": (1, 3.0, 64, 0.7),
    "the array's upper face along k": (2, 0.8, 200, 1.0),
}


@pytest.mark.parametrize("face", ROUNDED_FACES)
def test_nodes_on_faces_within_rounding_have_their_depth(face: str) -> None:
    axis, spacing_mm, count, step = ROUNDED_FACES[face]
    shape = np.full(3, 3)
    shape[axis] = count
    mask = np.ones(shape, bool)
    mask[(slice(None),) * axis + (0,)] = False
    spacing = np.full(3, spacing_mm)
    nodes = field_nodes_over(-0.5 * spacing, (shape - 0.5) * spacing, step)
    depth = np.maximum(0.0, nodes.axis_B(axis) - 0.5 * spacing_mm)
    stored = np.moveaxis(signed_distance(mask, spacing, nodes), axis, 0)[:, 1, 1]
    deep = depth > 0.5 * spacing_mm
    assert_enclosed(stored[deep], -depth[deep])


@given(cases(), st.sampled_from(["2", "3", "8"]))
def test_one_thread_and_many_give_the_same_distances(case, threads: str) -> None:
    mask, spacing, nodes, offset = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEDPATH_THREADS", "1")
        single = signed_distance(mask, spacing, nodes, offset)
        patch.setenv("SEEDPATH_THREADS", threads)
        parallel = signed_distance(mask, spacing, nodes, offset)
    assert (single == parallel).all()


@given(cases(), st.tuples(*[st.integers(-20, 20)] * 3))
def test_distances_are_independent_of_the_masks_position(case, shift: tuple[int, int, int]) -> None:
    mask, _, nodes, _ = case
    spacing = np.array([0.5, 2.0, 4.0])
    nodes = inside_array(nodes, mask.shape, spacing)
    # Multiples of 1/16, so that no node moves by rounding
    nodes = FieldNodes(np.round(nodes.lower_B * 16) / 16, np.round(nodes.step_mm * 16) / 16, nodes.shape)
    moved_nodes = FieldNodes(nodes.lower_B + np.array(shift) * spacing, nodes.step_mm, nodes.shape)
    distances = signed_distance(mask, spacing, nodes)
    assert (signed_distance(mask, spacing, moved_nodes, shift) == distances).all()


@given(cases(), st.integers(0, 2))
def test_a_mirrored_mask_has_mirrored_distances(case, axis: int) -> None:
    mask, spacing, nodes, _ = case
    nodes = inside_array(nodes, mask.shape, spacing)
    lower = nodes.lower_B.copy()
    last = lower[axis] + nodes.step_mm[axis] * (nodes.shape[axis] - 1)
    lower[axis] = (mask.shape[axis] - 1) * spacing[axis] - last
    mirrored = FieldNodes(lower, nodes.step_mm, nodes.shape)
    distances = signed_distance(mask, spacing, nodes).astype(int)
    mirrored_distances = np.flip(signed_distance(np.flip(mask, axis).copy(), spacing, mirrored), axis)
    assert np.abs(distances - mirrored_distances).max() <= 1


def test_a_larger_mask_is_nowhere_farther() -> None:
    rng = np.random.default_rng(11)
    nodes = field_nodes_over(np.full(3, -0.45), np.full(3, 7.4), 0.9)
    mask = rng.random((8, 8, 8)) < 0.1
    larger_mask = mask | (rng.random((8, 8, 8)) < 0.1)
    distances, larger_distances = (signed_distance(m, (1.0, 1.0, 1.0), nodes) for m in (mask, larger_mask))
    assert (larger_distances <= distances).all()
    assert (larger_distances < distances).any()


# --- lattices

SIZES = st.tuples(*[st.floats(0.01, 300.0)] * 3)


@given(st.tuples(*[st.floats(-500.0, 500.0)] * 3), SIZES, st.floats(0.25, 10.0))
def test_a_lattice_spans_its_box_with_steps_up_to_the_requested_one(lower, size, step: float) -> None:
    lower_B, upper_B = np.array(lower), np.array(lower) + np.array(size)
    nodes = field_nodes_over(lower_B, upper_B, step)
    for axis in range(3):
        coordinates = nodes.axis_B(axis)
        assert coordinates[0] == lower_B[axis]
        assert coordinates[-1] == pytest.approx(upper_B[axis], abs=1e-9)
        assert len(coordinates) == nodes.shape[axis] >= 2
        assert np.diff(coordinates).max() <= step + 1e-6
        # One node fewer would give steps that are too large.
        if nodes.shape[axis] > 2:
            assert (upper_B - lower_B)[axis] / (nodes.shape[axis] - 2) > step


@pytest.mark.parametrize(
    ("length", "step", "count"), [(3.0, 1.0, 4), (0.3, 0.1, 4), (3.01, 1.0, 5), (0.2, 1.0, 2)]
)
def test_a_box_of_whole_steps_has_no_extra_node(length: float, step: float, count: int) -> None:
    nodes = field_nodes_over(np.zeros(3), np.full(3, length), step)
    assert nodes.shape == (count, count, count)


def test_a_lattice_copies_its_corner() -> None:
    lower = np.zeros(3)
    nodes = field_nodes_over(lower, np.ones(3), 0.5)
    lower += 7.0
    assert nodes.axis_B(0)[0] == 0.0
