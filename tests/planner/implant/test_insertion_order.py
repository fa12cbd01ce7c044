"""The order of insertion, compared with moving every needle step by step and with all possible orders."""

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
few_examples = settings(max_examples=25)

STEP_MM = 1.0
"""How far a needle moves between two samples. [mm]"""


def point_segment_distances(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Distances (n,) from points (n, 3) to the segment p-q."""
    t = np.clip((x - p) @ (q - p) / ((q - p) @ (q - p)), 0.0, 1.0)
    return np.linalg.norm(x - p - t[:, None] * (q - p), axis=1)


def least_clearance_while_inserted(needles: Needles, hardware: Hardware, driven: int, other: int) -> float:
    """Least spare clearance between a needle inserted step by step and another in place. [mm]

    Steps and sampled points are STEP_MM apart, so the true value is at most STEP_MM smaller.
    """
    least_mm = np.inf
    tip, d, depth = needles.tip_P[driven], needles.outward_P[driven], needles.length_mm[driven]
    for shift in np.append(np.arange(depth, 0.0, -STEP_MM), 0.0):
        for _, moving_part, fixed_part, need in part_pairs(hardware):
            s = np.append(np.arange(moving_part[1], moving_part[2], STEP_MM), moving_part[2])
            segment_ends = [needles.tip_P[other] + at * needles.outward_P[other] for at in fixed_part[1:3]]
            distances = point_segment_distances(tip + (s + shift)[:, None] * d, *segment_ends)
            least_mm = min(least_mm, distances.min() - moving_part[3] - fixed_part[3] - need)
    return float(least_mm)


def blocking_pairs(needles: Needles, hardware: Hardware) -> set[tuple[int, int]]:
    """Pairs (first, later), by least squares on the swept parts."""
    rows = range(len(needles))
    return {
        (i, j)
        for i in rows
        for j in rows
        if i != j and spare_mm(needles, hardware, i, j, float(needles.length_mm[i])) < 0.0
    }


def precedence_pairs(needles: Needles, hardware: Hardware) -> set[tuple[int, int]]:
    return {(i, j) for i, j in must_precede(needles, hardware).tolist()}


# --- which needle must be inserted first


@given(seeds)
@few_examples
def test_blocked_needles_agree_with_stepwise_insertion(seed) -> None:
    needles = crowd(seed, 4)
    for i, j in permutations(range(len(needles)), 2):
        spare_mm = least_clearance_while_inserted(needles, HARDWARE, i, j)
        if spare_mm < 0.0:
            assert (i, j) in precedence_pairs(needles, HARDWARE)
        if spare_mm > STEP_MM:
            assert (i, j) not in precedence_pairs(needles, HARDWARE)


@given(seeds, st.integers(0, 6), st.sampled_from([HARDWARE, BARE]))
def test_blocked_needles_agree_with_least_squares(seed, count, hardware) -> None:
    for needles in (random_needles(seed, count), crowd(seed, count + 1, hardware)):
        assert precedence_pairs(needles, hardware) == blocking_pairs(needles, hardware)


@given(seeds, st.integers(2, 7))
def test_conflicts_are_among_the_pairs_that_block_each_other(seed, count) -> None:
    needles = random_needles(seed, count)
    mutual_pairs = mutually_blocking_pairs(needles, HARDWARE).tolist()
    assert all(pair in mutual_pairs for pair in conflict_pairs(needles, HARDWARE).tolist())
    precedence = precedence_pairs(needles, HARDWARE)
    assert mutual_pairs == [
        [i, j] for i, j in combinations(range(count), 2) if (i, j) in precedence and (j, i) in precedence
    ]


def test_two_hubs_that_lean_together_block_each_other_without_a_conflict() -> None:
    pair = ring(2, 4.05, -0.3, 0.0)
    assert conflict_pairs(pair, HARDWARE).tolist() == []
    assert mutually_blocking_pairs(pair, HARDWARE).tolist() == [[0, 1]]
    assert insertion_order(pair, HARDWARE).cycle == (0, 1)


@pytest.mark.interpreted
def test_of_two_close_parallel_needles_the_one_with_the_deeper_hub_goes_first() -> None:
    """6 mm apart, a hub cannot pass another hub but can pass a shaft."""
    pair = needles_at([(0, 0, 0), (6, 0, -50)], [(0, 0, 1)] * 2, [80.0, 60.0])
    assert must_precede(pair, HARDWARE).tolist() == [[1, 0]]
    assert insertion_order(pair, HARDWARE).order == (1, 0)
    assert must_precede(pair, BARE).tolist() == []
    assert insertion_order(pair, BARE).order == (0, 1)


@pytest.mark.interpreted
@pytest.mark.parametrize("hardware", [HARDWARE, BARE])
def test_a_needle_across_an_insertion_path_goes_last(hardware) -> None:
    assert must_precede(CROSSED, hardware).tolist() == [[0, 1]]
    assert must_precede(CROSSED.of(np.array([1, 0])), hardware).tolist() == [[1, 0]]


# --- orders


@given(seeds, st.integers(1, 8))
@few_examples
def test_every_needle_can_be_inserted_stepwise_in_the_order(seed, count) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    assert sorted(order) == list(range(len(needles)))
    for n, needle in enumerate(order):
        assert all(least_clearance_while_inserted(needles, HARDWARE, needle, j) > -1e-6 for j in order[:n])


@given(seeds, st.integers(2, 5))
def test_there_is_an_order_exactly_if_brute_force_finds_one(seed, count) -> None:
    for needles in (random_needles(seed, count), crowd(seed, count)):
        blocking = blocking_pairs(needles, HARDWARE)
        possible_orders = [
            order
            for order in permutations(range(len(needles)))
            if not any((later, earlier) in blocking for earlier, later in combinations(order, 2))
        ]
        order = insertion_order(needles, HARDWARE).order
        assert order in possible_orders if possible_orders else order is None


@given(seeds, st.integers(2, 9))
def test_the_deepest_unblocked_needle_goes_next(seed, count) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    precedence = precedence_pairs(needles, HARDWARE)
    for position, needle in enumerate(order):
        remaining = order[position:]
        unblocked = [i for i in remaining if not any((j, i) in precedence for j in remaining)]
        assert needles.length_mm[needle] == max(needles.length_mm[i] for i in unblocked)


@given(seeds, st.integers(1, 9))
def test_the_input_order_of_needles_does_not_change_the_result(seed, count) -> None:
    for needles in (crowd(seed, count), ring(4, 30.0, 0.0, 0.0)):
        shuffled = np.random.default_rng(seed).permutation(len(needles))
        order = insertion_order(needles.of(shuffled), HARDWARE).order
        assert tuple(shuffled[list(order)]) == insertion_order(needles, HARDWARE).order


@given(seeds, st.integers(1, 9))
def test_moving_all_needles_changes_no_order(seed, count) -> None:
    needles = crowd(seed, count)
    assert insertion_order(rigidly_moved(needles, seed), HARDWARE) == insertion_order(needles, HARDWARE)


@given(seeds, st.integers(2, 8), st.data())
def test_an_order_stays_possible_without_one_needle(seed, count, data) -> None:
    needles = crowd(seed, count)
    order = insertion_order(needles, HARDWARE).order
    assert order is not None
    left_out = data.draw(st.sampled_from(order))
    others = np.array([i for i in range(len(needles)) if i != left_out], int)
    assert insertion_order(needles.of(others), HARDWARE).order is not None
    precedence = precedence_pairs(needles, HARDWARE)
    remaining = [i for i in order if i != left_out]
    assert not any((later, earlier) in precedence for earlier, later in combinations(remaining, 2))


def test_without_needles_the_order_is_empty() -> None:
    assert insertion_order(random_needles(0, 0), HARDWARE).order == ()


# --- cycles


def assert_shortest(needles: Needles, cycle: tuple[int, ...]) -> None:
    """Each blocks the one before, and no smaller number of them forms a cycle."""
    precedence = precedence_pairs(needles, HARDWARE)
    assert all(pair in precedence for pair in pairwise([*cycle, cycle[0]]))
    assert cycle[0] == min(cycle)
    for left_out in cycle:
        others = needles.of(np.array([i for i in cycle if i != left_out]))
        assert insertion_order(others, HARDWARE).order is not None


def test_three_needles_in_a_blocking_cycle_have_no_order() -> None:
    assert mutually_blocking_pairs(NO_ORDER, HARDWARE).tolist() == []
    order = insertion_order(NO_ORDER, HARDWARE)
    assert (order.order, len(order.cycle)) == (None, 3)
    assert_shortest(NO_ORDER, order.cycle)


@given(seeds, st.integers(3, 5), st.floats(4.0, 9.0), st.floats(-0.7, 0.2), st.floats(-0.8, 0.8))
def test_a_reported_cycle_is_a_shortest_cycle(seed, count, radius, outward, tangential) -> None:
    ring_needles = ring(count, radius, outward, tangential)
    distant_needles = crowd(seed, 3)
    needles = Needles(
        np.concatenate([distant_needles.tip_P + 500.0, ring_needles.tip_P]),
        np.concatenate([distant_needles.outward_P, ring_needles.outward_P]),
        np.concatenate([distant_needles.length_mm, ring_needles.length_mm]),
    )
    order = insertion_order(needles, HARDWARE)
    assert (order.order is None) == bool(order.cycle)
    if order.cycle:
        assert_shortest(needles, order.cycle)


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda e: e[0] != e[1])))
def test_the_shortest_cycle_of_a_graph_has_the_least_length(edges) -> None:
    graph = nx.DiGraph(sorted(edges))
    graph.add_nodes_from(range(7))
    cycle = shortest_cycle(graph)
    lengths = [len(c) for c in nx.simple_cycles(graph)]
    assert len(cycle) == min(lengths, default=0)
    if cycle:
        assert all(graph.has_edge(*pair) for pair in pairwise([*cycle, cycle[0]]))
        assert len(set(cycle)) == len(cycle)
        assert cycle[0] == min(cycle)
