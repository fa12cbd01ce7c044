"""Conflicts of needles: against least squares, brute force and FCL, and what must hold of any needles."""

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

# Whole numbers give parallels, crossings and shared ends; the others give none.
coordinate = st.one_of(st.integers(-4, 4).map(float), st.floats(-9.0, 9.0).map(lambda x: round(x, 3)))
vector = st.tuples(coordinate, coordinate, coordinate).map(np.array)
direction = vector.filter(lambda v: bool(np.abs(v).max() > 0.1)).map(lambda v: v / np.linalg.norm(v))
length = st.one_of(st.just(0.0), st.integers(1, 9).map(float), st.floats(0.01, 20.0))
stretches = st.tuples(vector, direction, coordinate, length).map(lambda x: (*x[:3], x[2] + x[3]))


def distance(one: Stretch, two: Stretch) -> float:
    return float(np.sqrt(stretch_distance2(*one, *two)))


def ends(one: Stretch) -> tuple[np.ndarray, np.ndarray]:
    p, u, first, last = one
    return p + first * u, p + last * u


def pairs_of(needles: Needles, hardware: Hardware) -> list[list[int]]:
    return conflict_pairs(needles, hardware).tolist()


# --- distances


@pytest.mark.interpreted
@given(stretches, stretches)
def test_distance_is_the_bounded_least_squares_solution(one, two) -> None:
    assert distance(one, two) == pytest.approx(least_squares_distance(one, two), abs=1e-6)


@pytest.mark.interpreted
@given(stretches, stretches)
@settings(max_examples=20)
def test_distance_is_the_least_over_a_grid_of_points(one, two) -> None:
    n = 201
    x, y = (np.linspace(*ends(stretch), n) for stretch in (one, two))
    sampled = np.linalg.norm(x[:, None] - y[None], axis=2).min()
    # Each stretch's nearest point lies within half a step of a sample.
    half_steps = (one[3] - one[2] + two[3] - two[2]) / (2 * (n - 1))
    assert sampled - half_steps - 1e-9 <= distance(one, two) <= sampled + 1e-9


@pytest.mark.interpreted
@given(stretches, stretches)
@settings(max_examples=20)
def test_no_descent_finds_a_nearer_pair_of_points(one, two) -> None:
    (p, u, a0, a1), (q, v, b0, b1) = one, two

    def half_distance2(at: np.ndarray) -> tuple[float, np.ndarray]:
        away = p + at[0] * u - q - at[1] * v
        return 0.5 * away @ away, np.array([away @ u, -away @ v])

    start = [0.5 * (a0 + a1), 0.5 * (b0 + b1)]
    found = minimize(half_distance2, start, jac=True, bounds=[(a0, a1), (b0, b1)], method="L-BFGS-B")
    assert distance(one, two) <= np.sqrt(2.0 * found.fun) + 1e-9


@pytest.mark.interpreted
@given(stretches, stretches)
def test_distance_knows_neither_first_nor_direction(one, two) -> None:
    here = distance(one, two)
    (p, u, first, last), (q, v, b0, b1) = one, two
    for other in (
        (two, one),
        ((p, -u, -last, -first), two),
        (one, (q, -v, -b1, -b0)),
        ((p + 3.0 * u, u, first - 3.0, last - 3.0), two),
    ):
        assert distance(*other) == pytest.approx(here, abs=1e-6)


@pytest.mark.interpreted
@given(stretches, stretches, seeds)
def test_distance_stays_when_both_are_moved(one, two, seed) -> None:
    turn = Rotation.random(random_state=seed)
    by = np.array([30.0, -200.0, 100.0])
    there = [(turn.apply(p) + by, turn.apply(u), first, last) for p, u, first, last in (one, two)]
    assert distance(*there) == pytest.approx(distance(one, two), abs=1e-6)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("one", "two", "known"),
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
def test_distances_known_by_hand(one, two, known) -> None:
    one, two = ((np.array(p, float), np.array(u, float), *map(float, at)) for p, u, *at in (one, two))
    assert distance(one, two) == pytest.approx(known, abs=1e-12)
    assert distance(two, one) == pytest.approx(known, abs=1e-12)


@pytest.mark.interpreted
@given(st.integers(-16, -1), st.floats(0.0, 9.0), st.floats(10.0, 400.0), seeds)
def test_needles_that_are_nearly_parallel_lose_no_digits(power, apart, long, seed) -> None:
    """They cross at a tenth of their length, at any angle down to none."""
    turned = Rotation.random(random_state=seed)
    angle = 10.0**power
    u, v = turned.apply([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0]])
    p = np.array([90.0, -200.0, 40.0])
    q = p + 0.1 * long * u - 0.1 * long * v + turned.apply([0.0, 0.0, apart])
    assert distance((p, u, 0.0, long), (q, v, 0.0, long)) == pytest.approx(apart, abs=1e-11)


# --- conflicts


@given(seeds, counts, st.sampled_from([HARDWARE, BARE]))
def test_pairs_are_those_whose_parts_come_too_near(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    near = [[i, j] for i, j in combinations(range(count), 2) if spare_mm(needles, hardware, i, j) < 0.0]
    assert pairs_of(needles, hardware) == near


@given(seeds, counts)
def test_what_comes_first_changes_no_pair(seed, count) -> None:
    needles = random_needles(seed, count)
    shuffled = np.random.default_rng(seed).permutation(count)
    found = {frozenset(shuffled[pair]) for pair in pairs_of(needles.of(shuffled), HARDWARE)}
    assert found == {frozenset(pair) for pair in pairs_of(needles, HARDWARE)}


@given(seeds, counts)
def test_moving_all_needles_changes_no_pair(seed, count) -> None:
    needles = random_needles(seed, count)
    assert pairs_of(rigidly_moved(needles, seed), HARDWARE) == pairs_of(needles, HARDWARE)


@given(seeds, counts, st.floats(0.0, 20.0))
def test_more_of_anything_never_frees_a_pair(seed, count, more) -> None:
    needles = random_needles(seed, count)
    here = {tuple(pair) for pair in pairs_of(needles, HARDWARE)}
    for change in ("needle_clearance_mm", "hub_length_mm", "hub_radius_mm", "needle_radius_mm"):
        larger = replace(HARDWARE, **{change: getattr(HARDWARE, change) + more})
        assert here <= {tuple(pair) for pair in pairs_of(needles, larger)}, change


@given(seeds, st.integers(1, 7))
def test_another_needle_changes_nothing_between_the_rest(seed, count) -> None:
    needles = random_needles(seed, count)
    fewer = pairs_of(needles.of(np.arange(count - 1)), HARDWARE)
    assert fewer == [pair for pair in pairs_of(needles, HARDWARE) if count - 1 not in pair]


@given(seeds, st.sampled_from([2.27, 8.0, 4.635]))
def test_a_bundle_spaced_just_as_it_needs_conflicts_in_no_frame(seed, pitch) -> None:
    """Beside each other lie shafts, hubs, or a hub and a shaft."""
    hardware = {2.27: BARE, 8.0: HARDWARE, 4.635: replace(HARDWARE, needle_length_mm=30.0)}[pitch]
    # Deeper by the length of a hub and its two round ends, so that a hub lies beside a shaft.
    step = 0.0 if pitch != 4.635 else 45.0
    at = np.arange(3.0)[:, None]
    for spacing, conflicts in ((pitch, []), (pitch - 1e-5, [[0, 1], [1, 2]])):
        tips = at * [spacing, 0.0, step]
        bundle = needles_at(tips, np.tile([0.0, 0.0, 1.0], (3, 1)), np.full(3, 50.0))
        assert pairs_of(rigidly_moved(bundle, seed), hardware) == conflicts


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("tip", "outward", "parts", "apart_mm"),
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
def test_which_parts_of_two_needles_lack_most_known_by_hand(tip, outward, parts, apart_mm) -> None:
    """One stands on the origin along z: shaft to 200 mm, hub to 230 mm."""
    both = needles_at([(0.0, 0.0, 0.0), tip], [(0, 0, 1), outward], [80.0, 80.0])
    lack, turned = narrowest_gap(both, HARDWARE, 0, 1), narrowest_gap(both, HARDWARE, 1, 0)
    assert pairs_of(both, HARDWARE) == ([] if parts is None else [[0, 1]])
    if parts is None:
        assert lack is turned is None
        return
    swapped = {"hub and shaft": "shaft and hub", "shaft and hub": "hub and shaft"}.get(parts, parts)
    assert (lack.parts, turned.parts) == (parts, swapped)
    assert lack.apart_mm == turned.apart_mm == pytest.approx(apart_mm, abs=1e-9)
    assert lack.need_mm == (HARDWARE.needle_clearance_mm if parts == "shafts" else 0.0)


@given(seeds, st.integers(2, 7), st.sampled_from([HARDWARE, BARE]))
def test_there_is_a_lack_for_every_conflict_and_for_no_other_pair(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    lacks = {(i, j): narrowest_gap(needles, hardware, i, j) for i, j in combinations(range(count), 2)}
    assert [list(pair) for pair, lack in lacks.items() if lack] == pairs_of(needles, hardware)


def test_the_graph_holds_all_needles_and_the_pairs() -> None:
    graph = conflict_graph(np.array([[0, 2], [1, 2]]), 4)
    assert set(graph) == {0, 1, 2, 3}
    assert set(graph.edges) == {(0, 2), (1, 2)}
    assert set(conflict_graph(np.empty((0, 2), int), 2)) == {0, 1}


def test_one_thread_or_many_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    needles = random_needles(3, 200)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        found.append(pairs_of(needles, HARDWARE))
    assert found[0] == found[1]


# --- against FCL


def fcl_body(fcl, shape, needles: Needles, i: int, part):
    """A part of a needle as one of FCL's shapes, which stand along z about their centre."""
    _, first, last, radius = part
    along = needles.outward_P[i]
    turn = Rotation.align_vectors(along[None], [[0.0, 0.0, 1.0]])[0].as_matrix()
    middle = needles.tip_P[i] + 0.5 * (first + last) * along
    return fcl.CollisionObject(shape(radius, last - first), fcl.Transform(turn, middle))


@given(seeds)
def test_capsules_are_as_far_apart_as_fcl_says(seed) -> None:
    fcl = pytest.importorskip("fcl")
    needles = random_needles(seed, 2)
    for _, one, two, _ in part_pairs(HARDWARE):
        bodies = (fcl_body(fcl, fcl.Capsule, needles, i, part) for i, part in ((0, one), (1, two)))
        theirs = fcl.distance(*bodies, fcl.DistanceRequest(), fcl.DistanceResult())
        axes = ((needles.tip_P[i], needles.outward_P[i], *part[1:3]) for i, part in ((0, one), (1, two)))
        assert distance(*axes) - one[3] - two[3] == pytest.approx(theirs, abs=1e-5)


@given(seeds, st.integers(2, 7))
def test_needles_whose_cylinders_fcl_finds_to_overlap_conflict(seed, count) -> None:
    """Hubs are cylinders in truth: capsules must miss no overlap."""
    fcl = pytest.importorskip("fcl")
    needles = random_needles(seed, count)
    bodies = [
        [fcl_body(fcl, fcl.Cylinder, needles, i, p) for p in swept_parts(HARDWARE)] for i in range(count)
    ]
    overlapping = [
        [i, j]
        for i, j in combinations(range(count), 2)
        if any(
            fcl.collide(one, two, fcl.CollisionRequest(), fcl.CollisionResult())
            for one in bodies[i]
            for two in bodies[j]
        )
    ]
    assert all(pair in pairs_of(needles, HARDWARE) for pair in overlapping)


# --- how needles and hardware are made


def test_hardware_is_what_the_request_says() -> None:
    assert hardware_of(Needle(), PoseRequest()) == Hardware(200.0, 0.635, 30.0, 4.0, 1.0)
    assert hardware_of(request_of(HARDWARE).needle, request_of(HARDWARE).pose, 2.5) == replace(
        HARDWARE, needle_clearance_mm=2.5
    )
    assert hardware_of(Needle(), PoseRequest(hub_length_mm=0.0)) == BARE


@given(seeds, counts)
def test_needles_run_from_their_tips_to_their_entries(seed, count) -> None:
    needles = random_needles(seed, count)
    entries, tips = (np.array([p[n] for p in points_of(needles)], float).reshape(count, 3) for n in (1, 2))
    made = needles_between(entries, tips)
    assert len(made) == count
    np.testing.assert_allclose(made.outward_P, needles.outward_P, atol=1e-12)
    np.testing.assert_allclose(made.length_mm, needles.length_mm, atol=1e-9)
    np.testing.assert_array_equal(made.tip_P, needles.tip_P)


@pytest.mark.parametrize("entry", [(0.0, 0.0, 0.0), (np.nan, 0.0, 0.0), (np.inf, 0.0, 0.0)])
def test_a_needle_without_a_direction_is_refused(entry) -> None:
    tips = np.zeros((2, 3))
    with pytest.raises(ValueError, match="needle 1: no direction"):
        needles_between(np.array([(0.0, 0.0, 9.0), entry]), tips)
