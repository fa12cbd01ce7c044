from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from box_scenes import grid_of
from hypothesis import given
from hypothesis import strategies as st
from small_chests import unit

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.masks import VoxelMask, mask_from_bool
from planner.implant.needles.template_bundles import APART_DEG, _directions, _holes
from planner.implant.needles.tracks import (
    ENTRIES_APART_MM,
    NEAR_MM,
    PTV_PLACES,
    TRACKS_PER_PLACE,
    Tracks,
    _cheapest_apart,
    candidate_rows,
    covered,
    join_tracks,
    needle_cost_mm,
    reach_mm,
    seed_spans,
)
from planner.implant.set_cover import (
    RELATIVE_GAP,
    UNCOVERED,
    NoCover,
    Rule,
    cheapest_cover,
    conflict_rules,
)
from planner.search.kernels.line import LENGTH, LUNG, PUNCTURES, TIP
from planner.search.search import SafeLines

NONE = np.zeros(0, int)


def all_sets(n: int) -> list[np.ndarray]:
    return [np.array(rows, int) for k in range(n + 1) for rows in combinations(range(n), k)]


def keeps(rules: list[Rule], rows: np.ndarray) -> bool:
    return all(np.isin(rule.tracks, rows).sum() <= rule.most for rule in rules)


def open_points(covers: np.ndarray, rows: np.ndarray) -> int:
    """Different points that some track covers, and none of these."""
    needed = np.unique(covers[:, covers.any(axis=0)], axis=1)
    return int((~needed[rows].any(axis=0)).sum())


def no_more(rows: np.ndarray) -> list[Rule]:
    return []


@st.composite
def instances(draw):
    """A small programme: costs, what covers what, a conflict graph, and one or no track given."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(0, 7))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    pairs = [p for p in combinations(range(n), 2) if rng.random() < draw(st.sampled_from([0.0, 0.2, 0.6]))]
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(n))
    given = rng.choice(n, draw(st.integers(0, 1)), replace=False).astype(int)
    return rng.integers(1, 20, n).astype(float), rng.random((n, m)) < 0.35, graph, given


@given(instances(), st.integers(1, 8))
def test_no_set_that_enumeration_finds_is_cheaper_than_the_cover_allows(made, most):
    cost, covers, graph, held = made
    rules = [Rule(tuple(range(len(cost))), most), *conflict_rules(graph, held)]
    cover = cheapest_cover(cost, covers, rules, held, no_more)
    price = UNCOVERED * cost.max()

    def total(rows: np.ndarray) -> float:
        return float(cost[rows].sum()) + price * open_points(covers, rows)

    allowed = [rows for rows in all_sets(len(cost)) if set(held) <= set(rows) and keeps(rules, rows)]
    assert keeps(rules, cover.rows)
    assert set(held) <= set(cover.rows)
    assert cover.objective == pytest.approx(cost[cover.rows].sum())
    assert total(cover.rows) <= min(map(total, allowed)) / (1.0 - RELATIVE_GAP) + 1e-6
    left_open = open_points(covers, cover.rows)
    as_good = [float(cost[rows].sum()) for rows in allowed if open_points(covers, rows) <= left_open]
    assert cover.bound <= min(as_good) + 1e-6
    assert cover.bound <= cover.objective


@given(instances())
def test_sets_that_turn_out_broken_are_never_chosen(made):
    cost, covers, _, held = made

    def broken(rows: np.ndarray) -> list[Rule]:
        # As an order that cannot be driven does: neighbours of three do not go together.
        cycles = [(n, n + 1, n + 2) for n in range(len(cost) - 2) if np.isin([n, n + 1, n + 2], rows).all()]
        return [Rule(cycle, 2) for cycle in cycles[:1]]

    cover = cheapest_cover(cost, covers, [], held, broken)
    assert not broken(cover.rows)
    kept = [rows for rows in all_sets(len(cost)) if set(held) <= set(rows) and not broken(rows)]
    left_open = open_points(covers, cover.rows)
    assert cover.bound <= min(cost[r].sum() for r in kept if open_points(covers, r) <= left_open) + 1e-6


@given(instances())
def test_rules_hold_every_conflict_and_nothing_else_and_ask_nothing_of_two_given(made):
    _, _, graph, _ = made
    for held in (NONE, np.arange(min(2, len(graph)))):
        rules = conflict_rules(graph, held)
        asked = {tuple(sorted(pair)) for rule in rules for pair in combinations(rule.tracks, 2)}
        expected = {tuple(sorted(edge)) for edge in graph.edges if not set(edge) <= set(held.tolist())}
        assert asked == expected
        assert all(rule.most == 1 for rule in rules)


def test_given_needles_that_break_a_rule_have_no_cover():
    everything = np.ones((3, 2), bool)
    with pytest.raises(NoCover):
        cheapest_cover(np.ones(3), everything, [Rule((0, 1, 2), 1)], np.array([0, 1]), no_more)


def test_rules_without_end_have_no_cover():
    with pytest.raises(NoCover):
        cheapest_cover(np.ones(2), np.ones((2, 1), bool), [], NONE, lambda rows: [Rule((0, 1), 2)])


def test_many_rules_that_turn_up_one_by_one_join_in_at_once():
    # Forty tracks alike, each pair of neighbours in conflict: a few rounds do not name them all.
    cost, covers = np.ones(40), np.eye(40, dtype=bool)
    rules = [Rule((n, n + 1), 1) for n in range(39)]
    cover = cheapest_cover(cost, covers, rules, NONE, no_more)
    assert keeps(rules, cover.rows)
    assert len(cover.rows) == 20


# Tracks


def tracks_at(tips: object, outwards: object, spans: list) -> Tracks:
    tip = np.array(tips, float).reshape(-1, 3)
    n = len(tip)
    return Tracks(
        tip, unit(np.array(outwards, float).reshape(-1, 3)), np.full(n, 50.0), np.zeros(n), np.zeros(n, int),
        tuple(tuple(s) for s in spans),
    )  # fmt: skip


@given(st.integers(0, 9999))
def test_the_reach_of_a_track_is_what_samples_along_its_spans_give(seed):
    rng = np.random.default_rng(seed)
    spans = [[(1.0, 4.0), (6.0, 6.0)], [], [(0.0, 20.0)]]
    tracks = tracks_at(rng.normal(size=(3, 3)) * 5, rng.normal(size=(3, 3)), spans)
    points = rng.normal(size=(6, 3)) * 8
    found = reach_mm(tracks, points)
    for n, track in enumerate(spans):
        s = np.concatenate([np.linspace(a, b, 4001) for a, b in track]) if track else np.zeros(0)
        places = tracks.tip_B[n] + s[:, None] * tracks.outward_B[n]
        for p, point in enumerate(points):
            sampled = np.linalg.norm(places - point, axis=1).min(initial=np.inf)
            assert found[n, p] == pytest.approx(sampled, abs=1e-4)
    assert np.array_equal(covered(found, 3.0), found <= 3.0)


def ball_mask(grid, radius_mm: float) -> VoxelMask:
    centres = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    away = (centres - (np.array(grid.shape) - 1) / 2) * grid.spacing_mm
    return mask_from_bool(np.linalg.norm(away, axis=-1) <= radius_mm)


@given(st.integers(0, 9999), st.sampled_from([4.5, 5.0]))
def test_a_seed_anywhere_in_a_span_lies_in_the_mask_and_one_beyond_its_ends_does_not(seed, seed_mm):
    rng = np.random.default_rng(seed)
    grid = grid_of((21, 17, 15), (1.0, 1.3, 1.5))
    mask = ball_mask(grid, 9.0)
    holes = mask.cropped() & (rng.random(mask.cropped().shape) > 0.02)
    whole = np.zeros(grid.shape, bool)
    whole[tuple(slice(a, b) for a, b in zip(mask.lower, mask.upper, strict=True))] = holes
    mask = mask_from_bool(whole)
    middle = (np.array(grid.shape) - 1) / 2 * grid.spacing_mm
    outward = unit(rng.normal(size=3))
    tip = middle + rng.uniform(-4, 4, 3) - rng.uniform(0.0, 12.0) * outward
    length = 22.0

    def wholly_inside(s: float) -> bool:
        first, last = s - seed_mm / 2, s + seed_mm / 2
        if first < -1e-9 or last > length + 1e-9:
            return False
        # In which voxel the axis is, between each two planes that it goes through.
        planes = [(np.arange(n + 1) - 0.5) * h for n, h in zip(grid.shape, grid.spacing_mm, strict=True)]
        through = np.concatenate([(p - t) / o for p, t, o in zip(planes, tip, outward, strict=True)])
        cuts = np.sort([first, *through[(through > first) & (through < last)], last])
        middles = (0.5 * (cuts[1:] + cuts[:-1]))[np.diff(cuts) > 2e-6]
        index = np.floor((tip + middles[:, None] * outward) / grid.spacing_mm + 0.5).astype(int)
        in_grid = ((index >= 0) & (index < grid.shape)).all(axis=1)
        return bool(in_grid.all() and whole[tuple(index.T)].all())

    spans = seed_spans(mask, grid, tip, outward, length, seed_mm)
    assert all(a <= b for a, b in spans)
    assert list(spans) == sorted(spans)
    for s in np.linspace(0.0, length, 301):
        if all(min(abs(s - a), abs(s - b)) > 1e-5 for a, b in spans):
            assert wholly_inside(float(s)) == any(a < s < b for a, b in spans)


def test_joined_tracks_keep_their_order_and_taken_ones_their_rows():
    one = tracks_at([(0, 0, 0)], [(0, 0, 1)], [[(1.0, 2.0)]])
    two = tracks_at([(1, 0, 0), (2, 0, 0)], [(0, 1, 0), (1, 0, 0)], [[], [(3.0, 4.0)]])
    both = join_tracks(one, two)
    assert both.tip_B[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert both.spans == (((1.0, 2.0),), (), ((3.0, 4.0),))
    assert both.take(np.array([2, 0])).spans == (((3.0, 4.0),), ((1.0, 2.0),))


def lines_through(mask: VoxelMask, grid, count: int, seed: int) -> SafeLines:
    """Lines through places of the mask from all sides, each 40 mm deep, with lung and punctures at random."""
    rng = np.random.default_rng(seed)
    index = np.argwhere(mask.cropped()) + mask.lower
    point = (index[rng.integers(len(index), size=count)]) * grid.spacing_mm
    quantities = np.zeros((count, 16), np.float64)
    quantities[:, TIP] = -rng.uniform(0.0, 6.0, count)
    quantities[:, LENGTH] = 40.0
    quantities[:, LUNG] = rng.integers(0, 30, count)
    quantities[:, PUNCTURES] = rng.integers(0, 3, count)
    return SafeLines(point, unit(rng.normal(size=(count, 3))), quantities)


def test_the_cheapest_line_around_every_place_is_kept_and_entries_around_it_lie_apart():
    grid = grid_of((15, 15, 15), (2.0, 2.0, 2.0))
    mask = ball_mask(grid, 8.0)
    lines = lines_through(mask, grid, 500, 2)
    kept = candidate_rows(lines, mask, grid, 10.0)
    assert np.array_equal(kept, np.unique(kept))
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], 10.0)
    tip = lines.point_B + lines.quantities[:, TIP, None] * lines.outward_B
    for place in even_points_B(mask, grid, PTV_PLACES):
        along = ((place - tip) * lines.outward_B).sum(axis=1)
        across = np.linalg.norm(place - tip - along[:, None] * lines.outward_B, axis=1)
        near = (across < NEAR_MM - 1e-9) & (along > 0.0)
        assert not near.any() or cost[kept][near[kept]].min() == cost[near].min()


@given(st.integers(0, 9999), st.integers(1, 120))
def test_the_cheapest_around_a_place_are_kept_whose_entries_lie_apart(seed, count):
    rng = np.random.default_rng(seed)
    cost, entry = rng.integers(0, 20, count).astype(float), rng.uniform(0.0, 60.0, (count, 3))
    near = np.flatnonzero(rng.random(count) < 0.7)
    kept = _cheapest_apart(near, cost, entry)
    assert set(kept) <= set(near.tolist()) and len(kept) <= TRACKS_PER_PLACE
    away = np.linalg.norm(entry[:, None] - entry[None], axis=2)
    assert all(away[a, b] >= ENTRIES_APART_MM for a, b in combinations(kept, 2))
    # Whatever is left out stands behind one that is no dearer, or came too late.
    for row in set(near.tolist()) - set(kept):
        behind = any(away[row, k] < ENTRIES_APART_MM and cost[k] <= cost[row] for k in kept)
        assert behind or (len(kept) == TRACKS_PER_PLACE and cost[row] >= max(cost[kept]))


def test_too_many_lines_are_thinned_to_the_cheapest_of_each_neighbourhood(monkeypatch):
    from planner.implant.needles import tracks as module

    grid = grid_of((15, 15, 15), (2.0, 2.0, 2.0))
    lines = lines_through(ball_mask(grid, 8.0), grid, 3000, 3)
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], 10.0)
    monkeypatch.setattr(module, "MAX_LINES", 300)
    rows = module._thinned(lines, cost)
    assert 0 < len(rows) <= 300
    assert np.array_equal(rows, np.unique(rows))
    assert cost[rows].mean() < cost.mean()
    assert cost[rows].min() == cost.min()


# Bundles


@given(st.integers(0, 9999), st.floats(2.0, 9.0))
def test_holes_lie_on_a_lattice_across_the_direction_that_covers_the_shadow(seed, pitch_mm):
    rng = np.random.default_rng(seed)
    direction = unit(rng.normal(size=3))
    corners = rng.uniform(-15.0, 15.0, (30, 3)) + rng.uniform(-50.0, 50.0, 3)
    holes = _holes(corners, direction, pitch_mm)
    middle = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    assert np.allclose((holes - middle) @ direction, 0.0, atol=1e-9)
    apart = np.linalg.norm(holes[:, None] - holes[None], axis=2) / pitch_mm
    assert np.allclose(apart**2, np.round(apart**2), atol=1e-6)
    across = corners - middle - ((corners - middle) @ direction)[:, None] * direction
    nearest = np.linalg.norm((holes - middle)[:, None] - across[None], axis=2).min(axis=0)
    assert (nearest <= pitch_mm / np.sqrt(2.0) + 1e-9).all()


def test_directions_come_cheapest_first_and_well_apart():
    grid = grid_of((15, 15, 15), (2.0, 2.0, 2.0))
    lines = lines_through(ball_mask(grid, 8.0), grid, 500, 4)
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], 10.0)
    chosen = _directions(lines, 10.0)
    assert np.array_equal(chosen[0], lines.outward_B[cost.argmin()])
    for one, two in combinations(chosen, 2):
        assert np.degrees(np.arccos(np.clip(one @ two, -1.0, 1.0))) >= APART_DEG - 1e-6
