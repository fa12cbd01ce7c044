"""Segment to box: compared with dense sampling, convexity, and cases known by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.measuring.segment_box import (
    clamped_polyline,
    nearest_parameter,
    point_box_distance2,
    segment_box_distance2,
    span_within,
)

pytestmark = pytest.mark.interpreted

coordinates = st.floats(-20, 20, allow_nan=False)
points = st.tuples(coordinates, coordinates, coordinates).map(np.array)
sizes = st.tuples(*[st.floats(0.1, 10)] * 3).map(np.array)


def distances(
    p: np.ndarray, q: np.ndarray, lower: np.ndarray, upper: np.ndarray, t: np.ndarray
) -> np.ndarray:
    x = p + t[:, None] * (q - p)
    return np.linalg.norm(np.maximum(0, np.maximum(lower - x, x - upper)), axis=1)


T = np.linspace(0, 1, 4001)


@given(points, points, points, sizes)
def test_distance_agrees_with_dense_samples(p, q, lower, extent):
    upper = lower + extent
    exact = np.sqrt(segment_box_distance2(p, q, lower, upper))
    sampled = distances(p, q, lower, upper, T).min()
    # Distance is 1-Lipschitz: samples miss the minimum by at most half a step.
    assert sampled - np.linalg.norm(q - p) / 8000 - 1e-9 <= exact <= sampled + 1e-9


@given(points, points, points, sizes)
def test_distance_is_independent_of_the_direction(p, q, lower, extent):
    distance2 = segment_box_distance2(p, q, lower, lower + extent)
    assert distance2 == pytest.approx(segment_box_distance2(q, p, lower, lower + extent), abs=1e-9)


@given(points, points, points, sizes, points)
def test_distance_is_unchanged_by_a_shift(p, q, lower, extent, shift):
    distance2 = segment_box_distance2(p, q, lower, lower + extent)
    shifted_distance2 = segment_box_distance2(p + shift, q + shift, lower + shift, lower + shift + extent)
    assert shifted_distance2 == pytest.approx(distance2, abs=1e-9)


@given(points, points, sizes)
def test_a_segment_of_length_zero_has_the_distance_of_a_point(p, lower, extent):
    assert segment_box_distance2(p, p, lower, lower + extent) == point_box_distance2(p, lower, lower + extent)


@pytest.mark.parametrize(
    ("p", "q", "distance"),
    [
        ((-5, 0.5, 0.5), (5, 0.5, 0.5), 0.0),  # through
        ((-5, 3, 0.5), (5, 3, 0.5), 2.0),  # along a face
        ((-5, 4, 5), (5, 4, 5), 5.0),  # along an edge: 3-4-5
        ((2, 3, 3), (5, 9, 9), 3.0),  # from a corner on outward: 1-2-2
        ((3, 0, 0.5), (0, 3, 0.5), np.sqrt(0.5)),  # across an edge
        ((1, 1, 1), (2, 2, 2), 0.0),  # touches a corner
    ],
)
def test_distances_known_by_hand(p, q, distance):
    p, q = (tuple(map(float, end)) for end in (p, q))
    got = segment_box_distance2(p, q, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert got == pytest.approx(distance**2, abs=1e-12)


@given(points, points, points, sizes)
def test_distance_is_least_at_the_nearest_parameter(p, q, lower, extent):
    t = nearest_parameter(p, q, lower, lower + extent)
    assert 0.0 <= t <= 1.0
    distance_mm = distances(p, q, lower, lower + extent, np.array([t]))[0]
    assert distance_mm**2 == pytest.approx(segment_box_distance2(p, q, lower, lower + extent), abs=1e-9)


@given(points, points, points, sizes, st.floats(0, 12))
def test_the_span_within_reach_agrees_with_distances(p, q, lower, extent, reach):
    upper = lower + extent
    first, last = span_within(p, q, lower, upper, reach)
    distances_mm = distances(p, q, lower, upper, T)
    inside = (first <= T) & (last >= T)
    assert (distances_mm[inside] <= reach + 1e-6).all()
    assert (distances_mm[~inside] >= reach - 1e-6).all()


@given(points, points, points, sizes, st.floats(0.1, 12))
def test_a_span_ends_at_the_reach_or_with_the_segment(p, q, lower, extent, reach):
    first, last = span_within(p, q, lower, lower + extent, reach)
    for end, segment_end in ((first, 0.0), (last, 1.0)):
        if first <= last and end != segment_end:
            distance_mm = distances(p, q, lower, lower + extent, np.array([end]))[0]
            assert distance_mm == pytest.approx(reach, abs=1e-6)


def test_the_span_of_a_segment_out_of_reach_is_empty():
    assert span_within((5.0, 5.0, 5.0), (6.0, 6.0, 6.0), (0.0,) * 3, (1.0,) * 3, 2.0) == (1.0, 0.0)


def test_a_span_known_by_hand():
    # A line at height 3 above a unit box, within 5 mm: 4 mm beyond each side of the box.
    p, q = np.array([-10.0, 4.0, 0.5]), np.array([10.0, 4.0, 0.5])
    first, last = span_within(p, q, np.zeros(3), np.ones(3), 5.0)
    assert (first * 20 - 10, last * 20 - 10) == pytest.approx((-4.0, 5.0))


@given(points, points, points, sizes)
def test_polyline_is_the_segment_clamped_point_by_point(p, q, lower, extent):
    upper = lower + extent
    line = clamped_polyline(p, q, lower, upper)
    assert np.allclose(line[0], np.clip(p, lower, upper))
    assert np.allclose(line[-1], np.clip(q, lower, upper))
    clamped = np.clip(p + T[::40, None] * (q - p), lower, upper)
    nearest = np.full(len(clamped), np.inf)
    for a, b in pairwise(line):
        d = b - a
        t = np.clip((clamped - a) @ d / max(d @ d, 1e-300), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(clamped - a - t[:, None] * d, axis=1))
    assert nearest.max() < 1e-6
