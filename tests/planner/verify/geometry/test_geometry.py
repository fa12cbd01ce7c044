"""Verification's geometry, each piece against another way to the same answer."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise, product
from math import floor, inf, sqrt

import numpy as np
import pytest
import trimesh
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation
from winding import winding_number

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, VoxelMask, mask_from_bool
from anatomy.geometry.surface import Surface
from planner.verify.geometry import axis as axes
from planner.verify.geometry import boxes, grown, meshes, segments, spans, triangles, voxels
from planner.verify.tolerances import GRAZE_MM, LENGTH_MM

Distances = Callable[[np.ndarray], np.ndarray]
"""From points (n, m, 3) to m convex bodies, each body from its own points: (n, m). [mm]"""

# Whole numbers and their halves give parallels, touching ends and shared planes; the others give none.
coordinate = st.one_of(
    st.integers(-8, 8).map(lambda n: n / 2), st.floats(-9.0, 9.0).map(lambda x: round(x, 3))
)
point = st.tuples(coordinate, coordinate, coordinate)
extent = st.tuples(*[st.one_of(st.integers(1, 8).map(float), st.floats(0.05, 9.0))] * 3)
seeds = st.integers(0, 2**32 - 1)


def least_along(p: np.ndarray, q: np.ndarray, distance_to: Distances, bodies: int = 1) -> np.ndarray:
    """Least distance from the segment p-q to each of some convex bodies. [mm]

    Distance to a convex body is convex along a line: the least lies within one sample of the least sample.
    Each round looks between the two neighbours of the round before.
    """
    p, q = np.asarray(p, float), np.asarray(q, float)
    low, high, each = np.zeros(bodies), np.ones(bodies), np.arange(bodies)
    best = np.full(bodies, inf)
    for _ in range(9):
        t = low + np.linspace(0.0, 1.0, 41)[:, None] * (high - low)
        here = distance_to(p + t[..., None] * (q - p))
        at = here.argmin(axis=0)
        best = np.minimum(best, here[at, each])
        low, high = t[np.maximum(at - 1, 0), each], t[np.minimum(at + 1, 40), each]
    return best


def to_points(points: np.ndarray) -> Distances:
    return lambda x: np.linalg.norm(x - points, axis=-1)


def to_boxes(low: np.ndarray, high: np.ndarray) -> Distances:
    return lambda x: np.linalg.norm(np.maximum(0.0, np.maximum(low - x, x - high)), axis=-1)


def to_triangles(corners: np.ndarray) -> Distances:
    """To triangles (m, 3, 3), by trimesh."""

    def distance(x: np.ndarray) -> np.ndarray:
        pairs = x.reshape(-1, 3)
        nearest = trimesh.triangles.closest_point(np.tile(corners, (len(x), 1, 1)), pairs)
        return np.linalg.norm(pairs - nearest, axis=1).reshape(x.shape[:2])

    return distance


def triple(v: np.ndarray) -> tuple[float, float, float]:
    return float(v[0]), float(v[1]), float(v[2])


# --- points and segments


@pytest.mark.interpreted
@given(point, point, point)
def test_point_to_segment_is_the_least_over_the_segment(x, p, q) -> None:
    least = least_along(p, q, to_points(np.array(x)))[0]
    assert sqrt(segments.point_segment2(x, p, q)) == pytest.approx(least, abs=1e-7)


@pytest.mark.interpreted
@given(point, point, point, point)
def test_segment_to_segment_is_the_bounded_least_squares_solution(p, q, a, b) -> None:
    columns = np.stack([np.subtract(q, p), np.subtract(a, b)], axis=1)
    solved = lsq_linear(columns, np.subtract(a, p), (0.0, 1.0), method="bvls", tol=1e-14)
    least = np.linalg.norm(solved.fun)
    assert sqrt(segments.segment_segment2(p, q, a, b)) == pytest.approx(least, abs=1e-6)


@pytest.mark.interpreted
@given(point, point, point, point)
def test_segments_are_as_far_apart_whichever_comes_first_and_whichever_end(p, q, a, b) -> None:
    here = segments.segment_segment2(p, q, a, b)
    for other in ((a, b, p, q), (q, p, a, b), (p, q, b, a)):
        assert segments.segment_segment2(*other) == pytest.approx(here, abs=1e-9)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("p", "q", "a", "b", "distance"),
    [
        ((0, 0, 0), (4, 0, 0), (1, -1, 3), (1, 1, 3), 3.0),  # skew, nearest inside both
        ((0, 0, 0), (4, 0, 0), (1, -1, 0), (1, 1, 0), 0.0),  # crossing
        ((0, 0, 0), (4, 0, 0), (1, 2, 0), (9, 2, 0), 2.0),  # parallel, side by side
        ((0, 0, 0), (4, 0, 0), (7, 4, 0), (9, 4, 0), 5.0),  # parallel, one after the other
        ((0, 0, 0), (4, 0, 0), (3, 0, 0), (9, 0, 0), 0.0),  # along one line, overlapping
        ((0, 0, 0), (4, 0, 0), (6, 0, 0), (9, 0, 0), 2.0),  # along one line, apart
        ((0, 0, 0), (4, 0, 0), (7, 4, 0), (7, 4, 0), 5.0),  # a segment and a point
        ((1, 1, 1), (1, 1, 1), (2, 3, 3), (2, 3, 3), 3.0),  # two points
        ((1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), 0.0),  # one point
        ((0, 0, 0), (2, 0, 0), (3, 2, 2), (3, 9, 2), 3.0),  # end to end
    ],
)
def test_segment_distances_known_by_hand(p, q, a, b, distance) -> None:
    p, q, a, b = (triple(v) for v in (p, q, a, b))
    assert segments.segment_segment2(p, q, a, b) == pytest.approx(distance**2, abs=1e-12)


@pytest.mark.interpreted
@given(point, st.sampled_from([1e-9, 1e-7, 1e-5, 1e-3]), st.floats(0.5, 9.0), st.floats(10.0, 300.0))
def test_nearly_parallel_segments_are_told_within_the_tolerance(middle, turn, apart, length) -> None:
    """Nearest at their middles, like a needle along a long edge."""
    one = np.array([1.0, 0.0, 0.0]) * length / 2
    two = np.array([np.cos(turn), np.sin(turn), 0.0]) * length / 2
    over = np.array(middle) + np.array([0.0, 0.0, apart])
    ends = (middle - one, middle + one, over - two, over + two)
    assert sqrt(segments.segment_segment2(*map(triple, ends))) == pytest.approx(apart, abs=1e-6)


@pytest.mark.interpreted
@given(point, point)
def test_products_and_differences_are_those_of_numpy(u, v) -> None:
    assert segments.dot(u, v) == pytest.approx(np.dot(u, v))
    assert segments.minus(u, v) == pytest.approx(tuple(np.subtract(u, v)))
    assert segments.cross(u, v) == pytest.approx(tuple(np.cross(u, v)))


# --- boxes

UNIT_BOX = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.interpreted
@given(point, point, extent)
def test_point_to_box_is_to_the_clipped_point(x, low, size) -> None:
    high = triple(np.add(low, size))
    away = np.linalg.norm(np.clip(x, low, high) - x)
    assert sqrt(boxes.point_box2(x, low, high)) == pytest.approx(away, abs=1e-9)


@pytest.mark.interpreted
@given(point, point, point, extent)
def test_segment_to_box_is_the_least_over_the_segment(p, q, low, size) -> None:
    high = triple(np.add(low, size))
    least = least_along(p, q, to_boxes(np.array(low), np.array(high)))[0]
    assert sqrt(boxes.segment_box2(p, q, low, high)) == pytest.approx(least, abs=1e-7)


@pytest.mark.interpreted
@given(point, point, point, extent)
def test_the_part_in_a_box_is_where_points_are_in_it(p, q, low, size) -> None:
    high = triple(np.add(low, size))
    first, last = boxes.slab_clip(p, q, low, high)
    t = np.linspace(0.0, 1.0, 301)
    x = np.array(p) + t[:, None, None] * np.subtract(q, p)
    away = to_boxes(np.array(low), np.array(high))(x)[:, 0]
    assert (away[(first <= t) & (t <= last)] <= 1e-9).all()
    assert (away[(t < first - 1e-9) | (t > last + 1e-9)] > 0.0).all()
    assert first >= 0.0
    assert last <= 1.0


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("p", "q", "part"),
    [
        ((-1, 0.5, 0.5), (3, 0.5, 0.5), (0.25, 0.5)),  # through
        ((0.5, 0.5, 0.5), (2.5, 0.5, 0.5), (0.0, 0.25)),  # out
        ((0.2, 0.2, 0.2), (0.8, 0.8, 0.8), (0.0, 1.0)),  # within
        ((-1, 1, 1), (3, 1, 1), (0.25, 0.5)),  # along an edge
        ((-1, 1, 0.5), (3, 1, 0.5), (0.25, 0.5)),  # along a face
        ((0, 2, 1), (2, 0, 1), (0.5, 0.5)),  # through a point of an edge
        ((1, 1, 1), (2, 2, 2), (0.0, 0.0)),  # from a corner on
        ((0.5, 0.5, 1), (0.5, 0.5, 1), (0.0, 1.0)),  # a point on a face
        ((-1, 1.01, 0.5), (3, 1.01, 0.5), (1.0, 0.0)),  # beside, parallel
        ((-1, -0.01, 0.5), (3, -0.01, 0.5), (1.0, 0.0)),  # beside, on the other side
        ((2, 2, 2), (2, 2, 2), (1.0, 0.0)),  # a point outside
    ],
)
def test_parts_in_the_unit_box_known_by_hand(p, q, part) -> None:
    assert boxes.slab_clip(triple(p), triple(q), *UNIT_BOX) == pytest.approx(part)


@pytest.mark.interpreted
def test_a_segment_that_passes_a_corner_of_a_box_has_no_part_in_it() -> None:
    first, last = boxes.slab_clip((0.0, 3.0, 0.5), (3.0, 0.0, 0.5), *UNIT_BOX)
    assert last < first


# --- triangles


def wide(a, b, c) -> bool:
    """Whether a triangle is wide enough for trimesh to measure to."""
    u, v = np.subtract(b, a), np.subtract(c, a)
    longest2 = max(u @ u, v @ v, (u - v) @ (u - v))
    return bool(np.linalg.norm(np.cross(u, v)) > 1e-3 * longest2 > 0.0)


@pytest.mark.interpreted
@given(point, point, point, point, point)
def test_segment_to_triangle_is_the_least_over_the_segment(p, q, a, b, c) -> None:
    assume(wide(a, b, c))
    least = least_along(p, q, to_triangles(np.array([[a, b, c]])))[0]
    assert sqrt(triangles.segment_triangle2(p, q, a, b, c)) == pytest.approx(least, abs=1e-6)


@pytest.mark.interpreted
@given(point, point, point, point)
def test_a_triangle_without_area_is_as_far_as_its_longest_edge(p, q, a, b) -> None:
    middle = triple(np.add(a, b) / 2)
    edge = sqrt(segments.segment_segment2(p, q, a, b))
    for corners in ((a, b, middle), (a, middle, b), (middle, a, b), (a, b, b), (a, a, b)):
        assert sqrt(triangles.segment_triangle2(p, q, *corners)) == pytest.approx(edge, abs=1e-6)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("p", "q", "distance"),
    [
        ((1, 1, -3), (1, 1, 2), 0.0),  # through
        ((1, 1, 2), (1, 1, 5), 2.0),  # above the inside
        ((1, 1, 2), (1, 1, 2), 2.0),  # a point above the inside
        ((1, 1, 0), (1, 1, 5), 0.0),  # from the triangle on
        ((-1, 1, 0), (9, 1, 0), 0.0),  # in its plane, across
        ((1, 1, 0), (1, 2, 0), 0.0),  # in its plane, inside
        ((-3, -9, 0), (-3, 9, 0), 3.0),  # in its plane, beside
        ((1, -2, 1), (1, -2, -1), 2.0),  # passes its plane beside it
        ((-1, 1, 3), (9, 1, 3), 3.0),  # parallel above
        ((0, 0, -1), (0, 0, 1), 0.0),  # through a corner
        ((3, 0, -1), (3, 0, 1), 0.0),  # through an edge
        ((6, 6, 4), (6, 6, -4), sqrt(18)),  # beside the slant edge: 6 + 6 = 12 against 6
    ],
)
def test_distances_to_a_triangle_known_by_hand(p, q, distance) -> None:
    corners = ((0.0, 0.0, 0.0), (6.0, 0.0, 0.0), (0.0, 6.0, 0.0))
    for a, b, c in (corners, corners[1:] + corners[:1], corners[::-1]):
        got = triangles.segment_triangle2(triple(p), triple(q), a, b, c)
        assert sqrt(got) == pytest.approx(distance, abs=1e-12)


@pytest.mark.interpreted
@given(point, point, point, point, point)
def test_a_segment_pierces_a_triangle_where_the_linear_equations_say_so(p, q, a, b, c) -> None:
    """With p + t (q - p) = a + u (b - a) + v (c - a): t, u, v and 1 - u - v all lie in (0, 1)."""
    matrix = np.stack([np.subtract(p, q), np.subtract(b, a), np.subtract(c, a)], axis=1)
    assume(wide(a, b, c) and abs(np.linalg.det(matrix)) > 1e-3)
    t, u, v = np.linalg.solve(matrix, np.subtract(p, a))
    margins = np.array([t, 1 - t, u, v, 1 - u - v])
    assume(np.abs(margins).min() > 1e-9)
    assert triangles.pierced(p, q, a, b, c) == bool((margins > 0).all())


@pytest.mark.interpreted
@given(point, point, point, point)
def test_a_foot_inside_a_triangle_is_the_nearest_point(x, a, b, c) -> None:
    assume(wide(a, b, c))
    nearest = to_triangles(np.array([[a, b, c]]))(np.array([[x]]))[0, 0]
    foot = triangles.foot_inside2(x, a, b, c)
    edges = min(segments.point_segment2(x, *edge) for edge in ((a, b), (b, c), (c, a)))
    assert sqrt(min(foot, edges)) == pytest.approx(nearest, abs=1e-6)
    if foot < inf:
        normal = np.cross(np.subtract(b, a), np.subtract(c, a))
        height = np.subtract(x, a) @ normal / np.linalg.norm(normal)
        assert sqrt(foot) == pytest.approx(abs(height), abs=1e-9)


@pytest.mark.interpreted
@given(point, point, point, point, point)
def test_the_place_at_the_piercing_depth_lies_in_the_plane(origin, direction, a, b, c) -> None:
    normal = np.cross(np.subtract(b, a), np.subtract(c, a))
    assume(abs(np.dot(normal, direction)) > 1e-2)
    depth = triangles.piercing_depth(origin, direction, a, b, c)
    at = np.add(origin, depth * np.array(direction))
    assert np.dot(at - a, normal) / np.linalg.norm(normal) == pytest.approx(
        0.0, abs=1e-9 + 1e-12 * abs(depth)
    )


@pytest.mark.interpreted
def test_a_line_parallel_to_a_plane_meets_it_at_infinity() -> None:
    corners = ((0.0, 0.0, 0.0), (6.0, 0.0, 0.0), (0.0, 6.0, 0.0))
    assert triangles.piercing_depth((1.0, 1.0, 2.0), (1.0, 0.0, 0.0), *corners) == inf


@pytest.mark.interpreted
@given(point, point, point, point)
def test_two_faces_that_share_an_edge_never_agree_on_its_side(origin, direction, a, b) -> None:
    """One runs it forwards, one backwards; so it is even where the line meets the edge."""
    vertices = np.array([a, b])
    forwards = triangles.edge_side(origin, direction, vertices, 0, 1)
    assert triangles.edge_side(origin, direction, vertices, 1, 0) != forwards
    volume = np.dot(direction, np.cross(np.subtract(a, origin), np.subtract(b, origin)))
    if abs(volume) > 1e-9:
        assert forwards == (volume > 0)


# --- spans

cell_sets = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=6)
"""Intervals of whole numbers, as (first, length); in any order, overlapping or not."""


def intervals(cells: list[tuple[int, int]]) -> np.ndarray:
    return np.array([(a, a + n) for a, n in cells], float).reshape(-1, 2)


def covered(found: np.ndarray) -> set[int]:
    """Unit cells that spans of whole numbers cover; they must be sorted and disjoint."""
    assert (found[:, 0] < found[:, 1]).all()
    assert (found[1:, 0] >= found[:-1, 1]).all()
    return {n for a, b in found for n in range(round(a), round(b))}


@given(cell_sets)
def test_merged_intervals_cover_what_the_intervals_did_and_touch_nowhere(cells) -> None:
    merged_spans = spans.merged(intervals(cells))
    assert covered(merged_spans) == {n for a, length in cells for n in range(a, a + length)}
    assert (merged_spans[1:, 0] > merged_spans[:-1, 1]).all()


@given(st.lists(cell_sets, max_size=4))
def test_a_union_covers_what_any_of_them_does(several) -> None:
    each = [spans.merged(intervals(cells)) for cells in several]
    assert covered(spans.union(each)) == {n for one in each for n in covered(one)}


@given(cell_sets, cell_sets)
def test_a_difference_covers_what_only_the_first_does(cells, taken) -> None:
    one, two = spans.merged(intervals(cells)), spans.merged(intervals(taken))
    left = spans.minus(one, two)
    assert covered(left) == covered(one) - covered(two)
    assert spans.total(left) == len(covered(one) - covered(two))


@given(cell_sets, st.integers(-3, 40), st.integers(-3, 40))
def test_what_lies_between_two_places_is_cut_there(cells, first, last) -> None:
    part = spans.between(spans.merged(intervals(cells)), float(first), float(last))
    assert covered(part) == covered(spans.merged(intervals(cells))) & set(range(first, last))


def test_intervals_within_the_tolerance_become_one_and_others_do_not() -> None:
    near = np.array([[0.0, 1.0], [1.0 + 0.9 * LENGTH_MM, 2.0]])
    far = np.array([[0.0, 1.0], [1.0 + 1.1 * LENGTH_MM, 2.0]])
    assert spans.merged(near).tolist() == [[0.0, 2.0]]
    assert spans.merged(far).tolist() == far.tolist()


def test_an_interval_within_another_does_not_end_it() -> None:
    nested = np.array([[0.0, 9.0], [1.0, 2.0], [9.5, 10.0]])
    assert spans.merged(nested).tolist() == [[0.0, 9.0], [9.5, 10.0]]


def test_of_nothing_there_is_nothing() -> None:
    for found in (
        spans.merged(spans.NONE),
        spans.union([]),
        spans.minus(spans.NONE, np.array([[0.0, 1.0]])),
        spans.between(spans.NONE, 0.0, 1.0),
    ):
        assert found.shape == (0, 2)
    assert spans.total(spans.NONE) == 0.0


# --- an axis


def axis_in_box(rng: np.random.Generator) -> axes.BoxedAxis:
    """Any axis about a box; now and then along one of its axes, or in one of its planes."""
    low, high = -rng.uniform(1.0, 20.0, 3), rng.uniform(1.0, 20.0, 3)
    outward = rng.normal(size=3)
    outward[rng.random(3) < 0.25] = 0.0
    if not outward.any():
        outward[rng.integers(3)] = 1.0
    tip = rng.uniform(2 * low, 2 * high)
    tip = np.where(rng.random(3) < 0.1, low, tip)
    return axes.BoxedAxis(tip, outward / np.linalg.norm(outward), float(rng.uniform(1.0, 60.0)), low, high)


@given(seeds)
def test_a_clamped_axis_is_the_axis_clamped_point_by_point(seed) -> None:
    axis = axis_in_box(np.random.default_rng(seed))
    pieces = axis.clamped(-5.0, 70.0)
    assert pieces[0, 0] == -5.0
    assert pieces[-1, 1] == 70.0
    for one, two in pairwise(pieces):
        assert one[1] == two[0]
        assert one[5:8] == pytest.approx(two[2:5])
    for s0, s1, *ends in pieces:
        t = np.linspace(0.0, 1.0, 23)[:, None]
        straight = np.array(ends[:3]) + t * np.subtract(ends[3:], ends[:3])
        points = axis.tip_B + (s0 + t * (s1 - s0)) * axis.outward_B
        assert straight == pytest.approx(np.clip(points, axis.lower_B, axis.upper_B), abs=1e-9)


@given(seeds)
def test_the_part_in_view_is_where_the_line_is_in_the_box(seed) -> None:
    axis = axis_in_box(np.random.default_rng(seed))
    view = axis.in_view()
    s = np.linspace(-150.0, 150.0, 3001)
    points = axis.tip_B + s[:, None] * axis.outward_B
    inside = ((points >= axis.lower_B) & (points <= axis.upper_B)).all(axis=1)
    if len(view) == 0:
        assert np.count_nonzero(inside) <= 1
    else:
        first, last = view[0, :2]
        assert inside[(s > first + 1e-9) & (s < last - 1e-9)].all()
        assert not inside[(s < first - 1e-9) | (s > last + 1e-9)].any()
        assert view[0, 2:5] == pytest.approx(axis.at(first), abs=1e-9)
        assert view[0, 5:8] == pytest.approx(axis.at(last), abs=1e-9)


def test_a_line_beside_the_box_is_not_in_view() -> None:
    low, high = np.zeros(3), np.full(3, 10.0)
    for tip, outward in (((12.0, 5.0, 5.0), (0.0, 0.0, 1.0)), ((5.0, -1.0, 5.0), (1.0, 0.0, 0.0))):
        assert len(axes.BoxedAxis(np.array(tip), np.array(outward), 5.0, low, high).in_view()) == 0
    assert (
        len(axes.BoxedAxis(np.array([5.0, 5.0, 5.0]), np.array([0.0, 0.0, 1.0]), 5.0, low, high).in_view())
        == 1
    )


def test_readings_are_the_axis_and_its_shifts_towards_eight_corners() -> None:
    axis = axis_in_box(np.random.default_rng(1))
    first, *shifted = axis.readings()
    assert first is axis
    shifts = np.array([(other.tip_B - axis.tip_B) / GRAZE_MM for other in shifted])
    assert sorted(map(tuple, np.round(shifts, 4))) == sorted(product((-1.0, 1.0), repeat=3))
    assert all((other.outward_B == axis.outward_B).all() for other in shifted)


@given(seeds)
def test_an_axis_of_two_points_leads_from_tip_to_entry(seed) -> None:
    rng = np.random.default_rng(seed)
    X = np.eye(4)
    X[:3, :3] = Rotation.random(rng=rng).as_matrix() * rng.uniform(0.5, 3.0, 3)
    X[:3, 3] = rng.uniform(-200, 200, 3)
    grid = Grid((9, 8, 7), X)
    entry_P, tip_P = rng.uniform(-300, 300, (2, 3))
    axis = axes.axis_of(grid, entry_P, tip_P)
    assert axis is not None
    assert axis.length_mm == pytest.approx(np.linalg.norm(entry_P - tip_P))
    assert grid.to_patient(axis.at(0.0)) == pytest.approx(tip_P, abs=1e-9)
    assert grid.to_patient(axis.at(axis.length_mm)) == pytest.approx(entry_P, abs=1e-9)


def test_two_points_that_coincide_have_no_axis() -> None:
    place = np.array([1.0, 2.0, 3.0])
    assert axes.axis_of(Grid((4, 4, 4), np.eye(4)), place, place) is None


# --- voxels

SHAPE = (5, 4, 6)
BINARY_SPACINGS = ((1.0, 1.0, 1.0), (0.75, 2.5, 1.5), (3.0, 0.5, 2.0))


def two_labels(rng: np.random.Generator, density: float) -> tuple[VoxelMask, np.ndarray]:
    """A mask that shares its layer with another, and its voxels."""
    layers = MaskLayers(SHAPE)
    mask = rng.random(SHAPE) < density
    layers.add("other", ~mask & (rng.random(SHAPE) < 0.5))
    return layers.add("organ", mask), mask


def holds(mask: np.ndarray, place: list[Fraction]) -> bool:
    """Whether a place, in voxel sizes from the first voxel's lower corner, lies in a closed set voxel."""
    choices = []
    for u, n in zip(place, mask.shape, strict=True):
        index = floor(u)
        choices.append([i for i in ({index, index - 1} if u == index else {index}) if 0 <= i < n])
    return any(mask[ijk] for ijk in product(*choices))


def exact_parts(mask: np.ndarray, p: list[Fraction], q: list[Fraction]) -> list[tuple[float, float]]:
    """(t0, t1) of the parts of the segment in closed set voxels, in exact arithmetic, points left out.

    p and q are in voxel sizes from the lower corner. Between two grid planes the segment is in or out as
    its middle there is.
    """
    cuts = {Fraction(0), Fraction(1)}
    for a in range(3):
        if p[a] != q[a]:
            cuts |= {(n - p[a]) / (q[a] - p[a]) for n in range(mask.shape[a] + 1)}
    stops = sorted(t for t in cuts if 0 <= t <= 1)
    parts: list[tuple[Fraction, Fraction]] = []
    for t0, t1 in pairwise(stops):
        middle = (t0 + t1) / 2
        if holds(mask, [u + middle * (v - u) for u, v in zip(p, q, strict=True)]):
            if parts and parts[-1][1] == t0:
                t0 = parts.pop()[0]
            parts.append((t0, t1))
    return [(float(t0), float(t1)) for t0, t1 in parts]


quarters = st.tuples(*[st.integers(-6, 4 * n + 6) for n in SHAPE])
"""A place in quarters of voxels: every other pair is on a face."""


@pytest.mark.interpreted
@given(seeds, quarters, quarters, st.sampled_from(BINARY_SPACINGS), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=100)
def test_spans_in_a_mask_are_exact_along_faces_edges_and_corners(seed, p, q, spacing, density) -> None:
    mask, inside = two_labels(np.random.default_rng(seed), density)
    truth = exact_parts(inside, [Fraction(n, 4) for n in p], [Fraction(n, 4) for n in q])
    ends = [(np.array(v) / 4 - 0.5) * spacing for v in (p, q)]
    found = voxels.spans_in_mask(mask, spacing, np.concatenate([[0.0, 100.0], *ends])[None])
    found = found[found[:, 1] - found[:, 0] > 1e-9]
    assert found.ravel().tolist() == pytest.approx([100 * t for part in truth for t in part], abs=1e-9)


@pytest.mark.interpreted
@given(seeds)
def test_spans_in_a_mask_are_where_points_lie_in_its_voxels(seed) -> None:
    rng = np.random.default_rng(seed)
    mask, inside = two_labels(rng, 0.4)
    spacing = rng.uniform(0.4, 4.0, 3)
    size = np.array(SHAPE) * spacing
    ends = rng.uniform(-0.4 * size, 1.3 * size, (2, 3)) - 0.5 * spacing
    mask_spans = voxels.spans_in_mask(mask, triple(spacing), np.concatenate([[-3.0, 5.0], *ends])[None])
    s = np.linspace(-3.0, 5.0, 1003)
    index = np.floor((ends[0] + (s[:, None] + 3) / 8 * (ends[1] - ends[0])) / spacing + 0.5).astype(int)
    there = ((index >= 0) & (index < SHAPE)).all(axis=1)
    there[there] = inside[tuple(index[there].T)]
    told = np.zeros(len(s), bool)
    for first, last in mask_spans:
        told |= (first <= s) & (s <= last)
    assert np.count_nonzero(told != there) == 0


@pytest.mark.interpreted
def test_spans_of_several_pieces_go_on_from_one_to_the_next() -> None:
    mask = mask_from_bool(np.ones((4, 4, 4), bool))
    bend = np.array([[0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0], [2.0, 9.0, 2.0, 0.0, 0.0, 2.0, 7.0, 0.0]])
    assert voxels.spans_in_mask(mask, (1.0, 1.0, 1.0), bend) == pytest.approx(np.array([[0.0, 5.5]]))


@pytest.mark.interpreted
def test_a_piece_that_stays_in_place_is_inside_all_along_or_nowhere() -> None:
    """Beyond the field of view a whole stretch of an axis is judged at one corner."""
    mask = mask_from_bool(np.ones((2, 2, 2), bool))
    for place, expected in ((1.5, [[3.0, 8.0]]), (1.6, [])):
        piece = np.array([[3.0, 8.0, place, 1.5, 1.5, place, 1.5, 1.5]])
        assert voxels.spans_in_mask(mask, (1.0, 1.0, 1.0), piece).tolist() == expected


@pytest.mark.interpreted
@given(seeds, st.sampled_from([0.0, 0.2, 0.6, 1.0]))
@settings(max_examples=30)
def test_outer_voxels_are_those_that_erosion_takes(seed, density) -> None:
    mask, inside = two_labels(np.random.default_rng(seed), density)
    every = voxels.voxels_of(mask, outer_only=False)
    outer = voxels.voxels_of(mask, outer_only=True)
    assert every.tolist() == np.argwhere(inside).tolist()
    assert outer.tolist() == np.argwhere(inside & ~ndimage.binary_erosion(inside)).tolist()


@pytest.mark.interpreted
def test_a_list_of_voxels_that_is_too_short_is_filled_and_all_are_counted() -> None:
    mask = mask_from_bool(np.ones((2, 3, 2), bool))
    out = np.full((5, 3), -1, np.int32)
    count = voxels.list_voxels(mask.layer, mask.label, mask.lower, mask.upper, False, out)
    assert count == 12
    assert out.tolist() == np.argwhere(np.ones((2, 3, 2)))[:5].tolist()


def random_voxels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Indices (n, 3), spacing, and the boxes' corners."""
    index = rng.integers(0, 9, (int(rng.integers(1, 12)), 3)).astype(np.int32)
    spacing = rng.uniform(0.4, 4.0, 3)
    return index, spacing, (index - 0.5) * spacing, (index + 0.5) * spacing


@pytest.mark.interpreted
@given(seeds)
def test_least_distance_is_the_least_over_pieces_and_boxes_up_to_the_cap(seed) -> None:
    rng = np.random.default_rng(seed)
    index, spacing, low, high = random_voxels(rng)
    corners = rng.uniform(-15.0, 30.0, (4, 3))
    corners[3] = corners[2]
    pieces = np.array([[0.0, 1.0, *one, *two] for one, two in pairwise(corners)])
    least = min(
        least_along(one, two, to_boxes(low, high), len(index)).min() for one, two in pairwise(corners)
    )
    got = voxels.least_distance(pieces, index, triple(spacing), 1000.0)
    assert got == pytest.approx(least, abs=1e-7)
    assert voxels.least_distance(pieces, index, triple(spacing), 5.0) == pytest.approx(
        min(5.0, least), abs=1e-7
    )


@pytest.mark.interpreted
def test_nothing_is_as_far_as_the_cap() -> None:
    pieces = np.zeros((1, 8))
    assert voxels.least_distance(pieces, np.empty((0, 3), np.int32), (1.0, 1.0, 1.0), 7.0) == 7.0


@pytest.mark.interpreted
@given(point, point, point, extent, st.sampled_from([0.0, 0.5, 1.0, 2.75, 9.0]))
def test_a_line_is_within_the_margin_of_a_box_from_the_first_place_to_the_last(
    p, q, low, size, margin
) -> None:
    assume(p != q)
    high = np.add(low, size)
    p, d = np.array(p), np.subtract(q, p) / np.linalg.norm(np.subtract(q, p))
    away = to_boxes(np.array(low), high)
    first, last = grown.grown_box_clip(triple(p), triple(d), low, triple(high), margin)
    least = least_along(p - 100.0 * d, p + 100.0 * d, away)[0]
    assert (first <= last) == (least <= margin) or abs(least - margin) < 1e-6
    if first <= last:
        inside = p + np.linspace(first, last, 21)[:, None, None] * d
        assert (away(inside) <= margin + 1e-9).all()
        beyond = p + np.array([first - 1e-4, last + 1e-4])[:, None, None] * d
        assert (away(beyond) > margin).all() or least > margin - 1e-6


@pytest.mark.interpreted
def test_within_the_margin_of_no_voxel_is_nowhere() -> None:
    none = np.empty((0, 3), np.int32)
    assert len(grown.spans_within(5.0, none, (1.0, 1.0, 1.0), np.zeros(3), np.eye(3)[0])) == 0


@pytest.mark.interpreted
@pytest.mark.parametrize(("apart", "count"), [(0.5 * grown.JOIN_MM, 1), (3.0 * grown.JOIN_MM, 2)])
def test_stretches_within_the_margin_are_joined_where_rounding_parts_them(apart, count) -> None:
    voxels_apart = np.array([[0, 0, 0], [2, 0, 0]], np.int32)
    margin = 0.5 - 0.5 * apart
    found = grown.spans_within(margin, voxels_apart, (1.0, 1.0, 1.0), np.zeros(3), np.eye(3)[0])
    assert len(found) == count


@given(seeds, st.floats(0.0, 12.0))
def test_near_an_axis_are_all_voxels_within_reach_and_none_that_cannot_be(seed, reach) -> None:
    rng = np.random.default_rng(seed)
    index, spacing, low, high = random_voxels(rng)
    index = np.unique(index, axis=0)
    low, high = (index - 0.5) * spacing, (index + 0.5) * spacing
    p = rng.uniform(-5.0, 20.0, 3)
    outward = rng.normal(size=3)
    outward /= np.linalg.norm(outward)
    near = {tuple(v) for v in voxels.near_axis(index, triple(spacing), p, outward, reach)}
    away = least_along(p - 200 * outward, p + 200 * outward, to_boxes(low, high), len(index))
    assert {tuple(v) for v in index[away < reach - 1e-6]} <= near
    assert near <= {tuple(v) for v in index[away <= reach + np.linalg.norm(spacing) + 1e-6]}


# --- surfaces


def surface_of(*parts: trimesh.Trimesh) -> Surface:
    whole = trimesh.util.concatenate(list(parts)) if len(parts) > 1 else parts[0]
    return Surface(np.array(whole.vertices, float), np.array(whole.faces, np.int64))


def ball(radius: float, centre=(0.0, 0.0, 0.0), subdivisions: int = 1) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return mesh.apply_translation(centre)


def brick(low, high) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=np.array([low, high], float))


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.array(mesh.faces)[:, ::-1], process=False)


def random_line(rng: np.random.Generator, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """A point within reach, and a unit vector."""
    direction = rng.normal(size=3)
    return rng.uniform(-reach, reach, 3), direction / np.linalg.norm(direction)


def chord_of_convex(surface: Surface, origin: np.ndarray, direction: np.ndarray) -> tuple[float, float]:
    """First and last s of a line within all half spaces of a convex surface's faces."""
    a, b, c = (surface.vertices_P[surface.faces[:, n]] for n in range(3))
    normal = np.cross(b - a, c - a)
    height, rate = np.einsum("ij,ij->i", normal, a - origin), normal @ direction
    leaving, entering = rate > 0, rate < 0
    return float((height[entering] / rate[entering]).max()), float((height[leaving] / rate[leaving]).min())


@pytest.mark.interpreted
@given(seeds)
def test_a_line_is_in_a_ball_between_the_planes_of_its_faces(seed) -> None:
    rng = np.random.default_rng(seed)
    surface = surface_of(ball(10.0, rng.uniform(-3, 3, 3)))
    origin, direction = random_line(rng, 8.0)
    first, last = chord_of_convex(surface, origin, direction)
    surface_spans = meshes.spans_in_surface(surface, origin, direction)
    assert surface_spans is not None
    assert surface_spans.ravel().tolist() == pytest.approx([first, last] if first < last else [], abs=1e-9)


@given(seeds)
def test_a_chord_of_a_fine_ball_is_that_of_the_sphere(seed) -> None:
    rng = np.random.default_rng(seed)
    mesh = ball(10.0, subdivisions=3)
    surface = surface_of(mesh)
    inner = float((mesh.triangles_center * mesh.face_normals).sum(axis=1).min())
    origin, direction = random_line(rng, 6.0)
    away2 = origin @ origin - (origin @ direction) ** 2
    surface_spans = meshes.spans_in_surface(surface, origin, direction)
    assert surface_spans is not None
    assert surface_spans.shape == ((1, 2) if away2 < inner**2 else (len(surface_spans), 2))
    longest, shortest = (2 * sqrt(max(0.0, r**2 - away2)) for r in (10.0, inner))
    assert shortest - 1e-9 <= spans.total(surface_spans) <= longest + 1e-9


SOLIDS = {
    "two balls that overlap": (ball(8.0, (-3, 0, 0)), ball(7.0, (4, 1, 0))),
    "two balls apart": (ball(4.0, (-6, 0, 0)), ball(4.0, (6, 0, 1))),
    "a ball with a cavity": (ball(9.0), inverted(ball(5.0, (1, 0, 0)))),
    "a ball half in a brick": (brick((-8, -4, -4), (2, 4, 4)), ball(5.0, (3, 0, 0))),
    "two bricks that share a face": (brick((-6, -5, -5), (0, 5, 5)), brick((0, -5, -5), (6, 5, 5))),
    "a ring": (trimesh.creation.annulus(3.0, 8.0, 6.0, sections=12),),
}


@pytest.mark.interpreted
@pytest.mark.parametrize("solid", SOLIDS)
@given(seed=seeds)
@settings(max_examples=20)
def test_a_line_is_inside_where_the_winding_number_is_above_zero(solid: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    surface = surface_of(*SOLIDS[solid])
    origin, direction = random_line(rng, 6.0)
    surface_spans = meshes.spans_in_surface(surface, origin, direction)
    assert surface_spans is not None
    ends = np.concatenate([[-25.0], surface_spans.ravel(), [25.0]])
    for n, (s0, s1) in enumerate(pairwise(ends)):
        for part in (0.01, 0.37, 0.99):
            winding = winding_number(
                surface.vertices_P, surface.faces, origin + (s0 + part * (s1 - s0)) * direction
            )
            assert (winding > 0.5) == (n % 2 == 1)


BRICK = surface_of(brick((0, 0, 0), (10, 10, 10)))

LINES_ON_EDGES = {
    "through two face diagonals": ((5, 5, -3), (0, 0, 1), 10.0),
    "through the middle of two edges": ((-5, -5, 5), (1, 1, 0), 10 * sqrt(2)),
    "through a corner and a face": ((-1, -1, -2), (1, 1, 2), 5 * sqrt(6)),
}
GRAZING_LINES = {
    "along an edge": ((0, 0, -3), (0, 0, 1), 10.0),
    "along a face": ((0, 4, -3), (0, 0, 1), 10.0),
    "along a face's diagonal": ((0, -2, -2), (0, 1, 1), 10 * sqrt(2)),
    "past an edge": ((-5, 5, 5), (1, -1, 0), 0.0),
    "past a corner": ((-3, 3, 0), (1, -1, 0), 0.0),
}


def readings(origin: np.ndarray, direction: np.ndarray) -> list[np.ndarray | None]:
    """What the line and its shifts see of BRICK, slivers left out."""
    unit = direction / np.linalg.norm(direction)
    axis = axes.BoxedAxis(origin, unit, 1.0, np.full(3, -50.0), np.full(3, 50.0))
    found = [meshes.spans_in_surface(BRICK, each.tip_B, each.outward_B) for each in axis.readings()]
    return [None if f is None else f[f[:, 1] - f[:, 0] > 1e-5] for f in found]


@pytest.mark.interpreted
@pytest.mark.parametrize("line", LINES_ON_EDGES)
def test_a_line_through_edges_tells_nothing_or_the_truth_and_its_shifts_tell_it(line: str) -> None:
    origin, direction, chord = LINES_ON_EDGES[line]
    reading = readings(np.array(origin, float), np.array(direction, float))
    told = [spans.total(s) for s in reading if s is not None]
    assert told == pytest.approx([chord] * len(told), abs=1e-6)
    assert len(told) >= 1


@pytest.mark.interpreted
@pytest.mark.parametrize("line", GRAZING_LINES)
def test_a_line_along_the_outside_is_seen_inside_and_outside_by_its_shifts(line: str) -> None:
    origin, direction, chord = GRAZING_LINES[line]
    reading = readings(np.array(origin, float), np.array(direction, float))
    told = [spans.total(s) for s in reading if s is not None]
    assert {round(length, 4) for length in told} == {0.0, round(chord, 4)}


@pytest.mark.interpreted
@given(seeds)
def test_lines_through_points_of_edges_never_tell_an_untruth(seed) -> None:
    """From one edge to another, exactly on them as far as numbers go."""
    rng = np.random.default_rng(seed)
    mesh = ball(10.0)
    surface = surface_of(mesh)
    edges = mesh.vertices[mesh.edges_unique[rng.integers(len(mesh.edges_unique), size=2)]]
    one, two = (a + rng.choice([0.5, 0.25]) * (b - a) for a, b in edges)
    assume(np.linalg.norm(two - one) > 0.1)
    direction = (two - one) / np.linalg.norm(two - one)
    # Farther out, the line runs along the outside.
    assume(np.linalg.norm(np.cross(one, direction)) < 8.5)
    first, last = chord_of_convex(surface, one, direction)
    axis = axes.BoxedAxis(one, direction, 1.0, np.full(3, -50.0), np.full(3, 50.0))
    told = [meshes.spans_in_surface(surface, each.tip_B, each.outward_B) for each in axis.readings()]
    lengths = [spans.total(found) for found in told if found is not None]
    assert len(lengths) >= 1
    assert lengths == pytest.approx([last - first] * len(lengths), abs=1e-5)


CORNER_TO_CORNER = [
    (np.array(corner, float), 10.0 - 2 * np.array(corner, float)) for corner in product((0.0, 10.0), repeat=3)
]


def test_lines_through_two_corners_tell_nothing_or_the_truth() -> None:
    seen = [readings(origin, direction)[0] for origin, direction in CORNER_TO_CORNER]
    told = [spans.total(s) for s in seen if s is not None]
    assert told == pytest.approx([10 * sqrt(3)] * len(told), abs=1e-6)


@pytest.mark.interpreted
def test_lines_through_two_corners_are_told_truly_by_most_of_their_shifts() -> None:
    """Two shifts run along the line itself, and the others beside its corners."""
    for origin, direction in CORNER_TO_CORNER:
        lengths = [round(spans.total(s), 4) for s in readings(origin, direction) if s is not None]
        assert lengths.count(round(10 * sqrt(3), 4)) >= 6


@pytest.mark.interpreted
def test_an_inside_out_surface_tells_nothing_of_lines_that_cross_it() -> None:
    surface = surface_of(inverted(ball(10.0)))
    assert meshes.spans_in_surface(surface, np.array([0.1, 0.2, -30.0]), np.array([0.0, 0.0, 1.0])) is None


@pytest.mark.interpreted
@pytest.mark.parametrize("outward", [1.0, -1.0])
def test_an_open_surface_tells_nothing_of_lines_through_its_hole(outward: float) -> None:
    mesh = ball(10.0)
    through = int(np.argmax(mesh.triangles_center[:, 2]))
    open_above = Surface(np.array(mesh.vertices), np.delete(np.array(mesh.faces), through, axis=0))
    x, y, _ = mesh.triangles_center[through]
    line = np.array([x, y, -30.0 * outward]), np.array([0.0, 0.0, outward])
    assert meshes.spans_in_surface(surface_of(mesh), *line) is not None
    assert meshes.spans_in_surface(open_above, *line) is None


@pytest.mark.interpreted
def test_a_line_that_misses_a_surface_is_nowhere_in_it() -> None:
    surface_spans = meshes.spans_in_surface(BRICK, np.array([20.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    assert surface_spans is not None
    assert surface_spans.shape == (0, 2)


@pytest.mark.interpreted
@given(seeds, st.sampled_from(["ball", "ring", "brick"]))
@settings(max_examples=30)
def test_least_distance_to_faces_is_the_least_over_pieces_and_triangles(seed, shape: str) -> None:
    rng = np.random.default_rng(seed)
    mesh = {
        "ball": lambda: ball(6.0),
        "ring": lambda: trimesh.creation.annulus(3.0, 8.0, 6.0, sections=8),
        "brick": lambda: brick((-7, -2, -1), (4, 5, 6)),
    }[shape]()
    surface = surface_of(mesh)
    corners = rng.uniform(-20.0, 20.0, (3, 3))
    corners = np.vstack([corners, corners[-1]])
    distances = to_triangles(np.array(mesh.triangles))
    least = min(least_along(one, two, distances, len(mesh.faces)).min() for one, two in pairwise(corners))
    pieces = np.hstack([corners[:-1], corners[1:]])
    for cap in (1000.0, 4.0):
        got = meshes.least_distance_to_faces(pieces, surface.vertices_P, surface.faces, cap)
        assert got == pytest.approx(min(cap, least), abs=1e-6)
