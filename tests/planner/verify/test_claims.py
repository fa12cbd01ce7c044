"""Verification's claims: how they are recorded, and their verdicts on scenes that test_seeded_faults
lacks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise, permutations
from math import inf, nan, sqrt
from types import MappingProxyType

import numpy as np
import pytest
import trimesh
from box_scenes import box_mask, grid_of, scene_of_masks
from hypothesis import given
from hypothesis import strategies as st
from true_plans import (
    LINES,
    NEEDLE,
    ORGANS,
    RADIUS,
    REQUEST,
    Box,
    Patient,
    axis_distance,
    box_patient,
    honest_plan,
    in_words,
    patient,
    true_plan,
)

from anatomy.geometry.surface import Surface
from anatomy.structures import InputDigest, Role, Structure
from planner.paths.search_report import proof_of
from planner.records.paths import Crossing, Path
from planner.records.plan import Plan, Status
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.search import Proof
from planner.records.verification import Check, Verification
from planner.verify import verify
from planner.verify.claims import Claims, first_agreeing
from planner.verify.needle.clearance import check_nearest, check_needs, passings_of
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.statements.inputs import check_inputs
from planner.verify.statements.numbers import check_numbers
from planner.verify.statements.outcome import check_outcome
from planner.verify.statements.ranks import LESS_IS_BETTER, check_order
from planner.verify.tolerances import DISTANCE_MM, LENGTH_MM

__all__ = ["patient", "true_plan"]


def failures(*checks: Check) -> list[str]:
    return [c.name for c in checks if not c.passed]


def failed(plan: Plan, patient: Patient) -> list[str]:
    """Names of the checks that failed."""
    return failures(*verify(plan, patient.scene).checks)


def checks_of(make: Callable[[Claims], object]) -> tuple[Check, ...]:
    claims = Claims()
    make(claims)
    return claims.verification().checks


# --- how claims are recorded


@pytest.mark.parametrize(
    ("value", "written"), [(nan, "nan"), (inf, "inf"), (-inf, "-inf"), (2, 2.0), (1.5, 1.5)]
)
def test_numbers_without_a_json_form_are_recorded_as_text(value: float, written: float | str) -> None:
    (check,) = checks_of(lambda claims: claims.equal("name", "subject", value, value, 0.0))
    assert check.claimed == written
    assert check.recomputed == written
    assert type(check.claimed) is type(written)


@pytest.mark.parametrize(
    ("kind", "claimed", "recomputed", "passed"),
    [
        ("equal", 1.0, 1.5, True),
        ("equal", 1.5, 1.0, True),
        ("equal", 1.0, 1.6, False),
        ("equal", 1.6, 1.0, False),
        ("at_least", 2.0, 1.5, True),
        ("at_least", 2.0, 9.0, True),
        ("at_least", 2.0, 1.4, False),
        ("at_most", 2.0, 2.5, True),
        ("at_most", 2.0, -9.0, True),
        ("at_most", 2.0, 2.6, False),
    ],
)
def test_a_number_passes_within_its_tolerance(
    kind: str, claimed: float, recomputed: float, passed: bool
) -> None:
    (check,) = checks_of(lambda claims: getattr(claims, kind)("name", "subject", claimed, recomputed, 0.5))
    assert check == Check("name", "subject", claimed, recomputed, 0.5, passed)


@pytest.mark.parametrize("kind", ["equal", "at_least", "at_most"])
@pytest.mark.parametrize(("claimed", "recomputed"), [(nan, 1.0), (1.0, nan), (nan, nan)])
def test_not_a_number_never_passes(kind: str, claimed: float, recomputed: float) -> None:
    (check,) = checks_of(lambda claims: getattr(claims, kind)("name", "subject", claimed, recomputed, 1e9))
    assert check.passed is False


def test_texts_pass_if_equal_and_statements_if_they_hold() -> None:
    def make(claims: Claims) -> None:
        claims.same("name", "subject", "LPS", "LPS")
        claims.same("name", "subject", "LPS", "lps")
        claims.holds("name", "subject", "in order", "in order", True)
        claims.holds("name", "subject", "in order", "in order", False)

    assert [c.passed for c in checks_of(make)] == [True, False, True, False]


def test_claims_are_recorded_in_order_and_one_failure_fails_the_verification() -> None:
    claims = Claims()
    claims.equal("first", "subject", 1.0, 1.0, 0.0)
    assert claims.verification().passed
    claims.equal("second", "subject", 1.0, 2.0, 0.0)
    claims.equal("third", "subject", 1.0, 1.0, 0.0)
    assert [c.name for c in claims.verification().checks] == ["first", "second", "third"]
    assert not claims.verification().passed


@pytest.mark.parametrize(
    ("claimed", "shown", "passed"), [(3.0, 3.0, True), (3.4, 3.0, True), (1.0, 1.0, True), (7.0, 1.0, False)]
)
def test_any_agreeing_reading_passes_and_otherwise_the_first_is_shown(
    claimed: float, shown: float, passed: bool
) -> None:
    (check,) = checks_of(lambda c: c.any_of("name", "subject", claimed, iter([1.0, 3.0, 5.0]), 0.5))
    assert check == Check("name", "subject", claimed, shown, 0.5, passed)


def test_readings_are_computed_only_until_one_agrees() -> None:
    computed: list[int] = []

    def readings() -> Iterator[int]:
        for n in range(5):
            computed.append(n)
            yield n

    assert first_agreeing(readings(), lambda n: n == 0) == 0
    assert computed == [0]
    assert first_agreeing(readings(), lambda n: n == 2) == 2
    assert computed == [0, 0, 1, 2]
    assert first_agreeing(readings(), lambda n: n == 9) == 0


# --- numbers


def number_checks(plan: Plan) -> tuple[Check, ...]:
    return checks_of(lambda claims: check_numbers(claims, plan))


def test_large_counts_and_random_seeds_are_plausible(true_plan: Plan) -> None:
    large_count = replace(true_plan, search=replace(true_plan.search, lines_tested=10**15))
    large_seed = replace(large_count, request=replace(REQUEST, random_seed=2**64 - 1))
    assert failures(*number_checks(large_seed)) == []


def test_an_integer_too_large_for_a_float_does_not_raise(true_plan: Plan) -> None:
    huge_count = replace(true_plan, search=replace(true_plan.search, lines_tested=10**400))
    number_checks(huge_count)


def test_the_first_unusable_number_is_named_with_its_field(true_plan: Plan) -> None:
    first, *others = true_plan.paths
    x, _, z = first.tip_mm
    plan = replace(true_plan, paths=(replace(first, tip_mm=(x, -inf, z)), *others))
    numbers_check, request_check = number_checks(plan)
    assert (numbers_check.subject, numbers_check.claimed) == ("plan.paths[0].tip_mm[1]", "-inf")
    assert not numbers_check.passed
    assert request_check.passed


def test_a_square_kilometre_is_plausible_and_more_is_not(true_plan: Plan) -> None:
    def with_area(area: float) -> Plan:
        return replace(
            true_plan, windows=(replace(true_plan.windows[0], area_mm2=area), *true_plan.windows[1:])
        )

    assert failures(*number_checks(with_area(1e6))) == []
    assert failures(*number_checks(with_area(1.01e6))) == ["every number is finite and plausible"]


def test_weights_are_checked_as_numbers(true_plan: Plan) -> None:
    weighted = replace(true_plan, request=replace(REQUEST, weights=MappingProxyType({"length_mm": nan})))
    assert number_checks(weighted)[0].subject == "plan.request.weights.length_mm"


def test_an_earlier_verification_in_the_plan_is_ignored(true_plan: Plan, patient: Patient) -> None:
    earlier = Verification(False, (Check("name", "subject", inf, nan, nan, False),), ())
    assert failed(replace(true_plan, verification=earlier), patient) == []


IMPOSSIBLE_REQUESTS: dict[str, Callable[[Request], Request]] = {
    "needle.outer_diameter_mm": lambda r: replace(r, needle=replace(r.needle, outer_diameter_mm=0.0)),
    "needle.max_length_mm": lambda r: replace(r, needle=replace(r.needle, max_length_mm=-1.0)),
    "pose.hub_length_mm": lambda r: replace(r, pose=replace(r.pose, hub_length_mm=-0.1)),
    "pose.hub_diameter_mm": lambda r: replace(r, pose=replace(r.pose, hub_diameter_mm=-0.1)),
    "pose.bore_diameter_mm": lambda r: replace(r, pose=replace(r.pose, bore_diameter_mm=0.0)),
    "target.margin_mm": lambda r: replace(r, target=replace(r.target, margin_mm=-0.1)),
    "target.min_chord_mm": lambda r: replace(r, target=replace(r.target, min_chord_mm=-0.1)),
    "seeds.spacing_mm": lambda r: replace(r, seeds=replace(r.seeds, spacing_mm=-0.1)),
    "seeds.min_spacing_mm": lambda r: replace(r, seeds=replace(r.seeds, min_spacing_mm=-0.1)),
    "search.min_separation_mm": lambda r: replace(r, search=replace(r.search, min_separation_mm=-0.1)),
    "clearance_mm.heart": lambda r: replace(r, clearance_mm=MappingProxyType({"heart": -0.1})),
}


@pytest.mark.parametrize("field", IMPOSSIBLE_REQUESTS)
def test_an_impossible_request_is_named_and_nothing_more_is_checked(
    field: str, true_plan: Plan, patient: Patient
) -> None:
    verification = verify(replace(true_plan, request=IMPOSSIBLE_REQUESTS[field](REQUEST)), patient.scene)
    assert failures(*verification.checks)[-1] == "the request makes sense"
    assert verification.checks[-1].recomputed == f"{field} is too small"


# --- inputs


def input_checks(plan: Plan, patient: Patient) -> list[str]:
    return failures(*checks_of(lambda claims: check_inputs(claims, plan, patient.scene)))


def with_request(plan: Plan, **changed: object) -> Plan:
    return replace(plan, request=replace(plan.request, **changed))


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ({"heart": "forbidden"}, []),
        ({"heart": "passable"}, ["role asked for"]),
        ({"spleen": "forbidden"}, []),  # empty in the input, so that the scene lacks it
        ({"node": "passable"}, []),  # named as the target, which decides
        ({"heart": "target"}, []),  # another is named as the target, which decides
        ({"heart": "passable", "aorta": "lung"}, ["role asked for"] * 2),
    ],
)
def test_requested_roles_must_be_those_of_the_scene(
    roles: Mapping[str, str], expected: list[str], true_plan: Plan, patient: Patient
) -> None:
    assert input_checks(with_request(true_plan, roles=MappingProxyType(roles)), patient) == expected


def test_without_named_targets_the_roles_decide(true_plan: Plan, patient: Patient) -> None:
    unnamed = with_request(true_plan, target=replace(REQUEST.target, structures=()))
    assert input_checks(unnamed, patient) == []
    another_target = with_request(unnamed, roles=MappingProxyType({"heart": "target"}))
    assert input_checks(another_target, patient) == ["role asked for"]


def test_targets_may_be_requested_in_any_order_and_more_than_once(true_plan: Plan, patient: Patient) -> None:
    for names, expected in (
        (("node", "node"), []),
        (("node", "heart"), ["target asked for"]),
        (("heart",), ["target asked for"]),
    ):
        plan = with_request(true_plan, target=replace(REQUEST.target, structures=names))
        assert input_checks(plan, patient) == expected


def test_inputs_and_missing_organs_may_come_in_any_order(true_plan: Plan, patient: Patient) -> None:
    extra = InputDigest("extra.nii.gz", "11" * 32)
    scene = replace(patient.scene, inputs=(*patient.scene.inputs, extra), missing=("b", "a"))
    plan = replace(true_plan, inputs=(extra, *true_plan.inputs), missing_structures=("a", "b"))
    assert input_checks(plan, Patient(scene)) == []
    assert input_checks(replace(plan, missing_structures=("a",)), Patient(scene)) == ["organs missing"]


def test_surfaces_must_be_read_in_the_stated_axes(true_plan: Plan, patient: Patient) -> None:
    ras, lps = (InputDigest("node.stl", "11" * 32, axes) for axes in ("ras", "lps"))
    scene = replace(patient.scene, inputs=(*patient.scene.inputs, ras))
    ras_plan = replace(true_plan, inputs=(*true_plan.inputs, ras))
    assert input_checks(ras_plan, Patient(scene)) == []
    lps_plan = replace(true_plan, inputs=(*true_plan.inputs, lps))
    assert input_checks(lps_plan, Patient(scene)) == ["axes of the surfaces"]


def test_an_input_with_other_content_is_shown_with_both_digests(true_plan: Plan, patient: Patient) -> None:
    stale = replace(true_plan, inputs=(InputDigest("labels.nii.gz", "00" * 32),))
    checks = checks_of(lambda claims: check_inputs(claims, stale, patient.scene))
    mismatches = {(c.claimed, c.recomputed) for c in checks if not c.passed}
    assert mismatches == {("00" * 32, "no such input"), ("not stated", "5e" * 32)}


def test_a_named_table_must_be_the_scene_table() -> None:
    request = replace(REQUEST, pose=replace(REQUEST.pose, table="table"))
    patient = box_patient(request=request)
    plan = honest_plan(patient, request)
    assert input_checks(plan, patient) == []
    without_table = box_patient({name: organ for name, organ in ORGANS.items() if name != "table"})
    assert without_table.scene.pose.table is not None
    assert "the table is the structure named" in input_checks(plan, without_table)


# --- the outcome


@pytest.mark.parametrize(
    ("status", "paths_allowed", "no_paths_allowed"),
    [
        (Status.PLANNED, True, False),
        (Status.GOALS_NOT_MET, True, False),
        (Status.NO_PATH, False, True),
        (Status.TIMED_OUT, False, True),
    ],
)
def test_each_status_requires_paths_or_forbids_them(
    status: Status, paths_allowed: bool, no_paths_allowed: bool, true_plan: Plan, patient: Patient
) -> None:
    search = replace(true_plan.search, complete=status is not Status.TIMED_OUT, safe_lines=0)
    # A prescribed dose without a dose report is an unmet goal.
    prescription = Prescription() if status is Status.GOALS_NOT_MET else None
    with_paths = replace(
        true_plan,
        search=search,
        request=replace(true_plan.request, prescription=prescription),
        outcome=replace(true_plan.outcome, status=status),
    )
    without_paths = replace(with_paths, paths=(), windows=())
    failure = ["the outcome fits the paths"]
    assert outcome_checks(in_words(with_paths, patient)) == ([] if paths_allowed else failure)
    assert outcome_checks(in_words(without_paths, patient)) == ([] if no_paths_allowed else failure)


SEARCHES: dict[str, tuple[Status, dict[str, object], str]] = {
    "impossible by a search that ended early": (
        Status.NO_PATH,
        {"complete": False},
        "the outcome fits the search",
    ),
    "out of time after a complete search": (
        Status.TIMED_OUT,
        {},
        "the outcome fits the search",
    ),
    "impossible beside safe lines": (
        Status.NO_PATH,
        {"safe_lines": 3},
        "no safe line was found",
    ),
    "complete at a larger radius than requested": (
        Status.NO_PATH,
        {"covering_radius_mm": 2.1},
        "covering radius",
    ),
    "proved by a search that ended early": (
        Status.TIMED_OUT,
        {"complete": False, "proves": Proof.NONE_STAYS_SAFE},
        "what the search proves follows from its extent",
    ),
    "nothing proved after a complete search": (
        Status.NO_PATH,
        {"proves": Proof.NOTHING},
        "what the search proves follows from its extent",
    ),
    "a safe line near each, without safe lines": (
        Status.NO_PATH,
        {"proves": Proof.SAFE_LINE_NEAR_EACH},
        "what the search proves follows from its extent",
    ),
    "no line is safe, from a search at a radius": (
        Status.NO_PATH,
        {"proves": Proof.NONE_IS_SAFE},
        "what the search proves follows from its extent",
    ),
}


@pytest.mark.parametrize("fault", SEARCHES)
def test_a_search_that_does_not_support_the_outcome_is_caught(fault: str, true_plan: Plan) -> None:
    status, changes, expected = SEARCHES[fault]
    search = replace(true_plan.search, **{"safe_lines": 0, **changes})
    proves = proof_of(search.complete, search.covering_radius_mm, search.safe_lines)
    search = replace(search, **{"proves": proves, **changes})
    without_paths = replace(true_plan, search=search, paths=(), windows=())
    plan = replace(without_paths, outcome=replace(without_paths.outcome, status=status))
    assert outcome_checks(plan) == [expected]


def impossible(plan: Plan) -> Plan:
    """The plan as if its search had found nothing."""
    outcome = replace(plan.outcome, status=Status.NO_PATH)
    search = replace(plan.search, safe_lines=0, proves=Proof.NONE_STAYS_SAFE)
    return replace(plan, search=search, paths=(), windows=(), outcome=outcome)


def outcome_checks(plan: Plan) -> list[str]:
    return failures(*checks_of(lambda claims: check_outcome(claims, plan)))


def test_a_window_of_two_paths_states_the_lower_lung_length(true_plan: Plan) -> None:
    path, other = true_plan.paths[0], true_plan.paths[-1]
    assert path.lung_length_mm < other.lung_length_mm - 1.0
    window = replace(
        true_plan.windows[0],
        path_ids=(other.id, path.id),
        best_lung_length_mm=path.lung_length_mm + 0.5 * LENGTH_MM,
    )
    plan = replace(
        true_plan,
        paths=(path, replace(other, window=path.window)),
        windows=(replace(window, id=path.window),),
    )
    assert outcome_checks(plan) == []
    wrong_window = replace(window, id=path.window, best_lung_length_mm=other.lung_length_mm)
    assert outcome_checks(replace(plan, windows=(wrong_window,))) == ["least lung of the window's paths"]


def test_a_window_may_hold_no_path(true_plan: Plan) -> None:
    empty_window = replace(true_plan.windows[0], id="empty", path_ids=())
    assert outcome_checks(replace(true_plan, windows=(*true_plan.windows, empty_window))) == []


def test_a_lung_bound_may_reach_the_best_path_and_is_unlimited_without_paths(true_plan: Plan) -> None:
    least_lung_mm = min(p.lung_length_mm for p in true_plan.paths)

    def bounded(bound: float, plan: Plan) -> Plan:
        return replace(plan, search=replace(plan.search, lung_bound_mm=bound))

    assert outcome_checks(bounded(least_lung_mm, true_plan)) == []
    assert outcome_checks(bounded(least_lung_mm + 2 * LENGTH_MM, true_plan)) == ["lung bound"]
    assert outcome_checks(bounded(5.0, impossible(true_plan))) == []


def test_the_least_lung_found_is_at_most_that_of_any_path(true_plan: Plan) -> None:
    least_lung_mm = min(p.lung_length_mm for p in true_plan.paths)

    def stating(stated_mm: float | None, plan: Plan) -> Plan:
        return replace(plan, search=replace(plan.search, least_lung_mm=stated_mm))

    assert outcome_checks(stating(least_lung_mm, true_plan)) == []
    assert outcome_checks(stating(least_lung_mm + 2 * LENGTH_MM, true_plan)) == ["least lung found"]
    assert outcome_checks(stating(None, true_plan)) == ["least lung found"]
    no_path = impossible(true_plan)
    assert outcome_checks(stating(None, no_path)) == []


def test_a_plan_without_blockers_is_accepted(true_plan: Plan) -> None:
    assert outcome_checks(replace(true_plan, blocked_by=())) == []


# --- the order

SCORES: dict[str, Callable[[Path], float]] = {
    "lung_length_mm": lambda p: p.lung_length_mm,
    "pleural_punctures": lambda p: p.pleural_punctures,
    "fissures_crossed": lambda p: p.fissures_crossed,
    "clearance_mm": lambda p: 100.0 - p.clearance_mm,
    "length_mm": lambda p: p.length_mm,
    "target_chord_mm": lambda p: 100.0 - p.target_chord_mm,
    "off_axial_angle_deg": lambda p: p.craniocaudal_angle_deg**2,
}
"""A value for each score that rises as the score gets worse."""


def order_checks(plan: Plan) -> list[str]:
    return failures(*checks_of(lambda claims: check_order(claims, plan)))


def in_order(plan: Plan, *paths: Path) -> Plan:
    return replace(plan, paths=tuple(replace(p, rank=n) for n, p in enumerate(paths, start=1)))


def test_every_score_has_an_oracle_here() -> None:
    assert SCORES.keys() == LESS_IS_BETTER.keys()


@pytest.mark.parametrize("score", SCORES)
def test_only_orders_that_never_improve_pass_with_one_score(score: str, true_plan: Plan) -> None:
    plan = with_request(true_plan, ranking=(score,))
    for paths in permutations(plan.paths):
        values = [SCORES[score](p) for p in paths]
        never_improves = all(a <= b + 1e-9 for a, b in pairwise(values))
        assert order_checks(in_order(plan, *paths)) == [] or not never_improves
        assert ("rank order" in order_checks(in_order(plan, *paths))) == (not never_improves)


@pytest.mark.parametrize(
    "weights",
    [
        {"length_mm": 1.0},
        {"length_mm": 1.0, "lung_length_mm": 0.5, "pleural_punctures": 10.0},
        {"clearance_mm": 3.0, "target_chord_mm": -2.0},
    ],
)
def test_only_the_order_of_weighted_sums_passes(weights: Mapping[str, float], true_plan: Plan) -> None:
    plan = with_request(true_plan, weights=MappingProxyType(weights))
    sums = {p.id: sum(w * SCORES[name](p) for name, w in weights.items()) for p in plan.paths}
    assert len({round(v, 3) for v in sums.values()}) == len(sums)
    accepted = [
        [p.id for p in paths]
        for paths in permutations(plan.paths)
        if "rank order" not in order_checks(in_order(plan, *paths))
    ]
    assert accepted == [sorted(sums, key=lambda id: sums[id])]


def test_later_scores_decide_between_equal_paths(true_plan: Plan) -> None:
    first, second = true_plan.paths[0], replace(true_plan.paths[0], id="twin", window="other", length_mm=1.0)
    plan = with_request(true_plan, ranking=("lung_length_mm", "length_mm"))
    assert "rank order" not in order_checks(in_order(plan, second, first))
    assert "rank order" in order_checks(in_order(plan, first, second))


def test_paths_equal_in_every_score_may_have_either_order(true_plan: Plan) -> None:
    path = true_plan.paths[0]
    equal = replace(path, id="twin", window="other", lung_length_mm=path.lung_length_mm + 1e-7)
    for paths in ((path, equal), (equal, path)):
        assert order_checks(in_order(true_plan, *paths)) == []
    worse = replace(equal, lung_length_mm=path.lung_length_mm + 1e-5)
    assert "rank order" in order_checks(in_order(true_plan, worse, path))


@pytest.mark.parametrize("field", ["ranking", "weights"])
def test_an_unknown_score_is_named_and_the_order_is_not_checked(field: str, true_plan: Plan) -> None:
    order = ("length_mm", "beauty") if field == "ranking" else MappingProxyType({"beauty": 1.0})
    plan = with_request(true_plan, **{field: order})
    checks = checks_of(lambda claims: check_order(claims, plan))
    (unknown,) = (c for c in checks if c.name == "every score can be recomputed")
    assert unknown.recomputed == "beauty"
    assert not unknown.passed
    assert not any(c.name == "rank order" for c in checks)


def test_paths_of_one_window_keep_the_separation_at_entry_or_tip(true_plan: Plan) -> None:
    path = replace(true_plan.paths[0], entry_mm=(0.0, 0.0, 0.0), tip_mm=(0.0, 50.0, 0.0))
    for entry, tip, same_window, distinct in (
        ((5.0, 0.0, 0.0), (0.0, 50.0, 0.0), True, True),
        ((0.0, 0.0, 0.0), (0.0, 53.0, 4.0), True, True),
        ((4.9, 0.0, 0.0), (0.0, 54.9, 0.0), True, False),
        ((4.9, 0.0, 0.0), (0.0, 54.9, 0.0), False, True),
    ):
        window = path.window if same_window else "other"
        other = replace(path, id="two", entry_mm=entry, tip_mm=tip, window=window)
        reported = "paths of a window are distinct" in order_checks(in_order(true_plan, path, other))
        assert reported != distinct


# --- the target and the cut edge


def test_every_path_has_the_least_chord_in_the_target(true_plan: Plan, patient: Patient) -> None:
    shortest = min(p.target_chord_mm for p in true_plan.paths)
    check = "the needle runs far enough in the target"

    def failed_with(chord: float | None) -> list[str]:
        return failed(with_request(true_plan, target=replace(REQUEST.target, min_chord_mm=chord)), patient)

    assert failed_with(0.0) == failed_with(shortest) == []
    assert set(failed_with(shortest + 1e-5)) == {check}
    # A plan states the chord that it was made with; a missing one has no default.
    assert failed_with(None) == [check] * len(true_plan.paths)


@pytest.mark.parametrize(("first", "refused"), [(0, True), (1, False), (8, False)])
def test_an_entry_in_the_outermost_voxels_is_refused_as_cut_edge(first: int, refused: bool) -> None:
    """The body begins at this voxel, so that the needle "right" leaves it there."""
    organs = {name: organ for name, organ in ORGANS.items() if name not in ("table", "arm")}
    patient = box_patient({**organs, "body": (Role.SKIN, ((first, 10, 0), (52, 50, 40)))})
    names = failed(honest_plan(patient, lines={"right": LINES["right"]}), patient)
    assert any("cut edge" in name for name in names) == refused
    assert refused or names == []


# --- scenes with few structures


def test_without_obstacles_clearance_is_capped_and_nothing_is_nearest() -> None:
    obstacle_roles = (Role.FORBIDDEN, Role.OUTSIDE)
    patient = box_patient({name: organ for name, organ in ORGANS.items() if organ[0] not in obstacle_roles})
    scene = replace(patient.scene, pose=replace(patient.scene.pose, table=None))
    scene_patient = replace(patient, scene=scene)
    plan = replace(honest_plan(scene_patient), blocked_by=())
    assert {(p.clearance_mm, p.nearest_structure) for p in plan.paths} == {(100.0, "")}
    assert failed(plan, scene_patient) == []
    for claims, expected in (
        ({"clearance_mm": 99.0}, {"clearance is not understated"}),
        ({"clearance_mm": 101.0}, {"clearance is not overstated"}),
        ({"nearest_structure": "heart"}, {"nearest structure"}),
    ):
        edited = replace(plan, paths=tuple(replace(p, **claims) for p in plan.paths))
        assert set(failed(edited, scene_patient)) == expected


@pytest.mark.parametrize(
    ("clearance_mm", "nearest", "expected"),
    [
        (100.0, "", set()),
        (100.0, "bone", {"nearest structure"}),
        (95.0, "bone", {"clearance is not understated", "nearest structure"}),
        (105.0, "", {"clearance is not overstated"}),
    ],
)
def test_an_organ_beyond_the_cap_does_not_count(
    clearance_mm: float, nearest: str, expected: set[str], true_plan: Plan
) -> None:
    """Voxels of 10 mm; the bone's boxes begin 195 mm to the left of the needle's axis."""
    checks = far_bone_checks(true_plan, 25, clearance_mm, nearest)
    assert set(failures(*checks)) == expected


def test_an_organ_within_the_cap_counts() -> None:
    """As above, with the bone 75 mm from the axis."""
    plan = honest_plan(box_patient())
    clearance_mm = 75.0 - RADIUS
    assert failures(*far_bone_checks(plan, 13, clearance_mm, "bone")) == []
    assert failures(*far_bone_checks(plan, 13, clearance_mm + 2 * DISTANCE_MM, "bone")) == [
        "clearance is not overstated"
    ]
    assert failures(*far_bone_checks(plan, 13, clearance_mm - 2 * DISTANCE_MM, "bone")) == [
        "clearance is not understated"
    ]
    assert failures(*far_bone_checks(plan, 13, clearance_mm, "")) == ["nearest structure"]


def far_bone_checks(plan: Plan, first: int, clearance_mm: float, nearest: str) -> tuple[Check, ...]:
    """Checks of clearance on an anterior path at x = 50, y from 95 to 45, with bone from voxel `first` on."""
    shape = (30, 20, 20)
    scene = scene_of_masks(
        grid_of(shape, (10.0, 10.0, 10.0)),
        {
            "body": (Role.SKIN, box_mask(shape, ((1, 5, 1), (29, 19, 19)))),
            "node": (Role.TARGET, box_mask(shape, ((4, 8, 8), (7, 10, 11)))),
            "bone": (Role.FORBIDDEN, box_mask(shape, ((first, 6, 2), (first + 2, 18, 18)))),
        },
    )
    path = replace(
        plan.paths[0],
        entry_mm=(50.0, 45.0, 90.0),
        tip_mm=(50.0, 95.0, 90.0),
        clearance_mm=clearance_mm,
        nearest_structure=nearest,
    )

    def check(claims: Claims) -> None:
        examined = examined_axis(claims, "path", path.entry_mm, path.tip_mm, scene, plan.request)
        assert examined is not None
        (passing,) = passings_of([examined], scene.of_role(Role.FORBIDDEN, Role.OUTSIDE))
        check_needs(claims, examined, passing)
        check_nearest(claims, examined, path, passing)

    return checks_of(check)


def test_a_clear_needle_has_one_clearance_check_and_a_blocked_one_has_several(
    true_plan: Plan, patient: Patient
) -> None:
    check = "the needle keeps its clearance"
    subjects = [c.subject for c in verify(true_plan, patient.scene).checks if c.name == check]
    assert len(subjects) == len(true_plan.paths)
    blocked_plan = with_request(true_plan, clearance_mm=MappingProxyType({"default": 30.0}))
    failed_checks = [c for c in verify(blocked_plan, patient.scene).checks if c.name == check]
    assert len(failed_checks) > len(true_plan.paths)
    assert not any(c.passed for c in failed_checks)


# --- readings of an examined axis


def test_an_examined_axis_has_nine_readings_and_computes_each_once(true_plan: Plan, patient: Patient) -> None:
    path = true_plan.paths[0]
    examined = examined_axis(Claims(), "path", path.entry_mm, path.tip_mm, patient.scene, REQUEST)
    assert examined is not None
    first = next(examined.readings())
    readings = list(examined.readings())
    assert len(readings) == 9
    assert readings[0] is first
    assert all(a is b for a, b in zip(readings, examined.readings(), strict=True))
    assert all((axis_spans.axis.tip_B != first.axis.tip_B).all() for axis_spans in readings[1:])


# --- structures read as surfaces

INSET = 0.4
SLACK = INSET * sqrt(3.0)
"""How far surfaces lie within their voxels: at each side, and at a corner. [mm]"""


def faces_of(box: Box) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=np.stack([box.low, box.high]))


def as_surface(mesh: trimesh.Trimesh) -> Surface:
    """In P, which is B here."""
    return Surface(np.array(mesh.vertices, float), np.array(mesh.faces, np.int64))


def inset_box(box: Box, by: float = INSET) -> Box:
    return Box(box.role, box.low + by, box.high - by)


def with_surfaces(patient: Patient, meshes: Mapping[str, trimesh.Trimesh], slack: float = SLACK) -> Patient:
    """The patient with these surfaces for some structures."""

    def with_surface(s: Structure) -> Structure:
        return replace(s, surface=as_surface(meshes[s.name])) if s.name in meshes else s

    structures = tuple(with_surface(s) for s in patient.scene.structures)
    return replace(patient, scene=replace(patient.scene, structures=structures, surface_slack_mm=slack))


def inset_patient(*names: str, by: float = INSET) -> Patient:
    """The patient with box surfaces within their voxels for some structures."""
    patient = box_patient()
    return with_surfaces(patient, {name: faces_of(inset_box(patient.boxes[name], by)) for name in names})


def with_crossings(patient: Patient, plan: Plan, boxes: Mapping[str, Box]) -> Plan:
    """The plan whose paths cross structures with surfaces where these boxes are."""

    def with_crossed_boxes(p: Path) -> Path:
        tip, outward = line_of(patient, p)
        crosses = [c for c in p.crosses if c.structure not in boxes]
        for name, box in boxes.items():
            first, last = box.span(tip, outward)
            first, last = max(first, 0.0), min(last, p.length_mm)
            if last > first:
                crosses.append(Crossing(name, p.length_mm - last, p.length_mm - first))
        return replace(p, crosses=tuple(sorted(crosses, key=lambda c: c.from_mm)))

    return replace(plan, paths=tuple(with_crossed_boxes(p) for p in plan.paths))


FORBIDDEN = tuple(name for name, (role, _) in ORGANS.items() if role is Role.FORBIDDEN)
LUNGS = tuple(name for name, (role, _) in ORGANS.items() if role is Role.LUNG)


def with_right_path(plan: Plan, **claims: object) -> Plan:
    """The plan with other claims in its path "right"."""
    return replace(plan, paths=tuple(replace(p, **claims) if p.id == "right" else p for p in plan.paths))


def path_named(plan: Plan, name: str) -> Path:
    return next(p for p in plan.paths if p.id == name)


def line_of(patient: Patient, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The tip and the outward unit vector, in B."""
    tip, entry = (patient.scene.grid.to_box(np.array(x)) for x in (path.tip_mm, path.entry_mm))
    return tip, (entry - tip) / np.linalg.norm(entry - tip)


def wall_distance(patient: Patient, path: Path, box: Box) -> float:
    """Distance from the needle's wall to a box. [mm]"""
    return axis_distance(box, *line_of(patient, path), NEEDLE) - RADIUS


@pytest.fixture(scope="module")
def surfaced() -> Patient:
    """Every forbidden organ as a surface."""
    return inset_patient(*FORBIDDEN)


@pytest.fixture(scope="module")
def surfaced_plan(surfaced: Patient) -> Plan:
    """The plan of a planner that uses only the voxels."""
    return honest_plan(surfaced)


def true_clearance(patient: Patient, path: Path) -> float:
    """Clearance from the surfaces of all forbidden organs. [mm]"""
    return min(wall_distance(patient, path, inset_box(patient.boxes[name])) for name in FORBIDDEN)


def test_a_clearance_to_the_voxels_of_a_surface_passes(surfaced: Patient, surfaced_plan: Plan) -> None:
    assert failed(surfaced_plan, surfaced) == []
    path = path_named(surfaced_plan, "right")
    assert INSET / 2 < true_clearance(surfaced, path) - path.clearance_mm <= SLACK


@given(st.one_of(st.floats(-2.0, 2.0), st.sampled_from([0.0, 1e-5, -1e-5, -SLACK + 1e-5, -SLACK - 1e-5])))
def test_a_clearance_passes_between_the_truth_and_the_slack_below_it(
    surfaced: Patient, surfaced_plan: Plan, excess_mm: float
) -> None:
    clearance_mm = true_clearance(surfaced, path_named(surfaced_plan, "right"))
    names = failed(with_right_path(surfaced_plan, clearance_mm=clearance_mm + excess_mm), surfaced)
    assert ("clearance is not overstated" in names) == (excess_mm > DISTANCE_MM)
    assert ("clearance is not understated" in names) == (excess_mm < -SLACK - DISTANCE_MM)


def test_slack_applies_to_forbidden_surfaces_only(true_plan: Plan, patient: Patient) -> None:
    """The scene's slack comes from a target read as a surface; clearance to voxels is exact."""
    with_slack = replace(patient, scene=replace(patient.scene, surface_slack_mm=SLACK))
    plan = in_words(true_plan, with_slack)
    assert failed(plan, with_slack) == []
    path = path_named(plan, "right")
    understated = with_right_path(plan, clearance_mm=path.clearance_mm - 1e-5)
    assert "clearance is not understated" in failed(understated, with_slack)


@pytest.mark.parametrize(("excess_mm", "accepted"), [(0.5 * SLACK, True), (1.5 * SLACK, False)])
def test_any_structure_within_the_slack_may_be_the_nearest(
    excess_mm: float, accepted: bool, surfaced: Patient
) -> None:
    """Another organ, a plate beside the needle, is `excess_mm` farther from it than the nearest organ."""
    plan = honest_plan(surfaced, lines={"right": LINES["right"]})
    (path,) = plan.paths
    (least_mm, nearest), (_, other_name), _ = sorted(
        (wall_distance(surfaced, path, inset_box(surfaced.boxes[n])), n) for n in FORBIDDEN
    )
    assert path.nearest_structure == nearest
    tip, outward = line_of(surfaced, path)
    side = np.cross(outward, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    up = np.cross(side, outward)
    centre = tip + 0.5 * path.length_mm * outward + (least_mm + excess_mm + RADIUS) * up
    meshes = {n: faces_of(inset_box(surfaced.boxes[n])) for n in FORBIDDEN}
    patient = with_surfaces(
        box_patient(), {**meshes, other_name: prism(centre, 10.0 * outward, 10.0 * side, 5.0 * up)}
    )
    names = failed(with_right_path(plan, nearest_structure=other_name), patient)
    assert ("nearest structure" not in names) == accepted


def prism(centre: np.ndarray, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> trimesh.Trimesh:
    """A brick whose near face has this centre and edges 2u and 2v; it is w deep."""
    unit = trimesh.creation.box(bounds=np.array([[-1.0, -1.0, 0.0], [1.0, 1.0, 1.0]]))
    vertices = np.array(unit.vertices) @ np.stack([u, v, w]) + centre
    mesh = trimesh.Trimesh(vertices, unit.faces, process=False)
    return mesh if mesh.volume > 0 else trimesh.Trimesh(vertices, unit.faces[:, ::-1], process=False)


SURFACE_FAULTS: dict[str, tuple[Callable[[Path, float], dict[str, object]], str]] = {
    "clearance beyond the surface": (
        lambda p, truth: {"clearance_mm": truth + 0.01},
        "clearance is not overstated",
    ),
    "clearance to the axis": (
        lambda p, truth: {"clearance_mm": truth + RADIUS},
        "clearance is not overstated",
    ),
    "clearance with the slack added": (
        lambda p, truth: {"clearance_mm": p.clearance_mm + SLACK + 0.01},
        "clearance is not overstated",
    ),
    "clearance below the voxels": (
        lambda p, truth: {"clearance_mm": truth - SLACK - 0.01},
        "clearance is not understated",
    ),
    "clearance in cm": (lambda p, truth: {"clearance_mm": truth / 10}, "clearance is not understated"),
    "another structure is the nearest": (
        lambda p, truth: {"nearest_structure": "heart"},
        "nearest structure",
    ),
    "nothing is the nearest": (lambda p, truth: {"nearest_structure": ""}, "nearest structure"),
}


@pytest.mark.parametrize("fault", SURFACE_FAULTS)
def test_a_wrong_clearance_to_surfaces_is_caught(fault: str, surfaced: Patient, surfaced_plan: Plan) -> None:
    claims, expected = SURFACE_FAULTS[fault]
    path = path_named(surfaced_plan, "right")
    edited = with_right_path(surfaced_plan, **claims(path, true_clearance(surfaced, path)))
    assert expected in failed(edited, surfaced)


def test_a_surface_that_moved_towards_the_needle_is_caught(surfaced: Patient, surfaced_plan: Plan) -> None:
    path = path_named(surfaced_plan, "right")
    box = inset_box(surfaced.boxes[path.nearest_structure])
    tip, outward = line_of(surfaced, path)
    points = tip + np.linspace(0.0, NEEDLE, 2001)[:, None] * outward
    nearest = points[np.argmin(box.distance(points))]
    towards = nearest - np.clip(nearest, box.low, box.high)
    meshes = {n: faces_of(inset_box(surfaced.boxes[n])) for n in FORBIDDEN}
    for shift_mm, caught in ((0.1, False), (2.0, True)):
        shifted = meshes[path.nearest_structure].copy()
        shifted.apply_translation(shift_mm * towards / np.linalg.norm(towards))
        patient = with_surfaces(box_patient(), {**meshes, path.nearest_structure: shifted})
        assert ("clearance is not overstated" in failed(surfaced_plan, patient)) == caught


def rib(low: tuple[float, float, float], high: tuple[float, float, float]) -> Box:
    return Box(Role.FORBIDDEN, np.array(low), np.array(high))


def ribbed(mesh: trimesh.Trimesh, role: Role = Role.FORBIDDEN) -> Patient:
    """The patient with one more structure read as a surface; its voxels are far from all paths.

    Plans for this patient are computed from the voxels only.
    """
    organs = {**ORGANS, "rib_right_5": (role, ((9, 45, 1), (10, 46, 2)))}
    return with_surfaces(box_patient(organs), {"rib_right_5": mesh})


NEAR_SKIN = rib((17.0, 58.0, 55.0), (20.0, 74.0, 68.0))
"""A rib in the chest wall, where the needle "right" enters."""


def right_path_plan(patient: Patient) -> Plan:
    return honest_plan(patient, lines={"right": LINES["right"]})


def test_a_needle_through_a_surface_is_refused() -> None:
    patient = ribbed(faces_of(NEAR_SKIN))
    assert set(failed(right_path_plan(patient), patient)) == {
        "the needle keeps its clearance",
        "clearance is not overstated",
        "nearest structure",
        "crosses rib_right_5",
    }


@pytest.mark.parametrize(("free_mm", "accepted"), [(1.0, False), (1.99, False), (2.01, True), (3.0, True)])
def test_a_needle_keeps_its_clearance_from_a_surface(
    free_mm: float, accepted: bool, patient: Patient
) -> None:
    """A rib in the chest wall, above the needle; the request asks for 2 mm."""
    (path,) = right_path_plan(patient).paths
    low, high = NEAR_SKIN.low.copy(), NEAR_SKIN.high.copy()
    for _ in range(40):
        # The distance grows nearly as fast as the rib is raised.
        rise = free_mm - wall_distance(patient, path, Box(NEAR_SKIN.role, low, high))
        low[2] += rise
        high[2] += rise
    meshed = ribbed(faces_of(Box(NEAR_SKIN.role, low, high)))
    names = failed(right_path_plan(meshed), meshed)
    assert ("the needle keeps its clearance" not in names) == accepted


def test_an_arm_read_as_a_surface_blocks_the_needle_outside_the_body(patient: Patient) -> None:
    (path,) = right_path_plan(patient).paths
    tip, outward = line_of(patient, path)
    centre = tip + (path.length_mm + 8.0) * outward
    meshed = ribbed(faces_of(Box(Role.OUTSIDE, centre - 3.0, centre + 3.0)), Role.OUTSIDE)
    assert set(failed(right_path_plan(meshed), meshed)) == {"the needle keeps its clearance"}


@pytest.mark.parametrize(("offset_mm", "blocked"), [(5.9, True), (6.1, False)])
def test_an_arm_read_as_a_surface_blocks_the_hub(offset_mm: float, blocked: bool) -> None:
    """The needle ends inside the field of view, with a thin arm beside the hub: hub radius 4 mm, clearance 2
    mm."""
    end = 55.0
    request = replace(REQUEST, needle=replace(REQUEST.needle, max_length_mm=end))
    right = {"right": LINES["right"]}
    without_arm = box_patient(request=request)
    tip, outward = line_of(without_arm, *honest_plan(without_arm, request, right).paths)
    up = np.cross(np.cross(outward, (0.0, 0.0, 1.0)), outward)
    up /= np.linalg.norm(up)
    centre = tip + (end + 3.0) * outward + offset_mm * up
    meshed = ribbed(prism(centre, 1.0 * outward, 1.0 * np.cross(outward, up), 2.0 * up), Role.OUTSIDE)
    names = failed(honest_plan(meshed, request, right), meshed)
    assert names == (["the hub keeps its clearance"] if blocked else [])


def flipped(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.array(mesh.faces)[:, ::-1], process=False)


def without_faces(mesh: trimesh.Trimesh, towards: np.ndarray) -> trimesh.Trimesh:
    """The mesh without the faces that look in this direction."""
    normals = mesh.face_normals @ towards
    return trimesh.Trimesh(mesh.vertices, np.array(mesh.faces)[normals < 0.5], process=False)


RIGHTWARDS = np.array([-1.0, 0.0, 0.0])
"""The side where the needle "right" enters."""

NO_SURFACES: dict[str, Callable[[trimesh.Trimesh], trimesh.Trimesh]] = {
    "inside out": flipped,
    "open towards the entry": lambda mesh: without_faces(mesh, RIGHTWARDS),
    "open towards the tip": lambda mesh: without_faces(mesh, -RIGHTWARDS),
}


@pytest.mark.parametrize("kind", ["closed", *NO_SURFACES])
def test_an_organ_around_the_whole_needle_leaves_no_clearance(kind: str) -> None:
    """Needle and hub are far from its walls on all sides: only an inside test shows it, or an open
    surface."""
    organ = rib((-300.0, -300.0, -300.0), (90.0, 300.0, 300.0))
    mesh = faces_of(organ)
    meshed = ribbed(NO_SURFACES[kind](mesh) if kind in NO_SURFACES else mesh)
    checks = {c.name: c for c in verify(right_path_plan(meshed), meshed.scene).checks if not c.passed}
    assert checks["clearance is not overstated"].recomputed == -RADIUS
    assert checks["the needle keeps its clearance"].recomputed == -RADIUS
    assert checks["the hub keeps its clearance"].recomputed == -REQUEST.pose.hub_diameter_mm / 2
    ambiguous = checks["crosses rib_right_5"].recomputed == "the surface is open or ambiguous here"
    assert ambiguous == (kind != "closed")


@pytest.fixture(scope="module")
def lungs_surfaced() -> Patient:
    return inset_patient(*LUNGS)


@pytest.fixture(scope="module")
def lungs_plan(lungs_surfaced: Patient) -> Plan:
    """Lung measured in voxels, crossings in surfaces."""
    patient = lungs_surfaced
    return with_crossings(
        patient, honest_plan(patient), {name: inset_box(patient.boxes[name]) for name in LUNGS}
    )


def test_lungs_are_measured_in_voxels_and_crossed_in_surfaces(
    lungs_surfaced: Patient, lungs_plan: Plan
) -> None:
    assert failed(lungs_plan, lungs_surfaced) == []
    right = path_named(lungs_plan, "right")
    assert [c.structure for c in right.crosses if c.structure in LUNGS] == list(LUNGS[:2])


LUNG_FAULTS: dict[str, tuple[Callable[[Patient, Plan], Plan], str]] = {
    "lung length in surfaces": (
        lambda patient, plan: with_right_path(
            plan,
            lung_length_mm=path_named(plan, "right").lung_length_mm - 3 * INSET,
        ),
        "lung length",
    ),
    "crossings in voxels": (lambda patient, plan: honest_plan(patient), "crosses lung_upper_lobe_right"),
    "no lung crossed": (
        lambda patient, plan: with_right_path(plan, crosses=()),
        "crosses lung_lower_lobe_right",
    ),
}


@pytest.mark.parametrize("fault", LUNG_FAULTS)
def test_a_wrong_claim_on_lungs_read_as_surfaces_is_caught(
    fault: str, lungs_surfaced: Patient, lungs_plan: Plan
) -> None:
    change, expected = LUNG_FAULTS[fault]
    assert expected in failed(change(lungs_surfaced, lungs_plan), lungs_surfaced)


def test_voxels_that_do_not_cover_their_lung_surface_are_caught() -> None:
    """The surface extends beyond the voxels in which lung is measured."""
    patient = inset_patient(*LUNGS, by=-INSET)
    plan = with_crossings(
        patient, honest_plan(patient), {name: inset_box(patient.boxes[name], -INSET) for name in LUNGS}
    )
    assert set(failed(plan, patient)) == {"lung length in surfaces"}


CAUDAL = np.array([0.0, 0.0, -1.0])
"""The side where the needle "right" passes from the lower lobe into the upper one."""


@pytest.mark.parametrize(
    "damage",
    [flipped, lambda mesh: without_faces(mesh, RIGHTWARDS), lambda mesh: without_faces(mesh, CAUDAL)],
    ids=["inside out", "open towards the entry", "open towards the tip"],
)
def test_a_lung_surface_without_an_inside_is_reported(
    damage: Callable[[trimesh.Trimesh], trimesh.Trimesh],
) -> None:
    patient = box_patient()
    bricks = {name: inset_box(patient.boxes[name]) for name in LUNGS}
    meshes = {name: faces_of(box) for name, box in bricks.items()}
    upper = LUNGS[0]
    meshed = with_surfaces(patient, {**meshes, upper: damage(meshes[upper])})
    plan = in_words(with_crossings(patient, right_path_plan(patient), bricks), meshed)
    checks = {c.name: c for c in verify(plan, meshed.scene).checks if not c.passed}
    assert checks.keys() == {f"crosses {upper}", "lung length in surfaces"}
    assert checks[f"crosses {upper}"].recomputed == "the surface is open or ambiguous here"
    assert checks["lung length in surfaces"].recomputed == "inf"


STRAIGHT = {"straight": ((55.0, 66.0, 63.0), (-1.0, 0.0, 0.0))}
"""A line along -x: y and z are exactly 66 and 63."""

CYST = Box(Role.PASSABLE, np.array([24.0, 46.0, 43.0]), np.array([40.0, 86.0, 83.0]))
"""A box around the straight needle, which passes the middle of two faces, where their diagonals are."""


def with_cyst(mesh: trimesh.Trimesh) -> Patient:
    patient = box_patient({**ORGANS, "cyst": (Role.PASSABLE, ((12, 20, 12), (20, 40, 30)))})
    return with_surfaces(patient, {"cyst": mesh})


def plan_crossing_cyst(patient: Patient, *from_x: tuple[float, float]) -> Plan:
    """The straight path, crossing the cyst between these x only."""
    plan = honest_plan(patient, lines=STRAIGHT)
    (path,) = plan.paths
    skin = path.entry_mm[0]
    crosses = [c for c in path.crosses if c.structure != "cyst"]
    crosses += [Crossing("cyst", a - skin, b - skin) for a, b in from_x]
    return replace(plan, paths=(replace(path, crosses=tuple(sorted(crosses, key=lambda c: c.from_mm))),))


def test_some_reading_decides_a_line_through_face_diagonals() -> None:
    patient = with_cyst(faces_of(CYST))
    assert failed(plan_crossing_cyst(patient, (24.0, 40.0)), patient) == []
    for wrong in ([], [(24.0, 39.99)], [(24.0, 30.0), (31.0, 40.0)]):
        assert failed(plan_crossing_cyst(patient, *wrong), patient) == ["crosses cyst"]


def test_a_line_along_a_face_may_be_inside_or_outside() -> None:
    on_face = Box(CYST.role, CYST.low, np.array([40.0, 86.0, 63.0]))
    below = Box(CYST.role, CYST.low, np.array([40.0, 86.0, 62.99]))
    for box, inside, outside in ((on_face, [], []), (below, ["crosses cyst"], [])):
        patient = with_cyst(faces_of(box))
        assert failed(plan_crossing_cyst(patient, (24.0, 40.0)), patient) == inside
        assert failed(plan_crossing_cyst(patient), patient) == outside


def test_some_reading_decides_a_line_through_two_corners() -> None:
    """Faces subdivided twice have corners in their middles."""
    patient = with_cyst(faces_of(CYST).subdivide().subdivide())
    assert failed(plan_crossing_cyst(patient, (24.0, 40.0)), patient) == []


def test_a_line_through_two_corners_is_not_outside_the_surface() -> None:
    patient = with_cyst(faces_of(CYST).subdivide().subdivide())
    assert failed(plan_crossing_cyst(patient), patient) == ["crosses cyst"]
