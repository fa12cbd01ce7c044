"""The order of insertion: against driving every needle step by step, and against all orders there are."""

from itertools import combinations, pairwise, permutations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_needles import (
    BARE,
    CROSSED,
    HARDWARE,
    NO_ORDER,
    crowd,
    needles_at,
    part_pairs,
    random_needles,
    rigidly_moved,
    ring,
    spare_mm,
)

from planner.implant.needles.conflicts import Hardware, Needles, conflict_pairs
from planner.implant.needles.insertion_order import (
    insertion_order,
    must_precede,
    mutually_blocking_pairs,
    shortest_cycle,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)

STEP_MM = 1.0
"""How far a needle moves between two looks at it."""


def point_segment_distances(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """From points (n, 3) to the segment p-q."""
    t = np.clip((x - p) @ (q - p) / ((q - p) @ (q - p)), 0.0, 1.0)
    return np.linalg.norm(x - p - t[:, None] * (q - p), axis=1)


def least_room_driving(needles: Needles, hardware: Hardware, driven: int, other: int) -> float:
    """What a needle has to spare beside another in place, on its way in from the skin, step by step. [mm]

    Both the steps and the points looked at are STEP_MM apart, so that the true least is at most that less.
    """
    least = np.inf
    tip, d, depth = needles.tip_P[driven], needles.outward_P[driven], needles.length_mm[driven]
    for shift in np.append(np.arange(depth, 0.0, -STEP_MM), 0.0):
        for _, one, two, need in part_pairs(hardware):
            s = np.append(np.arange(one[1], one[2], STEP_MM), one[2])
            still = [needles.tip_P[other] + at * needles.outward_P[other] for at in two[1:3]]
            away = point_segment_distances(tip + (s + shift)[:, None] * d, *still)
            least = min(least, away.min() - one[3] - two[3] - need)
    return float(least)


def stoppers(needles: Needles, hardware: Hardware) -> set[tuple[int, int]]:
    """Pairs (first, later) by least squares on what is swept."""
    rows = range(len(needles))
    return {
        (i, j)
        for i in rows
        for j in rows
        if i != j and spare_mm(needles, hardware, i, j, float(needles.length_mm[i])) < 0.0
    }


def found(needles: Needles, hardware: Hardware) -> set[tuple[int, int]]:
    return {(i, j) for i, j in must_precede(needles, hardware).tolist()}


# --- who must go before whom


@given(seeds)
@few
def test_a_needle_is_stopped_where_driving_it_step_by_step_says(seed) -> None:
    needles = crowd(seed, 4)
    for i, j in permutations(range(len(needles)), 2):
        spare = least_room_driving(needles, HARDWARE, i, j)
        if spare < 0.0:
            assert (i, j) in found(needles, HARDWARE)
        if spare > STEP_MM:
            assert (i, j) not in found(needles, HARDWARE)


@given(seeds, st.integers(0, 6), st.sampled_from([HARDWARE, BARE]))
def test_a_needle_is_stopped_where_least_squares_says(seed, count, hardware) -> None:
    for needles in (random_needles(seed, count), crowd(seed, count + 1, hardware)):
        assert found(needles, hardware) == stoppers(needles, hardware)


@given(seeds, st.integers(2, 7))
def test_conflicts_are_among_the_pairs_that_block_each_other(seed, count) -> None:
    needles = random_needles(seed, count)
    both = mutually_blocking_pairs(needles, HARDWARE).tolist()
    assert all(pair in both for pair in conflict_pairs(needles, HARDWARE).tolist())
    stops = found(needles, HARDWARE)
    assert both == [[i, j] for i, j in combinations(range(count), 2) if (i, j) in stops and (j, i) in stops]


def test_two_hubs_that_lean_together_block_each_other_without_a_conflict() -> None:
    pair = ring(2, 4.05, -0.3, 0.0)
    assert conflict_pairs(pair, HARDWARE).tolist() == []
    assert mutually_blocking_pairs(pair, HARDWARE).tolist() == [[0, 1]]
    assert insertion_order(pair, HARDWARE).cycle == (0, 1)


@pytest.mark.interpreted
def test_of_two_close_parallel_needles_the_one_whose_hub_lies_deeper_goes_first() -> None:
    """6 mm apart: a hub does not get past a hub, but beside a shaft it does."""
    pair = needles_at([(0, 0, 0), (6, 0, -50)], [(0, 0, 1)] * 2, [80.0, 60.0])
    assert must_precede(pair, HARDWARE).tolist() == [[1, 0]]
    assert insertion_order(pair, HARDWARE).order == (1, 0)
    assert must_precede(pair, BARE).tolist() == []
    assert insertion_order(pair, BARE).order == (0, 1)


@pytest.mark.interpreted
@pytest.mark.parametrize("hardware", [HARDWARE, BARE])
def test_a_needle_across_the_way_in_must_wait(hardware) -> None:
    assert must_precede(CROSSED, hardware).tolist() == [[0, 1]]
    assert must_precede(CROSSED.of(np.array([1, 0])), hardware).tolist() == [[1, 0]]


# --- orders


@given(seeds, st.integers(1, 8))
@few
def test_every_needle_can_be_driven_step_by_step_in_the_order(seed, count) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    assert sorted(order) == list(range(len(needles)))
    for n, driven in enumerate(order):
        assert all(least_room_driving(needles, HARDWARE, driven, j) > -1e-6 for j in order[:n])


@given(seeds, st.integers(2, 5))
def test_there_is_an_order_exactly_where_one_of_all_is_free(seed, count) -> None:
    for needles in (random_needles(seed, count), crowd(seed, count)):
        stops = stoppers(needles, HARDWARE)
        free = [
            order
            for order in permutations(range(len(needles)))
            if not any((later, earlier) in stops for earlier, later in combinations(order, 2))
        ]
        order = insertion_order(needles, HARDWARE).order
        assert order in free if free else order is None


@given(seeds, st.integers(2, 9))
def test_of_the_needles_that_are_free_the_deepest_goes_next(seed, count) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    stops = found(needles, HARDWARE)
    for at, driven in enumerate(order):
        left = order[at:]
        free = [i for i in left if not any((j, i) in stops for j in left)]
        assert needles.length_mm[driven] == max(needles.length_mm[i] for i in free)


@given(seeds, st.integers(1, 9))
def test_what_is_given_first_changes_no_order(seed, count) -> None:
    for needles in (crowd(seed, count), ring(4, 30.0, 0.0, 0.0)):
        shuffled = np.random.default_rng(seed).permutation(len(needles))
        order = insertion_order(needles.of(shuffled), HARDWARE).order
        assert tuple(shuffled[list(order)]) == insertion_order(needles, HARDWARE).order


@given(seeds, st.integers(1, 9))
def test_moving_all_needles_changes_no_order(seed, count) -> None:
    needles = crowd(seed, count)
    assert insertion_order(rigidly_moved(needles, seed), HARDWARE) == insertion_order(needles, HARDWARE)


@given(seeds, st.integers(2, 8), st.data())
def test_a_needle_left_out_breaks_no_order(seed, count, data) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    out = data.draw(st.sampled_from(order))
    rest = np.array([i for i in range(len(needles)) if i != out], int)
    assert insertion_order(needles.of(rest), HARDWARE).order is not None
    stops = found(needles, HARDWARE)
    left = [i for i in order if i != out]
    assert not any((later, earlier) in stops for earlier, later in combinations(left, 2))


def test_no_needles_are_in_order() -> None:
    assert insertion_order(random_needles(0, 0), HARDWARE).order == ()


# --- cycles


def assert_shortest(needles: Needles, cycle: tuple[int, ...]) -> None:
    """Each stops the one before, and no fewer of them do so in a circle."""
    stops = found(needles, HARDWARE)
    assert all(pair in stops for pair in pairwise([*cycle, cycle[0]]))
    assert cycle[0] == min(cycle)
    for out in cycle:
        rest = needles.of(np.array([i for i in cycle if i != out]))
        assert insertion_order(rest, HARDWARE).order is not None


def test_three_needles_that_stop_each_other_in_a_circle_have_no_order() -> None:
    assert mutually_blocking_pairs(NO_ORDER, HARDWARE).tolist() == []
    order = insertion_order(NO_ORDER, HARDWARE)
    assert (order.order, len(order.cycle)) == (None, 3)
    assert_shortest(NO_ORDER, order.cycle)


@given(seeds, st.integers(3, 5), st.floats(4.0, 9.0), st.floats(-0.7, 0.2), st.floats(-0.8, 0.8))
def test_a_cycle_is_one_and_no_part_of_it_is(seed, count, radius, outward, turned) -> None:
    around = ring(count, radius, outward, turned)
    beside = crowd(seed, 3)
    needles = Needles(
        np.concatenate([beside.tip_P + 500.0, around.tip_P]),
        np.concatenate([beside.outward_P, around.outward_P]),
        np.concatenate([beside.length_mm, around.length_mm]),
    )
    order = insertion_order(needles, HARDWARE)
    assert (order.order is None) == bool(order.cycle)
    if order.cycle:
        assert_shortest(needles, order.cycle)


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda e: e[0] != e[1])))
def test_the_shortest_cycle_of_a_graph_is_as_short_as_any(edges) -> None:
    graph = nx.DiGraph(sorted(edges))
    graph.add_nodes_from(range(7))
    cycle = shortest_cycle(graph)
    lengths = [len(c) for c in nx.simple_cycles(graph)]
    assert len(cycle) == min(lengths, default=0)
    if cycle:
        assert all(graph.has_edge(*pair) for pair in pairwise([*cycle, cycle[0]]))
        assert len(set(cycle)) == len(cycle)
        assert cycle[0] == min(cycle)
