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


def satisfies(rules: list[Rule], rows: np.ndarray) -> bool:
    return all(np.isin(rule.tracks, rows).sum() <= rule.most for rule in rules)


def uncovered_points(covers: np.ndarray, rows: np.ndarray) -> int:
    """The number of distinct points that some track covers, but none of these rows."""
    needed = np.unique(covers[:, covers.any(axis=0)], axis=1)
    return int((~needed[rows].any(axis=0)).sum())


def no_further_rules(rows: np.ndarray) -> list[Rule]:
    return []


@st.composite
def instances(draw):
    """A small programme: costs, the points that each track covers, a conflict graph, and at most one given
    track."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(0, 7))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    pairs = [p for p in combinations(range(n), 2) if rng.random() < draw(st.sampled_from([0.0, 0.2, 0.6]))]
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(n))
    given = rng.choice(n, draw(st.integers(0, 1)), replace=False).astype(int)
    return rng.integers(1, 20, n).astype(float), rng.random((n, m)) < 0.35, graph, given


@given(instances(), st.integers(1, 8))
def test_no_enumerated_set_is_cheaper_than_the_cover_allows(instance, max_tracks):
    cost, covers, graph, given_rows = instance
    rules = [Rule(tuple(range(len(cost))), max_tracks), *conflict_rules(graph, given_rows)]
    cover = cheapest_cover(cost, covers, rules, given_rows, no_further_rules)
    uncovered_cost = UNCOVERED * cost.max()

    def total(rows: np.ndarray) -> float:
        return float(cost[rows].sum()) + uncovered_cost * uncovered_points(covers, rows)

    allowed_sets = [
        rows for rows in all_sets(len(cost)) if set(given_rows) <= set(rows) and satisfies(rules, rows)
    ]
    assert satisfies(rules, cover.rows)
    assert set(given_rows) <= set(cover.rows)
    assert cover.objective == pytest.approx(cost[cover.rows].sum())
    assert total(cover.rows) <= min(map(total, allowed_sets)) / (1.0 - RELATIVE_GAP) + 1e-6
    uncovered = uncovered_points(covers, cover.rows)
    costs = [float(cost[rows].sum()) for rows in allowed_sets if uncovered_points(covers, rows) <= uncovered]
    assert cover.bound <= min(costs) + 1e-6
    assert cover.bound <= cover.objective


@given(instances())
def test_sets_that_break_a_later_rule_are_never_chosen(instance):
    cost, covers, _, given_rows = instance

    def broken_rules(rows: np.ndarray) -> list[Rule]:
        # Like an impossible insertion order: three neighbours are not allowed together.
        cycles = [(n, n + 1, n + 2) for n in range(len(cost) - 2) if np.isin([n, n + 1, n + 2], rows).all()]
        return [Rule(cycle, 2) for cycle in cycles[:1]]

    cover = cheapest_cover(cost, covers, [], given_rows, broken_rules)
    assert not broken_rules(cover.rows)
    allowed_sets = [
        rows for rows in all_sets(len(cost)) if set(given_rows) <= set(rows) and not broken_rules(rows)
    ]
    uncovered = uncovered_points(covers, cover.rows)
    assert (
        cover.bound
        <= min(cost[r].sum() for r in allowed_sets if uncovered_points(covers, r) <= uncovered) + 1e-6
    )


@given(instances())
def test_rules_are_exactly_the_conflicts_without_those_of_two_given_needles(instance):
    _, _, graph, _ = instance
    for given_rows in (NONE, np.arange(min(2, len(graph)))):
        rules = conflict_rules(graph, given_rows)
        pairs = {tuple(sorted(pair)) for rule in rules for pair in combinations(rule.tracks, 2)}
        expected = {tuple(sorted(edge)) for edge in graph.edges if not set(edge) <= set(given_rows.tolist())}
        assert pairs == expected
        assert all(rule.most == 1 for rule in rules)


def test_given_needles_that_break_a_rule_have_no_cover():
    all_covered = np.ones((3, 2), bool)
    with pytest.raises(NoCover):
        cheapest_cover(np.ones(3), all_covered, [Rule((0, 1, 2), 1)], np.array([0, 1]), no_further_rules)


def test_endless_rules_have_no_cover():
    with pytest.raises(NoCover):
        cheapest_cover(np.ones(2), np.ones((2, 1), bool), [], NONE, lambda rows: [Rule((0, 1), 2)])


def test_many_rules_are_added_together():
    # Forty equal tracks with conflicts between neighbours: a few rounds cannot find all of them one by one.
    cost, covers = np.ones(40), np.eye(40, dtype=bool)
    rules = [Rule((n, n + 1), 1) for n in range(39)]
    cover = cheapest_cover(cost, covers, rules, NONE, no_further_rules)
    assert satisfies(rules, cover.rows)
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
def test_the_reach_of_a_track_agrees_with_samples_along_its_spans(seed):
    rng = np.random.default_rng(seed)
    spans = [[(1.0, 4.0), (6.0, 6.0)], [], [(0.0, 20.0)]]
    tracks = tracks_at(rng.normal(size=(3, 3)) * 5, rng.normal(size=(3, 3)), spans)
    points = rng.normal(size=(6, 3)) * 8
    reaches = reach_mm(tracks, points)
    for n, track in enumerate(spans):
        s = np.concatenate([np.linspace(a, b, 4001) for a, b in track]) if track else np.zeros(0)
        samples = tracks.tip_B[n] + s[:, None] * tracks.outward_B[n]
        for p, point in enumerate(points):
            expected = np.linalg.norm(samples - point, axis=1).min(initial=np.inf)
            assert reaches[n, p] == pytest.approx(expected, abs=1e-4)
    assert np.array_equal(covered(reaches, 3.0), reaches <= 3.0)


def ball_mask(grid, radius_mm: float) -> VoxelMask:
    centres = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    offsets_mm = (centres - (np.array(grid.shape) - 1) / 2) * grid.spacing_mm
    return mask_from_bool(np.linalg.norm(offsets_mm, axis=-1) <= radius_mm)


@given(st.integers(0, 9999), st.sampled_from([4.5, 5.0]))
def test_a_seed_lies_in_the_mask_exactly_if_its_centre_is_in_a_span(seed, seed_mm):
    rng = np.random.default_rng(seed)
    grid = grid_of((21, 17, 15), (1.0, 1.3, 1.5))
    mask = ball_mask(grid, 9.0)
    ragged = mask.cropped() & (rng.random(mask.cropped().shape) > 0.02)
    voxels = np.zeros(grid.shape, bool)
    voxels[tuple(slice(a, b) for a, b in zip(mask.lower, mask.upper, strict=True))] = ragged
    mask = mask_from_bool(voxels)
    middle = (np.array(grid.shape) - 1) / 2 * grid.spacing_mm
    outward = unit(rng.normal(size=3))
    tip = middle + rng.uniform(-4, 4, 3) - rng.uniform(0.0, 12.0) * outward
    length = 22.0

    def wholly_inside(s: float) -> bool:
        first, last = s - seed_mm / 2, s + seed_mm / 2
        if first < -1e-9 or last > length + 1e-9:
            return False
        # The voxel of each piece of the axis between two planes that it crosses
        planes = [(np.arange(n + 1) - 0.5) * h for n, h in zip(grid.shape, grid.spacing_mm, strict=True)]
        crossings_mm = np.concatenate([(p - t) / o for p, t, o in zip(planes, tip, outward, strict=True)])
        cuts = np.sort([first, *crossings_mm[(crossings_mm > first) & (crossings_mm < last)], last])
        middles = (0.5 * (cuts[1:] + cuts[:-1]))[np.diff(cuts) > 2e-6]
        index = np.floor((tip + middles[:, None] * outward) / grid.spacing_mm + 0.5).astype(int)
        in_grid = ((index >= 0) & (index < grid.shape)).all(axis=1)
        return bool(in_grid.all() and voxels[tuple(index.T)].all())

    spans = seed_spans(mask, grid, tip, outward, length, seed_mm)
    assert all(a <= b for a, b in spans)
    assert list(spans) == sorted(spans)
    for s in np.linspace(0.0, length, 301):
        if all(min(abs(s - a), abs(s - b)) > 1e-5 for a, b in spans):
            assert wholly_inside(float(s)) == any(a < s < b for a, b in spans)


def test_joined_tracks_keep_their_order_and_selected_ones_their_rows():
    first = tracks_at([(0, 0, 0)], [(0, 0, 1)], [[(1.0, 2.0)]])
    second = tracks_at([(1, 0, 0), (2, 0, 0)], [(0, 1, 0), (1, 0, 0)], [[], [(3.0, 4.0)]])
    joined = join_tracks(first, second)
    assert joined.tip_B[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert joined.spans == (((1.0, 2.0),), (), ((3.0, 4.0),))
    assert joined.take(np.array([2, 0])).spans == (((3.0, 4.0),), ((1.0, 2.0),))


def lines_through(mask: VoxelMask, grid, count: int, seed: int) -> SafeLines:
    """Lines through points of the mask from all sides, each 40 mm long, with random lung and punctures."""
    rng = np.random.default_rng(seed)
    index = np.argwhere(mask.cropped()) + mask.lower
    point = (index[rng.integers(len(index), size=count)]) * grid.spacing_mm
    quantities = np.zeros((count, 16), np.float64)
    quantities[:, TIP] = -rng.uniform(0.0, 6.0, count)
    quantities[:, LENGTH] = 40.0
    quantities[:, LUNG] = rng.integers(0, 30, count)
    quantities[:, PUNCTURES] = rng.integers(0, 3, count)
    return SafeLines(point, unit(rng.normal(size=(count, 3))), quantities)


def test_the_cheapest_line_near_every_point_is_kept():
    grid = grid_of((15, 15, 15), (2.0, 2.0, 2.0))
    mask = ball_mask(grid, 8.0)
    lines = lines_through(mask, grid, 500, 2)
    rows = candidate_rows(lines, mask, grid, 10.0)
    assert np.array_equal(rows, np.unique(rows))
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], 10.0)
    tip = lines.point_B + lines.quantities[:, TIP, None] * lines.outward_B
    for point_B in even_points_B(mask, grid, PTV_PLACES):
        along_mm = ((point_B - tip) * lines.outward_B).sum(axis=1)
        lateral_mm = np.linalg.norm(point_B - tip - along_mm[:, None] * lines.outward_B, axis=1)
        near = (lateral_mm < NEAR_MM - 1e-9) & (along_mm > 0.0)
        assert not near.any() or cost[rows][near[rows]].min() == cost[near].min()


@given(st.integers(0, 9999), st.integers(1, 120))
def test_the_cheapest_lines_with_separate_entries_are_kept(seed, count):
    rng = np.random.default_rng(seed)
    cost, entry = rng.integers(0, 20, count).astype(float), rng.uniform(0.0, 60.0, (count, 3))
    near = np.flatnonzero(rng.random(count) < 0.7)
    rows = _cheapest_apart(near, cost, entry)
    assert set(rows) <= set(near.tolist()) and len(rows) <= TRACKS_PER_PLACE
    distances = np.linalg.norm(entry[:, None] - entry[None], axis=2)
    assert all(distances[a, b] >= ENTRIES_APART_MM for a, b in combinations(rows, 2))
    # Every line left out is near a kept one that costs no more, or exceeds the number of lines.
    for row in set(near.tolist()) - set(rows):
        near_cheaper = any(distances[row, k] < ENTRIES_APART_MM and cost[k] <= cost[row] for k in rows)
        assert near_cheaper or (len(rows) == TRACKS_PER_PLACE and cost[row] >= max(cost[rows]))


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
def test_holes_lie_on_a_lattice_across_the_direction_and_cover_the_projection(seed, pitch_mm):
    rng = np.random.default_rng(seed)
    direction = unit(rng.normal(size=3))
    corners = rng.uniform(-15.0, 15.0, (30, 3)) + rng.uniform(-50.0, 50.0, 3)
    holes = _holes(corners, direction, pitch_mm)
    middle = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    assert np.allclose((holes - middle) @ direction, 0.0, atol=1e-9)
    distances = np.linalg.norm(holes[:, None] - holes[None], axis=2) / pitch_mm
    assert np.allclose(distances**2, np.round(distances**2), atol=1e-6)
    projected = corners - middle - ((corners - middle) @ direction)[:, None] * direction
    nearest = np.linalg.norm((holes - middle)[:, None] - projected[None], axis=2).min(axis=0)
    assert (nearest <= pitch_mm / np.sqrt(2.0) + 1e-9).all()


def test_directions_are_sorted_by_cost_and_well_separated():
    grid = grid_of((15, 15, 15), (2.0, 2.0, 2.0))
    lines = lines_through(ball_mask(grid, 8.0), grid, 500, 4)
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], 10.0)
    chosen = _directions(lines, 10.0)
    assert np.array_equal(chosen[0], lines.outward_B[cost.argmin()])
    for direction, other in combinations(chosen, 2):
        assert np.degrees(np.arccos(np.clip(direction @ other, -1.0, 1.0))) >= APART_DEG - 1e-6
