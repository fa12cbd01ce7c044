"""Conflicts of needles: compared with least squares, brute force and FCL, and properties of any needles."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_needles import (
    BARE,
    HARDWARE,
    Stretch,
    least_squares_distance,
    needles_at,
    part_pairs,
    points_of,
    random_needles,
    request_of,
    rigidly_moved,
    spare_mm,
    swept_parts,
)
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from planner.implant.needles.conflicts import (
    Hardware,
    Needles,
    conflict_graph,
    conflict_pairs,
    hardware_of,
    narrowest_gap,
    needles_between,
)
from planner.implant.needles.pair_kernel import stretch_distance2
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(0, 7)

# Integers give parallel, crossing and touching stretches; other numbers give none.
coordinates = st.one_of(st.integers(-4, 4).map(float), st.floats(-9.0, 9.0).map(lambda x: round(x, 3)))
vectors = st.tuples(coordinates, coordinates, coordinates).map(np.array)
unit_vectors = vectors.filter(lambda v: bool(np.abs(v).max() > 0.1)).map(lambda v: v / np.linalg.norm(v))
lengths = st.one_of(st.just(0.0), st.integers(1, 9).map(float), st.floats(0.01, 20.0))
stretches = st.tuples(vectors, unit_vectors, coordinates, lengths).map(lambda x: (*x[:3], x[2] + x[3]))


def distance(stretch: Stretch, other: Stretch) -> float:
    return float(np.sqrt(stretch_distance2(*stretch, *other)))


def ends(stretch: Stretch) -> tuple[np.ndarray, np.ndarray]:
    p, u, first, last = stretch
    return p + first * u, p + last * u


def pairs_of(needles: Needles, hardware: Hardware) -> list[list[int]]:
    return conflict_pairs(needles, hardware).tolist()


# --- distances


@pytest.mark.interpreted
@given(stretches, stretches)
def test_distance_is_the_bounded_least_squares_solution(stretch, other_stretch) -> None:
    assert distance(stretch, other_stretch) == pytest.approx(
        least_squares_distance(stretch, other_stretch), abs=1e-6
    )


@pytest.mark.interpreted
@given(stretches, stretches)
@settings(max_examples=20)
def test_distance_agrees_with_a_grid_of_points(first_stretch, other_stretch) -> None:
    n = 201
    x, y = (np.linspace(*ends(stretch), n) for stretch in (first_stretch, other_stretch))
    sampled = np.linalg.norm(x[:, None] - y[None], axis=2).min()
    # Each stretch's nearest point lies within half a step of a sample.
    half_steps = (first_stretch[3] - first_stretch[2] + other_stretch[3] - other_stretch[2]) / (2 * (n - 1))
    assert sampled - half_steps - 1e-9 <= distance(first_stretch, other_stretch) <= sampled + 1e-9


@pytest.mark.interpreted
@given(stretches, stretches)
@settings(max_examples=20)
def test_no_descent_finds_a_nearer_pair_of_points(stretch, other_stretch) -> None:
    (p, u, a0, a1), (q, v, b0, b1) = stretch, other_stretch

    def half_distance2(at: np.ndarray) -> tuple[float, np.ndarray]:
        away = p + at[0] * u - q - at[1] * v
        return 0.5 * away @ away, np.array([away @ u, -away @ v])

    start = [0.5 * (a0 + a1), 0.5 * (b0 + b1)]
    result = minimize(half_distance2, start, jac=True, bounds=[(a0, a1), (b0, b1)], method="L-BFGS-B")
    assert distance(stretch, other_stretch) <= np.sqrt(2.0 * result.fun) + 1e-9


@pytest.mark.interpreted
@given(stretches, stretches)
def test_distance_is_independent_of_order_and_direction(stretch, other_stretch) -> None:
    expected = distance(stretch, other_stretch)
    (p, u, first, last), (q, v, b0, b1) = stretch, other_stretch
    for pair in (
        (other_stretch, stretch),
        ((p, -u, -last, -first), other_stretch),
        (stretch, (q, -v, -b1, -b0)),
        ((p + 3.0 * u, u, first - 3.0, last - 3.0), other_stretch),
    ):
        assert distance(*pair) == pytest.approx(expected, abs=1e-6)


@pytest.mark.interpreted
@given(stretches, stretches, seeds)
def test_distance_is_unchanged_by_a_rigid_motion(stretch, other_stretch, seed) -> None:
    turn = Rotation.random(random_state=seed)
    shift = np.array([30.0, -200.0, 100.0])
    moved_stretches = [
        (turn.apply(p) + shift, turn.apply(u), first, last) for p, u, first, last in (stretch, other_stretch)
    ]
    assert distance(*moved_stretches) == pytest.approx(distance(stretch, other_stretch), abs=1e-6)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("stretch", "other_stretch", "expected"),
    [
        (((0, 0, 0), (1, 0, 0), 0, 4), ((1, 0, 3), (0, 1, 0), -1, 1), 3.0),  # skew, nearest inside both
        (((0, 0, 0), (1, 0, 0), 0, 4), ((1, 0, 0), (0, 1, 0), -1, 1), 0.0),  # crossing
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 2, 0), (1, 0, 0), 1, 9), 2.0),  # parallel, side by side
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 2, 0), (-1, 0, 0), -9, -1), 2.0),  # head to tail
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 4, 0), (1, 0, 0), 7, 9), 5.0),  # one after the other: 3-4-5
        (((0, 0, 0), (1, 0, 0), 7, 9), ((0, 4, 0), (1, 0, 0), 0, 4), 5.0),
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 0, 0), (1, 0, 0), 3, 9), 0.0),  # along one line, overlapping
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 0, 0), (1, 0, 0), 6, 9), 2.0),  # along one line, apart
        (((0, 0, 0), (1, 0, 0), 0, 4), ((0, 4, 0), (0, 0, 1), 0, 0), 4.0),  # beside a point
        (((1, 1, 1), (1, 0, 0), 0, 0), ((2, 3, 3), (0, 1, 0), 0, 0), 3.0),  # two points: 1-2-2
        (((0, 0, 0), (1, 0, 0), 0, 2), ((3, 0, 2), (0, 1, 0), 2, 9), 3.0),  # end to end: 1-2-2
        (((0, 0, 0), (1, 0, 0), 0, 2), ((5, 0, 1), (0, 1, 0), -9, 9), np.sqrt(10.0)),  # end to inside
    ],
)
def test_distances_known_by_hand(stretch, other_stretch, expected) -> None:
    stretch, other_stretch = (
        (np.array(p, float), np.array(u, float), *map(float, at)) for p, u, *at in (stretch, other_stretch)
    )
    assert distance(stretch, other_stretch) == pytest.approx(expected, abs=1e-12)
    assert distance(other_stretch, stretch) == pytest.approx(expected, abs=1e-12)


@pytest.mark.interpreted
@given(st.integers(-16, -1), st.floats(0.0, 9.0), st.floats(10.0, 400.0), seeds)
def test_distances_of_nearly_parallel_needles_keep_their_accuracy(
    power, distance_mm, length_mm, seed
) -> None:
    """The needles cross at a tenth of their length, at angles down to zero."""
    rotation = Rotation.random(random_state=seed)
    angle = 10.0**power
    u, v = rotation.apply([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0]])
    p = np.array([90.0, -200.0, 40.0])
    q = p + 0.1 * length_mm * u - 0.1 * length_mm * v + rotation.apply([0.0, 0.0, distance_mm])
    assert distance((p, u, 0.0, length_mm), (q, v, 0.0, length_mm)) == pytest.approx(distance_mm, abs=1e-11)


# --- conflicts


@given(seeds, counts, st.sampled_from([HARDWARE, BARE]))
def test_conflict_pairs_are_those_with_parts_too_near(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    expected = [[i, j] for i, j in combinations(range(count), 2) if spare_mm(needles, hardware, i, j) < 0.0]
    assert pairs_of(needles, hardware) == expected


@given(seeds, counts)
def test_the_order_of_needles_changes_no_pair(seed, count) -> None:
    needles = random_needles(seed, count)
    shuffled = np.random.default_rng(seed).permutation(count)
    pairs = {frozenset(shuffled[pair]) for pair in pairs_of(needles.of(shuffled), HARDWARE)}
    assert pairs == {frozenset(pair) for pair in pairs_of(needles, HARDWARE)}


@given(seeds, counts)
def test_moving_all_needles_changes_no_pair(seed, count) -> None:
    needles = random_needles(seed, count)
    assert pairs_of(rigidly_moved(needles, seed), HARDWARE) == pairs_of(needles, HARDWARE)


@given(seeds, counts, st.floats(0.0, 20.0))
def test_larger_sizes_never_remove_a_conflict(seed, count, increase_mm) -> None:
    needles = random_needles(seed, count)
    pairs = {tuple(pair) for pair in pairs_of(needles, HARDWARE)}
    for size in ("needle_clearance_mm", "hub_length_mm", "hub_radius_mm", "needle_radius_mm"):
        larger = replace(HARDWARE, **{size: getattr(HARDWARE, size) + increase_mm})
        assert pairs <= {tuple(pair) for pair in pairs_of(needles, larger)}, size


@given(seeds, st.integers(1, 7))
def test_another_needle_changes_no_pair_of_the_others(seed, count) -> None:
    needles = random_needles(seed, count)
    fewer = pairs_of(needles.of(np.arange(count - 1)), HARDWARE)
    assert fewer == [pair for pair in pairs_of(needles, HARDWARE) if count - 1 not in pair]


@given(seeds, st.sampled_from([2.27, 8.0, 4.635]))
def test_a_bundle_at_the_least_pitch_has_no_conflicts_in_any_frame(seed, pitch) -> None:
    """Shafts, hubs, or a hub and a shaft are beside each other."""
    hardware = {2.27: BARE, 8.0: HARDWARE, 4.635: replace(HARDWARE, needle_length_mm=30.0)}[pitch]
    # A depth difference of a hub's length and its two round ends, which puts a hub beside a shaft
    step = 0.0 if pitch != 4.635 else 45.0
    numbers = np.arange(3.0)[:, None]
    for spacing, conflicts in ((pitch, []), (pitch - 1e-5, [[0, 1], [1, 2]])):
        tips = numbers * [spacing, 0.0, step]
        bundle = needles_at(tips, np.tile([0.0, 0.0, 1.0], (3, 1)), np.full(3, 50.0))
        assert pairs_of(rigidly_moved(bundle, seed), hardware) == conflicts


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("tip", "outward", "parts", "gap_mm"),
    [
        ((3.0, 0.0, 0.0), (0, 0, 1), "hubs", -5.0),
        ((1.275, -50.0, 150.0), (0, 1, 0), "shafts", 0.005),
        ((2.005, -50.0, 150.0), (0, 1, 0), "shafts", 0.735),
        ((2.2695, -50.0, 150.0), (0, 1, 0), "shafts", 0.9995),
        ((2.0, 0.0, 100.0), (0, 0, 1), "hub and shaft", -2.635),
        ((0.5, -50.0, 150.0), (0, 1, 0), "shafts", -0.77),
        ((2.635, -50.0, 215.0), (0, 1, 0), "hub and shaft", -2.0),
        ((-215.0, 2.635, 50.0), (1, 0, 0), "shaft and hub", -2.0),
        ((8.0, 0.0, 0.0), (0, 0, 1), None, None),
        ((4.635, 0.0, 240.0), (0, 0, 1), None, None),
        ((2.27, -50.0, 150.0), (0, 1, 0), None, None),
    ],
)
def test_the_narrowest_gap_of_two_needles_known_by_hand(tip, outward, parts, gap_mm) -> None:
    """The first needle starts at the origin along z: shaft to 200 mm, hub to 230 mm."""
    needles = needles_at([(0.0, 0.0, 0.0), tip], [(0, 0, 1), outward], [80.0, 80.0])
    gap, reverse_gap = narrowest_gap(needles, HARDWARE, 0, 1), narrowest_gap(needles, HARDWARE, 1, 0)
    assert pairs_of(needles, HARDWARE) == ([] if parts is None else [[0, 1]])
    if parts is None:
        assert gap is reverse_gap is None
        return
    reverse_parts = {"hub and shaft": "shaft and hub", "shaft and hub": "hub and shaft"}.get(parts, parts)
    assert (gap.parts, reverse_gap.parts) == (parts, reverse_parts)
    assert gap.apart_mm == reverse_gap.apart_mm == pytest.approx(gap_mm, abs=1e-9)
    assert gap.need_mm == (HARDWARE.needle_clearance_mm if parts == "shafts" else 0.0)


@given(seeds, st.integers(2, 7), st.sampled_from([HARDWARE, BARE]))
def test_there_is_a_narrowest_gap_for_every_conflict_and_no_other_pair(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    gaps = {(i, j): narrowest_gap(needles, hardware, i, j) for i, j in combinations(range(count), 2)}
    assert [list(pair) for pair, lack in gaps.items() if lack] == pairs_of(needles, hardware)


def test_the_conflict_graph_contains_all_needles_and_pairs() -> None:
    graph = conflict_graph(np.array([[0, 2], [1, 2]]), 4)
    assert set(graph) == {0, 1, 2, 3}
    assert set(graph.edges) == {(0, 2), (1, 2)}
    assert set(conflict_graph(np.empty((0, 2), int), 2)) == {0, 1}


def test_one_thread_and_many_find_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    needles = random_needles(3, 200)
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        results.append(pairs_of(needles, HARDWARE))
    assert results[0] == results[1]


# --- comparison with FCL


def fcl_body(fcl, shape, needles: Needles, i: int, part):
    """A part of a needle as one of FCL's shapes, which lie along z around their centre."""
    _, first, last, radius = part
    direction = needles.outward_P[i]
    turn = Rotation.align_vectors(direction[None], [[0.0, 0.0, 1.0]])[0].as_matrix()
    middle = needles.tip_P[i] + 0.5 * (first + last) * direction
    return fcl.CollisionObject(shape(radius, last - first), fcl.Transform(turn, middle))


@given(seeds)
def test_distances_of_capsules_agree_with_fcl(seed) -> None:
    fcl = pytest.importorskip("fcl")
    needles = random_needles(seed, 2)
    for _, first_part, second_part, _ in part_pairs(HARDWARE):
        bodies = (
            fcl_body(fcl, fcl.Capsule, needles, i, part) for i, part in ((0, first_part), (1, second_part))
        )
        fcl_mm = fcl.distance(*bodies, fcl.DistanceRequest(), fcl.DistanceResult())
        axes = (
            (needles.tip_P[i], needles.outward_P[i], *part[1:3])
            for i, part in ((0, first_part), (1, second_part))
        )
        assert distance(*axes) - first_part[3] - second_part[3] == pytest.approx(fcl_mm, abs=1e-5)


@given(seeds, st.integers(2, 7))
def test_needles_with_cylinders_that_overlap_in_fcl_conflict(seed, count) -> None:
    """Real hubs are cylinders; capsules must find every overlap of them."""
    fcl = pytest.importorskip("fcl")
    needles = random_needles(seed, count)
    bodies = [
        [fcl_body(fcl, fcl.Cylinder, needles, i, p) for p in swept_parts(HARDWARE)] for i in range(count)
    ]
    overlapping = [
        [i, j]
        for i, j in combinations(range(count), 2)
        if any(
            fcl.collide(body, other_body, fcl.CollisionRequest(), fcl.CollisionResult())
            for body in bodies[i]
            for other_body in bodies[j]
        )
    ]
    assert all(pair in pairs_of(needles, HARDWARE) for pair in overlapping)


# --- needles and hardware from records


def test_hardware_has_the_sizes_of_the_request() -> None:
    assert hardware_of(Needle(), PoseRequest()) == Hardware(200.0, 0.635, 30.0, 4.0, 1.0)
    assert hardware_of(request_of(HARDWARE).needle, request_of(HARDWARE).pose, 2.5) == replace(
        HARDWARE, needle_clearance_mm=2.5
    )
    assert hardware_of(Needle(), PoseRequest(hub_length_mm=0.0)) == BARE


@given(seeds, counts)
def test_needles_run_from_their_tips_to_their_entries(seed, count) -> None:
    needles = random_needles(seed, count)
    entries, tips = (np.array([p[n] for p in points_of(needles)], float).reshape(count, 3) for n in (1, 2))
    rebuilt = needles_between(entries, tips)
    assert len(rebuilt) == count
    np.testing.assert_allclose(rebuilt.outward_P, needles.outward_P, atol=1e-12)
    np.testing.assert_allclose(rebuilt.length_mm, needles.length_mm, atol=1e-9)
    np.testing.assert_array_equal(rebuilt.tip_P, needles.tip_P)


@pytest.mark.parametrize("entry", [(0.0, 0.0, 0.0), (np.nan, 0.0, 0.0), (np.inf, 0.0, 0.0)])
def test_a_needle_without_a_direction_is_refused(entry) -> None:
    tips = np.zeros((2, 3))
    with pytest.raises(ValueError, match="needle 1: no direction"):
        needles_between(np.array([(0.0, 0.0, 9.0), entry]), tips)
