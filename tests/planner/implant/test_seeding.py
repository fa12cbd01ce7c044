from dataclasses import replace
from datetime import date
from functools import cache
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from ball_plans import ball_scene
from box_scenes import box_mask, grid_of, scene_of_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from small_chests import unit

from anatomy.structures import Role
from planner.dose.ptv import ptv_of
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.implant.needles.tracks import Tracks
from planner.implant.seeding.aim_points import ORGAN_POINTS, aim_points
from planner.implant.seeding.descent import MIN_GAIN, descended, with_fewest_seeds
from planner.implant.seeding.descent_kernel import descend
from planner.implant.seeding.exchange import exchanged
from planner.implant.seeding.fewest_seeds import FewestSeeds, fewest_seeds
from planner.implant.seeding.goal_cost_kernel import COLD_SLACK, COST_UNIT, GoalTable, cost_below, cost_with
from planner.implant.seeding.goals import (
    COLD_POINT_COST,
    HOT_POINT_COST,
    MISSED_GOAL_COST,
    PointGoal,
    goal_table,
    shortfalls,
    target_goals,
)
from planner.implant.seeding.placement_problem import SEED_COST, PlacementProblem
from planner.implant.seeding.seed_placement import FINE_POINTS
from planner.implant.seeding.slots import ROUNDING_MM, SeedSpacing, Slots, seed_spacing, slots_on
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Goals, OrganGoal, Prescription
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest

COVERAGE_RESERVE = 0.01

# The kernel


def brute_cost(goals: list[PointGoal], dose: np.ndarray) -> tuple[float, float]:
    """The cost by its definition, in float64."""
    total = missed = 0.0
    for g in goals:
        dose_gy = dose[g.first : g.last].astype(float)
        count = max(len(dose_gy), 1)
        if g.at_least:
            shortfall = np.maximum(g.dose_gy * (1.0 + float(COLD_SLACK)) - dose_gy, 0.0) / g.dose_gy
            total += COLD_POINT_COST * float((shortfall**2).sum()) / count
            missed_points = np.count_nonzero(dose_gy < g.dose_gy) - (1.0 - g.share) * count
        else:
            excess = np.clip(dose_gy / g.dose_gy - 1.0, 0.0, 0.5)
            total += HOT_POINT_COST * float(excess.sum()) / count
            missed_points = np.count_nonzero(dose_gy >= g.dose_gy) - g.share * count
        missed += MISSED_GOAL_COST * max(0.0, missed_points) / count
    return total + missed, missed


@st.composite
def goals_and_doses(draw):
    """Goals over runs of points, some of them empty; a dose, and rows of doses to add."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    m, n = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    goals = []
    for _ in range(draw(st.integers(0, 4))):
        first, last = sorted(rng.integers(0, m + 1, 2).tolist())
        dose_gy = float(rng.uniform(20.0, 300.0))
        goals.append(PointGoal(first, last, dose_gy, bool(rng.random() < 0.5), float(rng.random())))
    dose = rng.uniform(0.0, 250.0, m).astype(np.float32)
    return goals, dose, rng.uniform(0.0, 200.0, (n, m)).astype(np.float32)


@pytest.mark.interpreted
@given(goals_and_doses())
def test_the_kernel_agrees_with_the_definition_of_the_cost(goals_dose_rows):
    goals, dose, rows = goals_dose_rows
    table = goal_table(goals)
    rounding = sum((COLD_POINT_COST if g.at_least else HOT_POINT_COST) / COST_UNIT + 1e-3 for g in goals)
    for row in rows:
        total, missed = brute_cost(goals, dose + row)
        computed = cost_with(table, dose, row)
        assert computed[0] == pytest.approx(total, abs=rounding)
        assert computed[1] == pytest.approx(missed, abs=1e-9)


@pytest.mark.interpreted
@given(goals_and_doses(), st.floats(0.0, 2.0))
def test_cost_below_returns_the_cost_exactly_if_it_is_below_the_limit(goals_dose_rows, fraction):
    goals, dose, rows = goals_dose_rows
    table = goal_table(goals)
    for row in rows:
        cost = cost_with(table, dose, row)[0]
        computed = cost_below(table, dose, row, fraction * cost)
        assert computed == cost or (computed == np.inf and cost >= fraction * cost * (1.0 - 1e-12))
        if cost < fraction * cost * (1.0 - 1e-12):
            assert computed == pytest.approx(cost, rel=1e-12)


@pytest.mark.interpreted
@given(goals_and_doses(), st.randoms(use_true_random=False))
def test_the_order_of_points_within_a_run_does_not_change_the_cost(goals_dose_rows, random):
    goals, dose, rows = goals_dose_rows
    goals = [replace(g, first=0, last=len(dose)) for g in goals]
    order = list(range(len(dose)))
    random.shuffle(order)
    assert cost_with(goal_table(goals), dose, rows[0]) == cost_with(
        goal_table(goals), dose[order], rows[0][order]
    )


@pytest.mark.interpreted
def test_a_dose_that_meets_its_goals_has_no_shortfall():
    goals = [PointGoal(0, 4, 100.0, True, 0.75), PointGoal(0, 4, 200.0, False, 0.5)]
    exactly_enough = np.array([99.0, 100.0, 200.0, 250.0], np.float32)
    no_dose = np.zeros(4, np.float32)
    assert cost_with(goal_table(goals), exactly_enough, no_dose)[1] == 0.0
    assert shortfalls(goals, exactly_enough.astype(float)).tolist() == [0.0, 0.0]
    too_cold = np.array([99.0, 99.0, 200.0, 250.0], np.float32)
    assert cost_with(goal_table(goals), too_cold, no_dose)[1] == pytest.approx(0.25 * MISSED_GOAL_COST)
    assert shortfalls(goals, too_cold.astype(float)).tolist() == [0.25, 0.0]


@pytest.mark.interpreted
def test_without_goals_the_cost_is_zero():
    dose = np.ones(3, np.float32)
    assert cost_with(goal_table([]), dose, dose) == (0.0, 0.0)


def test_sums_of_many_points_do_not_overflow():
    points = 60_000
    assert (
        max(FINE_POINTS, ORGAN_POINTS)
        < points
        < np.iinfo(np.int32).max / (COST_UNIT * (1.0 + COLD_SLACK) ** 2)
        < 2 * points
    )
    table = goal_table([PointGoal(0, points, 100.0, True, 1.0), PointGoal(0, points, 1.0, False, 0.0)])
    zero_dose, high_dose = np.zeros(points, np.float32), np.full(points, 1e6, np.float32)
    assert cost_with(table, zero_dose, zero_dose)[0] == pytest.approx(
        MISSED_GOAL_COST + COLD_POINT_COST * 1.03**2, rel=1e-4
    )
    assert cost_with(table, high_dose, zero_dose)[0] == pytest.approx(
        MISSED_GOAL_COST + HOT_POINT_COST * 0.5, rel=1e-4
    )


# Slots


spans = st.lists(st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 15.0)), max_size=3)


def tracks_with(all_spans: list, seed: int = 0) -> Tracks:
    rng = np.random.default_rng(seed)
    n = len(all_spans)
    zeros = np.zeros(n)
    return Tracks(
        rng.uniform(-10, 10, (n, 3)),
        unit(rng.normal(size=(n, 3)) + 1e-9),
        zeros + 60.0,
        zeros,
        zeros.astype(int),
        tuple(tuple((a, a + w) for a, w in spans) for spans in all_spans),
    )


@given(st.lists(spans, min_size=1, max_size=4), st.sampled_from([1.0, 2.0, 3.0]))
def test_slots_fill_every_span_from_its_distal_end_in_steps(all_spans, step):
    tracks = tracks_with(all_spans)
    slots = slots_on(tracks, step)
    expected = [
        [n, a + k * step]
        for n, spans in enumerate(tracks.spans)
        for a, b in spans
        for k in range(100)
        if a + k * step <= b + 1e-6 * step
    ]
    positions = np.stack([slots.track, slots.from_tip_mm], axis=1)
    assert positions == pytest.approx(np.reshape(expected, (-1, 2)))
    outward = tracks.outward_B[slots.track]
    assert np.allclose(slots.centre_B, tracks.tip_B[slots.track] + slots.from_tip_mm[:, None] * outward)
    assert np.array_equal(slots.axis_B, -outward)


@pytest.mark.interpreted
@given(st.integers(0, 9999), st.sampled_from([4.5, 5.0, 8.0]), st.sampled_from([4.5, 5.0]))
def test_slots_clear_of_chosen_seeds_agree_with_distances(seed, same_track, any_track):
    rng = np.random.default_rng(seed)
    slots = slots_on(tracks_with([[(0.0, 15.0)], [(2.0, 12.0)], [(0.0, 4.0)]], seed), 1.0)
    chosen = rng.random(len(slots)) < 0.1
    spacing = SeedSpacing(same_track - ROUNDING_MM, any_track - ROUNDING_MM)
    for row, clear in enumerate(slots.clear_of(chosen, spacing)):
        distances = np.linalg.norm(slots.centre_B - slots.centre_B[row], axis=1)
        need = np.where(slots.track == slots.track[row], max(same_track, any_track), any_track)
        assert clear == (not (chosen & (distances < need - ROUNDING_MM)).any() and not chosen[row])


@pytest.mark.parametrize(
    ("model", "spacing", "same_track", "any_track"),
    [("amersham_6711", 5.0, 5.0, 4.5), ("amersham_6711", 4.5, 4.5, 4.5), ("best_2335", 6.0, 6.0, 5.0)],
)
def test_seed_spacing_is_the_requested_one_and_at_least_a_seed_length(model, spacing, same_track, any_track):
    seed_distances = seed_spacing(SeedRequest(model=model, min_spacing_mm=spacing))
    assert seed_distances.same_track_mm == pytest.approx(same_track, abs=2 * ROUNDING_MM)
    assert seed_distances.any_track_mm == pytest.approx(any_track, abs=2 * ROUNDING_MM)


# Descent and bound


def problem_on(
    slots: Slots, seed: int, *, rx: float = 100.0, percent: float = 70.0, **overrides
) -> PlacementProblem:
    """Points around the slots, each slot with a dose that falls off as 1/r2."""
    rng = np.random.default_rng(seed)
    middle = slots.centre_B.mean(axis=0)
    points = middle + rng.normal(size=(60, 3)) * 5.0
    distances2 = ((slots.centre_B[:, None] - points[None]) ** 2).sum(axis=2)
    goals = target_goals(
        Prescription(rx, Goals(v100_percent=percent, v150_percent=100, v200_percent=100)), 60, 0.0
    )
    tracks = int(slots.track.max(initial=-1)) + 1
    return PlacementProblem(
        goals=overrides.get("goals", goal_table([g for g in goals if g.share < 1.0 and g.dose_gy == rx])),
        slots=slots,
        dose=(2500.0 / np.maximum(distances2, 1.0)).astype(np.float32),
        row=np.arange(len(slots)),
        dose_in_place=np.zeros(60, np.float32),
        spacing=SeedSpacing(5.0 - ROUNDING_MM, 4.5 - ROUNDING_MM),
        closed=overrides.get("closed", np.zeros(len(slots), bool)),
        track_cost=overrides.get("track_cost", np.zeros(tracks)),
        conflicts=overrides.get("conflicts", np.zeros((tracks, tracks), bool)),
    )


def is_allowed(problem: PlacementProblem, chosen: np.ndarray) -> bool:
    slots = problem.slots
    for a, b in combinations(np.flatnonzero(chosen), 2):
        distance_mm = np.linalg.norm(slots.centre_B[a] - slots.centre_B[b])
        same_track = slots.track[a] == slots.track[b]
        if distance_mm < (problem.spacing.same_track_mm if same_track else problem.spacing.any_track_mm):
            return False
        if problem.conflicts[slots.track[a], slots.track[b]]:
            return False
    return not (chosen & problem.closed).any()


SPANS = [[(0.0, 15.0)], [(0.0, 14.0)], [(2.0, 12.0)]]


@pytest.mark.interpreted
@settings(max_examples=15)
@given(st.integers(0, 999))
def test_placed_seeds_are_allowed_and_no_single_change_improves_them(seed):
    rng = np.random.default_rng(seed)
    slots = slots_on(tracks_with(SPANS, seed), 2.0)
    problem = problem_on(slots, seed, closed=rng.random(len(slots)) < 0.2)
    chosen = descended(problem, problem.none())
    assert is_allowed(problem, chosen)
    cost = problem.cost(chosen)[0]
    assert cost <= problem.cost(problem.none())[0]
    for row in range(len(slots)):
        toggled = chosen.copy()
        toggled[row] = not toggled[row]
        if is_allowed(problem, toggled):
            assert problem.cost(toggled)[0] >= cost - MIN_GAIN - 1e-9
        for slot in np.flatnonzero(~chosen) if chosen[row] else ():
            moved = toggled.copy()
            moved[slot] = True
            if is_allowed(problem, moved):
                assert problem.cost(moved)[0] >= cost - MIN_GAIN - 1e-9


@pytest.mark.interpreted
@settings(max_examples=15)
@given(st.integers(0, 999))
def test_conflicting_tracks_never_both_carry_seeds_and_expensive_ones_carry_none(seed):
    slots = slots_on(tracks_with(SPANS, seed), 2.0)
    conflicts = np.zeros((3, 3), bool)
    conflicts[0, 1] = conflicts[1, 0] = True
    problem = problem_on(slots, seed, conflicts=conflicts, track_cost=np.array([0.0, 0.0, 1e9]))
    chosen = descended(problem, problem.none())
    assert is_allowed(problem, chosen)
    assert not chosen[slots.track == 2].any()


@pytest.mark.interpreted
@settings(max_examples=15)
@given(st.integers(0, 99))
def test_descent_without_adding_never_has_more_seeds(seed):
    slots = slots_on(tracks_with(SPANS, seed), 2.0)
    problem = problem_on(slots, seed)
    start = problem.none()
    start[[0, -1]] = True
    assert descended(problem, start, may_add=False).sum() <= 2


@settings(max_examples=20)
@given(st.integers(0, 199))
def test_fewest_seeds_still_meet_the_goals_and_a_set_that_misses_keeps_all(seed):
    slots = slots_on(tracks_with(SPANS, seed), 2.0)
    problem = problem_on(slots, seed)
    chosen = descended(problem, problem.none())
    fewest = with_fewest_seeds(problem, chosen)
    assert fewest.sum() <= chosen.sum()
    assert is_allowed(problem, fewest)
    if problem.cost(chosen)[1] == 0.0:
        assert problem.cost(fewest)[1] == 0.0
    else:
        assert np.array_equal(fewest, chosen)


@pytest.mark.interpreted
def test_descent_stops_after_the_given_number_of_passes():
    slots = slots_on(tracks_with(SPANS, 3), 2.0)
    problem = problem_on(slots, 3)
    chosen = problem.none()
    descend(problem.goals, problem.slot_table, SEED_COST, MIN_GAIN, 1, True, chosen)
    assert chosen.sum() == 1
    no_seeds = problem.none()
    descend(problem.goals, problem.slot_table, SEED_COST, MIN_GAIN, 3, False, no_seeds)
    assert not no_seeds.any()


@given(st.integers(0, 999))
@settings(max_examples=30)
def test_a_part_of_a_problem_has_the_cost_differences_of_the_whole(seed):
    """Exchanges rely on equal cost differences and the same free slots."""
    rng = np.random.default_rng(seed)
    slots = slots_on(tracks_with(SPANS, seed), 2.0)
    conflicts = np.zeros((3, 3), bool)
    conflicts[0, 2] = conflicts[2, 0] = rng.random() < 0.5
    problem = problem_on(slots, seed, track_cost=rng.uniform(0.0, 0.1, 3), conflicts=conflicts)
    chosen = descended(problem, problem.none())
    rows = np.flatnonzero(rng.random(len(slots)) < 0.6)
    others = chosen.copy()
    others[rows] = False
    part = problem.part(rows, others)
    free_rows = np.intersect1d(problem.free(others), rows)
    assert np.array_equal(rows[part.free(part.none())], free_rows)
    cost_change = problem.cost(chosen)[0] - problem.cost(others)[0]
    assert part.cost(chosen[rows])[0] - part.cost(part.none())[0] == pytest.approx(cost_change, abs=1e-9)
    # Descent within the part never makes the whole's own seeds worse.
    assert part.cost(descended(part, chosen[rows]))[0] <= part.cost(chosen[rows])[0] + 1e-9


# Exchange


def exchange_problem(seed: int) -> PlacementProblem:
    rng = np.random.default_rng(seed)
    slots = slots_on(tracks_with([*SPANS, *SPANS], seed), 2.0)
    conflicts = np.zeros((6, 6), bool)
    conflicts[0, 3] = conflicts[3, 0] = conflicts[1, 4] = conflicts[4, 1] = True
    return problem_on(slots, seed, track_cost=rng.uniform(0.0, 0.3, 6), conflicts=conflicts)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999))
def test_exchanged_seeds_are_allowed_and_never_worse(seed):
    problem = exchange_problem(seed)
    start = descended(problem, problem.none())
    after_exchange = exchanged(
        problem, start, lambda _: True, lambda part: part < 0.2, np.random.default_rng(seed)
    )
    assert is_allowed(problem, after_exchange)
    assert problem.cost(after_exchange)[0] <= problem.cost(start)[0]


def test_exchange_moves_all_seeds_to_a_cheaper_needle_where_single_moves_cannot():
    """Two needles side by side, one expensive: a descent keeps the seeds on the expensive one, because no
    single change pays; an exchange moves all of them to the cheap one."""
    tracks = tracks_with([[(0.0, 15.0)], [(0.0, 15.0)]])
    lateral = np.cross(tracks.outward_B[0], [0.0, 0.0, 1.0])
    lateral /= np.linalg.norm(lateral)
    two_tracks = replace(
        tracks,
        tip_B=np.stack([tracks.tip_B[0], tracks.tip_B[0] + 2.0 * lateral]),
        outward_B=np.stack([tracks.outward_B[0]] * 2),
    )
    slots = slots_on(two_tracks, 2.0)
    conflicts = np.array([[False, True], [True, False]])
    problem = problem_on(slots, 2, track_cost=np.array([1.0, 0.0]), conflicts=conflicts)
    on_expensive = descended(
        replace(problem, closed=slots.track == 1, track_cost=np.zeros(2)), problem.none()
    )
    assert on_expensive.sum() >= 2 and problem.tracks(descended(problem, on_expensive)).tolist() == [0]
    after_exchange = exchanged(
        problem, on_expensive, lambda _: True, lambda _: True, np.random.default_rng(0)
    )
    assert problem.tracks(after_exchange).tolist() == [1]


def test_exchange_uses_only_allowed_tracks_and_stops_on_request():
    problem = exchange_problem(5)
    start = descended(problem, problem.none())
    tracks = problem.tracks(start).tolist()
    rng = np.random.default_rng
    after_exchange = exchanged(problem, start, lambda t: t.tolist() == tracks, lambda _: True, rng(1))
    assert problem.tracks(after_exchange).tolist() == tracks
    assert np.array_equal(exchanged(problem, start, lambda _: True, lambda _: False, rng(1)), start)
    assert not exchanged(problem, problem.none(), lambda _: True, lambda _: True, rng(1)).any()


def test_exchange_gives_the_same_seeds_on_one_thread_or_many(monkeypatch):
    problem = exchange_problem(7)
    start = descended(problem, problem.none())
    results = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        rng = np.random.default_rng(3)
        results.append(exchanged(problem, start, lambda _: True, lambda part: part < 0.3, rng).tolist())
    assert results[0] == results[1] == results[2]


@pytest.mark.interpreted
def test_a_seed_without_benefit_is_removed():
    slots = slots_on(tracks_with([[(0.0, 15.0)]]), 2.0)
    problem = problem_on(slots, 1, goals=goal_table([]))
    start = problem.none()
    start[0] = True
    assert problem.cost(start)[0] == SEED_COST
    assert not descended(problem, start).any()
    assert not with_fewest_seeds(problem, problem.none()).any()


def fewest_by_integer_program(problem: PlacementProblem, share: float, rx: float) -> int | None:
    """The integer programme, solved to optimality; the points that count are free variables too."""
    n, m = problem.dose.shape
    dose = problem.dose.astype(float)
    close_pairs = [
        (a, b)
        for a, b in combinations(range(n), 2)
        if problem.slots.track[a] == problem.slots.track[b]
        and abs(problem.slots.from_tip_mm[a] - problem.slots.from_tip_mm[b]) < problem.spacing.same_track_mm
    ]
    pairs = np.zeros((len(close_pairs), n + m))
    for row, (a, b) in enumerate(close_pairs):
        pairs[row, [a, b]] = 1.0
    point_doses = np.concatenate([dose.T, -rx * np.eye(m)], axis=1)
    covered_points = np.concatenate([np.zeros(n), np.ones(m)])[None]
    solution = milp(
        np.concatenate([np.ones(n), np.zeros(m)]),
        constraints=[
            LinearConstraint(point_doses, 0.0, np.inf),
            LinearConstraint(covered_points, share * m, np.inf),
            LinearConstraint(np.concatenate([pairs, np.zeros((1, n + m))]), -np.inf, 1.0),
        ],
        integrality=np.ones(n + m),
        bounds=Bounds(0.0, 1.0),
    )
    return None if solution.x is None else round(solution.x[:n].sum())


@settings(max_examples=15)
@given(st.integers(0, 99), st.sampled_from([0.5, 0.7]))
def test_the_bound_is_never_above_the_fewest_sufficient_seeds(seed, share):
    slots = slots_on(tracks_with([[(0.0, 10.0)], [(0.0, 8.0)]], seed), 2.5)
    problem = problem_on(slots, seed)
    fewest = fewest_seeds(problem, share, 100.0, 60)
    integer_fewest = fewest_by_integer_program(problem, share, 100.0)
    if not fewest.reachable or integer_fewest is None:
        assert integer_fewest is None
        return
    bound = fewest.seeds
    assert bound is not None and 0 <= bound <= integer_fewest
    chosen = descended(problem, problem.none())
    if np.mean(problem.dose_of(chosen) >= 100.0) >= share:
        assert bound <= chosen.sum()


def test_an_unreachable_dose_has_no_bound_and_a_dose_in_place_needs_no_seed():
    slots = slots_on(tracks_with([[(0.0, 10.0)]]), 2.5)
    problem = problem_on(slots, 1)
    assert fewest_seeds(problem, 1.0, 1e6, 60) == FewestSeeds(None, reachable=False)
    dose_reached = replace(problem, dose_in_place=np.full(60, 200.0, np.float32))
    assert fewest_seeds(dose_reached, 0.95, 100.0, 60) == FewestSeeds(0, reachable=True)
    one_seed_enough = replace(problem, dose=np.full((len(slots), 60), 100.0, np.float32))
    assert fewest_seeds(one_seed_enough, 0.95, 100.0, 60).seeds == 1
    two_seeds_enough = replace(problem, dose=np.full((len(slots), 60), 50.0, np.float32))
    assert fewest_seeds(two_seeds_enough, 0.95, 100.0, 60).seeds == 2


def test_without_slots_there_is_no_bound():
    slots = slots_on(tracks_with([[(0.0, 10.0)]]), 2.5)
    problem = problem_on(slots, 1)
    without_slots = replace(
        problem,
        slots=slots.take(np.zeros(0, int)),
        dose=problem.dose[:0],
        row=problem.row[:0],
        closed=problem.closed[:0],
    )
    assert fewest_seeds(without_slots, 0.9, 100.0, 60) == FewestSeeds(None, reachable=True)


# Goals and points


def test_of_goals_at_one_dose_only_the_stricter_counts():
    default_goals = target_goals(Prescription(120.0, Goals(v100_percent=95.0)), 10, COVERAGE_RESERVE)
    assert [g.dose_gy for g in default_goals] == [120.0, 180.0, 240.0]
    assert default_goals[0] == PointGoal(0, 10, 120.0, True, 0.95 + COVERAGE_RESERVE)
    assert [g.share for g in default_goals[1:]] == pytest.approx(
        [0.7 - COVERAGE_RESERVE, 0.5 - COVERAGE_RESERVE]
    )
    small_shares = target_goals(
        Prescription(120.0, Goals(v150_percent=0.5, v200_percent=0.0)), 10, COVERAGE_RESERVE
    )
    assert [g.share for g in small_shares[1:]] == [0.0, 0.0]
    low_v100 = target_goals(Prescription(120.0, Goals(v100_percent=50.0)), 10, COVERAGE_RESERVE)
    assert low_v100[0].share == pytest.approx(0.9 + COVERAGE_RESERVE)
    different_doses = target_goals(
        Prescription(120.0, Goals(d90_gy=140.0, v100_percent=100.0)), 10, COVERAGE_RESERVE
    )
    assert [(g.dose_gy, g.at_least) for g in different_doses] == [
        (120.0, True), (140.0, True), (180.0, False), (240.0, False),
    ]  # fmt: skip
    assert different_doses[0].share == 1.0


def test_the_goal_table_holds_the_values_of_the_goals():
    table = goal_table([PointGoal(0, 3, 100.0, True, 0.9), PointGoal(3, 5, 50.0, False, 0.1)])
    assert isinstance(table, GoalTable)
    assert table.sense.tolist() == [1, -1]
    assert (table.first.tolist(), table.last.tolist()) == ([0, 3], [3, 5])
    assert table.slope_cost.tolist() == [COLD_POINT_COST, HOT_POINT_COST]


def prescription_for(**organs: OrganGoal) -> Prescription:
    return Prescription(organ_goals=MappingProxyType(organs))


def test_points_of_the_ptv_come_first_and_organ_goals_are_shares_of_the_near_part():
    scene = ball_scene()
    ptv = ptv_of(scene, TargetRequest(("node",), margin_mm=3.0))
    goal = OrganGoal(d0_1cc_gy=90.0, d2cc_gy=40.0)
    aims = aim_points(scene, ptv, prescription_for(aorta=goal, node=OrganGoal()), 500, COVERAGE_RESERVE)
    index = np.floor(aims.points_B / scene.grid.spacing_mm + 0.5).astype(int)
    ptv_count = aims.goals[0].last
    assert (ptv.layer[tuple(index[:ptv_count].T)] == ptv.label).all()
    organ_goals = [g for g in aims.goals if g.first == ptv_count]
    assert [g.dose_gy for g in organ_goals] == [90.0, 40.0]
    aorta = scene.structure("aorta").mask
    assert (aorta.layer[tuple(index[ptv_count : organ_goals[0].last].T)] == aorta.label).all()
    assert organ_goals[0].share == pytest.approx(organ_goals[1].share / 20.0)
    assert 0.0 < organ_goals[1].share < 1.0


def test_goals_of_distant_organs_are_ignored():
    grid = grid_of((60, 12, 12), (2.0, 2.0, 2.0))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((1, 1, 1), (59, 11, 11)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((4, 4, 4), (8, 8, 8)))),
        "heart": (Role.FORBIDDEN, box_mask(grid.shape, ((40, 2, 2), (50, 9, 9)))),
        # Its box is near the target, its voxels are not.
        "ribs": (
            Role.FORBIDDEN,
            box_mask(grid.shape, ((20, 10, 10), (50, 11, 11)), ((50, 1, 1), (52, 11, 11))),
        ),
        "cord": (Role.FORBIDDEN, box_mask(grid.shape, ((50, 1, 1), (51, 3, 3)), ((51, 1, 1), (58, 2, 2)))),
    }
    scene = scene_of_masks(grid, masks)
    ptv = ptv_of(scene, TargetRequest(("node",), margin_mm=0.0))
    goal = OrganGoal(d1cc_gy=50.0)
    ptv_only = aim_points(scene, ptv, prescription_for(), 500, COVERAGE_RESERVE)
    assert (
        aim_points(scene, ptv, prescription_for(heart=goal, cord=goal), 500, COVERAGE_RESERVE).goals
        == ptv_only.goals
    )
    assert (
        len(aim_points(scene, ptv, prescription_for(ribs=goal), 500, COVERAGE_RESERVE).goals)
        == len(ptv_only.goals) + 1
    )


# Dose


cached_seed_dose = cache(seed_dose)

SEEDS = st.lists(
    st.tuples(st.tuples(*[st.floats(-15.0, 15.0)] * 3), st.one_of(st.none(), st.integers(0, 999))),
    min_size=1,
    max_size=6,
)
POINTS = np.random.default_rng(3).uniform(-20.0, 20.0, (40, 3))


def seeds_from(positions_and_axes: list) -> list[GivenSeed]:
    seeds = []
    for position_mm, axis in positions_and_axes:
        direction = None if axis is None else unit(np.random.default_rng(axis).normal(size=3))
        seeds.append(GivenSeed(position_mm, None if direction is None else tuple(direction.tolist())))
    return seeds


@given(SEEDS, st.sampled_from([0.05, 0.3, 2.0, 7.0]))
def test_dose_is_linear_in_strength(positions_and_axes, factor):
    seeds = seeds_from(positions_and_axes)
    dose = cached_seed_dose(SeedRequest(activity_mci=0.6))
    scaled_dose = cached_seed_dose(SeedRequest(activity_mci=0.6 * factor))
    assert scaled_dose.strength_u == pytest.approx(factor * dose.strength_u)
    assert scaled_dose.total(POINTS, seeds) == pytest.approx(factor * dose.total(POINTS, seeds), rel=1e-9)


@given(SEEDS, st.randoms(use_true_random=False))
def test_dose_is_additive_over_seeds_in_any_order_and_grouping(positions_and_axes, random):
    seeds = seeds_from(positions_and_axes)
    dose = cached_seed_dose(SeedRequest())
    total = dose.total(POINTS, seeds)
    assert total == pytest.approx(sum(dose.total(POINTS, [s]) for s in seeds), rel=1e-5)
    shuffled = random.sample(seeds, len(seeds))
    assert np.array_equal(dose.total(POINTS, shuffled), total)
    cut = random.randint(0, len(seeds))
    assert total == pytest.approx(dose.total(POINTS, seeds[:cut]) + dose.total(POINTS, seeds[cut:]), rel=1e-5)


@given(SEEDS)
def test_the_matrix_of_single_seeds_adds_up_to_the_dose_of_all(positions_and_axes):
    seeds = [s for s in seeds_from(positions_and_axes) if s.axis is not None]
    dose = cached_seed_dose(SeedRequest())
    rows = dose.matrix(
        POINTS,
        np.array([s.position_mm for s in seeds], float).reshape(-1, 3),
        np.array([s.axis for s in seeds], float).reshape(-1, 3),
    )
    assert rows.sum(axis=0) == pytest.approx(dose.total(POINTS, seeds), rel=1e-4, abs=1e-6)


def test_no_seeds_give_no_dose():
    assert not seed_dose(SeedRequest()).total(POINTS, []).any()


def test_a_seeds_dose_at_one_centimetre_agrees_with_the_reference():
    # 0.6 mCi of 6711: 0.762 U, 15.12 Gy in total at (1 cm, 90 deg).
    dose = cached_seed_dose(SeedRequest())
    assert dose.strength_u == pytest.approx(0.762)
    dose_gy = dose.total(np.array([[10.0, 0.0, 0.0]]), [GivenSeed((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))])
    assert dose_gy[0] == pytest.approx(15.12, abs=0.01)


def test_seeds_decay_from_calibration_to_implant():
    decayed = SeedRequest(calibration_date=date(2026, 1, 1), implant_date=date(2026, 3, 1))
    fresh_dose = seed_dose(SeedRequest())
    assert seed_dose(decayed).strength_u == pytest.approx(fresh_dose.strength_u * 0.5 ** (59 / 59.4))


@pytest.mark.parametrize(
    ("seed_request", "field"),
    [
        (SeedRequest(calibration_date=date(2026, 3, 2), implant_date=date(2026, 3, 1)), "calibration_date"),
        (SeedRequest(model="amersham_9999"), "seeds/model"),
        (SeedRequest(activity_mci=0.0), "activity_mci"),
        (SeedRequest(activity_mci=-1.0), "activity_mci"),
        (SeedRequest(activity_mci=float("nan")), "activity_mci"),
    ],
)
def test_impossible_seeds_are_refused_with_their_field(seed_request, field):
    with pytest.raises(RequestError, match=field):
        seed_dose(seed_request)
