"""What a plan without paths claims: the line that comes nearest, what would open a path, and that none is."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from true_plans import (
    LINES,
    NEEDLE,
    ORGANS,
    RADIUS,
    REQUEST,
    Patient,
    axis_distance,
    box_patient,
    honest_path,
    honest_plan,
    in_words,
    patient,
)

from anatomy.structures import Role
from planner.records.plan import Outcome, Plan, Status
from planner.records.request.request import Request
from planner.records.search import CONSTRAINT_NAMES, Constraint, NearestMiss, Relaxation
from planner.verify import verify
from planner.verify.claims import Claims
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle.random_lines import stays_safe

__all__ = ["patient"]

HUB_LENGTH, HUB_RADIUS = 30.0, 4.0
WIDE = 30.0
"""A clearance from the aorta that no needle keeps: it passes 3 mm behind the node."""

WIDE_CLEARANCE = replace(REQUEST, clearance_mm=MappingProxyType({"default": 2.0, "aorta": WIDE}))
SHORT_NEEDLE = replace(REQUEST, needle=replace(REQUEST.needle, max_length_mm=20.0))


@pytest.fixture
def few_random_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few random lines, for tests of other checks: they take no time."""
    monkeypatch.setattr("planner.verify.needle.random_lines.LINES", 10)


def without_path(patient: Patient, request: Request, miss: NearestMiss | None) -> Plan:
    """A plan in which a complete search found nothing."""
    plan = replace(honest_plan(patient), request=request, paths=(), windows=(), nearest_miss=miss)
    search = replace(plan.search, safe_lines=0, least_lung_mm=None)
    return in_words(replace(plan, search=search, outcome=Outcome(Status.NO_PATH, "")), patient)


def failed(plan: Plan, patient: Patient) -> list[str]:
    """Names of the checks that failed."""
    return [c.name for c in verify(plan, patient.scene).checks if not c.passed]


def honest_miss(patient: Patient, request: Request, name: str, *changes: Relaxation) -> NearestMiss:
    """A line of the honest plan and its largest shortfall, computed from the planes of the boxes."""
    path = honest_path(patient, REQUEST, name, *LINES[name])
    tip = patient.scene.grid.to_box(np.array(path.tip_mm))
    d = -np.array(path.direction)
    length_mm = max(request.needle.max_length_mm, path.length_mm)
    too_long = (Constraint.NEEDLE_LENGTH, CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH])
    shortfalls = [(path.length_mm - request.needle.max_length_mm, too_long)]
    for structure, box in patient.of(Role.FORBIDDEN, Role.OUTSIDE):
        clearance_mm = request.clearance_of(structure)
        obstacle = (Constraint.CLEARANCE, structure)
        shortfalls.append((clearance_mm + RADIUS - axis_distance(box, tip, d, length_mm), obstacle))
        shortfalls.append(
            (clearance_mm + HUB_RADIUS - axis_distance(box, tip + length_mm * d, d, HUB_LENGTH), obstacle)
        )
    missing_mm, (constraint, structure) = max(shortfalls)
    return NearestMiss(path.entry_mm, path.tip_mm, constraint, structure, missing_mm, changes)


def relaxation(
    patient: Patient,
    name: str,
    constraint: Constraint,
    setting: str,
    structure: str,
    from_mm: float,
    to_mm: float,
) -> Relaxation:
    """A relaxation that opens a line of the honest plan."""
    path = honest_path(patient, REQUEST, name, *LINES[name])
    ends = path.entry_mm, path.tip_mm
    return Relaxation(constraint, setting, structure, from_mm, to_mm, *ends, path.lung_length_mm)


def smaller_clearance(patient: Patient, to_mm: float = 3.0) -> Relaxation:
    return relaxation(patient, "right", Constraint.CLEARANCE, "/clearance_mm/aorta", "aorta", WIDE, to_mm)


def longer_needle(patient: Patient) -> Relaxation:
    name = CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH]
    pointer = "/needle/max_length_mm"
    return relaxation(patient, "right", Constraint.NEEDLE_LENGTH, pointer, name, 20.0, NEEDLE)


def test_a_correct_miss_passes_with_its_relaxations(patient: Patient) -> None:
    miss = honest_miss(
        patient, WIDE_CLEARANCE, "right", smaller_clearance(patient), smaller_clearance(patient, 2.5)
    )
    assert miss.structure == "aorta"
    assert 20.0 < miss.missing_mm < WIDE + RADIUS
    assert failed(without_path(patient, WIDE_CLEARANCE, miss), patient) == []


def test_a_short_needle_misses_by_its_missing_length(patient: Patient) -> None:
    miss = honest_miss(patient, SHORT_NEEDLE, "right", longer_needle(patient))
    assert miss.constraint is Constraint.NEEDLE_LENGTH
    assert failed(without_path(patient, SHORT_NEEDLE, miss), patient) == []


def test_an_omitted_miss_is_caught(patient: Patient) -> None:
    """Without it, the message says that no line leads from target to skin."""
    assert failed(without_path(patient, WIDE_CLEARANCE, None), patient) == [NONE_REACHES]


def test_a_relaxation_whose_path_is_already_safe_is_caught(patient: Patient) -> None:
    """Its line keeps 3 mm from the aorta, and more from the heart."""
    change = replace(
        smaller_clearance(patient), structure="heart", setting="/clearance_mm/heart", from_mm=2.0, to_mm=1.0
    )
    miss = with_radius_only(honest_miss(patient, REQUEST, "right", change))
    assert "without the relaxation the path is not safe" in failed(
        without_path(patient, REQUEST, miss), patient
    )


def test_a_relaxation_smaller_than_the_shortfall_of_the_nearest_line_is_caught(patient: Patient) -> None:
    miss = honest_miss(patient, WIDE_CLEARANCE, "right", smaller_clearance(patient, 3.0))
    farther = honest_miss(patient, WIDE_CLEARANCE, "right, longer")
    farther_miss = replace(
        miss, missing_mm=farther.missing_mm, entry_mm=farther.entry_mm, tip_mm=farther.tip_mm
    )
    small_change = replace(miss.relaxations[0], to_mm=WIDE - farther.missing_mm + 0.5)
    failed_checks = failed(
        without_path(patient, WIDE_CLEARANCE, replace(farther_miss, relaxations=(small_change,))), patient
    )
    assert "the nearest line lacks no more than any change" in failed_checks


def with_miss(**changes: object) -> Callable[[NearestMiss], NearestMiss]:
    return lambda miss: replace(miss, **changes)


def with_constraint(constraint: Constraint) -> Callable[[NearestMiss], NearestMiss]:
    return with_miss(constraint=constraint, structure=CONSTRAINT_NAMES[constraint])


def with_radius_only(miss: NearestMiss) -> NearestMiss:
    """A miss whose line is safe, and short of covering radius only."""
    return replace(with_constraint(Constraint.COVERING_RADIUS)(miss), missing_mm=0.0)


def first_change(**changes: object) -> Callable[[NearestMiss], NearestMiss]:
    return lambda miss: replace(miss, relaxations=(replace(miss.relaxations[0], **changes),))


def reversed_miss(miss: NearestMiss) -> NearestMiss:
    """The miss with tip and entry exchanged."""
    return replace(miss, entry_mm=miss.tip_mm, tip_mm=miss.entry_mm)


def raised_entry(miss: NearestMiss) -> NearestMiss:
    """The miss with its entry 0.1 mm above the skin, along the axis."""
    inward = np.subtract(miss.tip_mm, miss.entry_mm)
    entry = np.array(miss.entry_mm) - 0.1 * inward / np.linalg.norm(inward)
    return replace(miss, entry_mm=tuple(entry.tolist()))


FAULTS: dict[str, tuple[Callable[[NearestMiss], NearestMiss], str]] = {
    "it lacks less": (lambda m: replace(m, missing_mm=m.missing_mm - 0.01), "lacks no more than stated"),
    "it lacks more": (lambda m: replace(m, missing_mm=m.missing_mm + 0.01), "lacks what is stated"),
    "it lacks clearance from another structure": (with_miss(structure="heart"), "lacks what is stated"),
    "it lacks clearance from an unknown structure": (with_miss(structure="pancreas"), "lacks what is stated"),
    "it lacks covering radius only": (lambda m: with_radius_only(m), "lacks no more than stated"),
    "it lacks needle": (with_constraint(Constraint.NEEDLE_LENGTH), "lacks what is stated"),
    "it lacks room in the bore": (with_constraint(Constraint.BORE), "lacks what is stated"),
    "it lacks room at the table": (with_constraint(Constraint.TABLE), "lacks what is stated"),
    "it lacks a constraint without a distance": (
        with_constraint(Constraint.SECOND_ENTRY),
        "lacks what is stated",
    ),
    "a limit under a structure's name": (
        with_miss(constraint=Constraint.BORE),
        "what the nearest line lacks is named",
    ),
    "a structure under a limit's name": (with_miss(structure="bore"), "lacks what is stated"),
    "a constraint that no setting relaxes": (
        first_change(constraint=Constraint.BORE),
        "the constraint is one to relax",
    ),
    "a clearance relaxed as if it were the needle": (
        first_change(constraint=Constraint.NEEDLE_LENGTH),
        "the setting is one to relax",
    ),
    "entry and tip have changed places": (reversed_miss, "the tip is at the distal edge of the target"),
    "the entry is above the skin": (raised_entry, "the entry is on the skin"),
    "entry and tip coincide": (lambda m: replace(m, entry_mm=m.tip_mm), "entry and tip differ"),
    "relaxed from another clearance": (first_change(from_mm=29.0), "relaxed from what was asked"),
    "relaxed to a wider clearance": (first_change(to_mm=31.0), "the relaxation can open a path"),
    "relaxed below zero": (first_change(to_mm=-0.5), "the relaxation can open a path"),
    "relaxed too little": (first_change(to_mm=12.0), "the needle keeps its clearance"),
    "relaxed elsewhere": (
        first_change(structure="heart", from_mm=2.0, to_mm=1.0),
        "the setting is one to relax",
    ),
    "relaxed for an unknown structure": (
        first_change(structure="pancreas", setting="/clearance_mm/pancreas", from_mm=2.0, to_mm=0.0),
        "what is relaxed exists",
    ),
    "relaxed in a fixed setting": (
        first_change(setting="/pose/bore_diameter_mm"),
        "the setting is one to relax",
    ),
    "relaxed in the default instead of the structure": (
        first_change(structure="default", setting="/clearance_mm/default", from_mm=2.0, to_mm=0.0),
        "the needle keeps its clearance",
    ),
    "other lung": (first_change(lung_length_mm=3.0), "lung length"),
    "the opened path's ends coincide": (
        lambda m: replace(m, relaxations=(replace(m.relaxations[0], tip_mm=m.relaxations[0].entry_mm),)),
        "entry and tip differ",
    ),
    "the largest change first": (
        lambda m: replace(m, relaxations=(replace(m.relaxations[0], to_mm=2.5), m.relaxations[0])),
        "relaxations, smallest first",
    ),
}


@pytest.mark.usefixtures("few_random_lines")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_miss_is_caught(fault: str, patient: Patient) -> None:
    change, expected = FAULTS[fault]
    miss = change(honest_miss(patient, WIDE_CLEARANCE, "right", smaller_clearance(patient)))
    failed_checks = failed(without_path(patient, WIDE_CLEARANCE, miss), patient)
    assert any(expected in name for name in failed_checks), failed_checks


@pytest.mark.usefixtures("few_random_lines")
@pytest.mark.parametrize("to_mm", [20.0, 15.0])
def test_a_needle_no_longer_than_requested_is_no_relaxation(to_mm: float, patient: Patient) -> None:
    miss = honest_miss(patient, SHORT_NEEDLE, "right", replace(longer_needle(patient), to_mm=to_mm))
    assert "the relaxation can open a path" in failed(without_path(patient, SHORT_NEEDLE, miss), patient)


@pytest.mark.usefixtures("few_random_lines")
def test_a_needle_that_is_still_too_short_is_no_relaxation(patient: Patient) -> None:
    miss = honest_miss(patient, SHORT_NEEDLE, "right", replace(longer_needle(patient), to_mm=30.0))
    assert "the needle is long enough" in failed(without_path(patient, SHORT_NEEDLE, miss), patient)


def test_a_miss_in_a_plan_with_paths_is_caught(patient: Patient) -> None:
    miss = honest_miss(patient, REQUEST, "right")
    plan = in_words(replace(honest_plan(patient), nearest_miss=with_radius_only(miss)), patient)
    assert failed(plan, patient) == ["a nearest miss is stated only where there is no path"]


def test_a_miss_without_shortfall_must_state_zero(patient: Patient) -> None:
    """A plan with paths must have no miss; apart from that, only a stated shortfall of zero passes."""
    miss = with_radius_only(honest_miss(patient, REQUEST, "right"))
    for missing_mm, expected in ((0.0, []), (0.5, ["the nearest line lacks what is stated"])):
        plan = in_words(
            replace(honest_plan(patient), nearest_miss=replace(miss, missing_mm=missing_mm)), patient
        )
        assert failed(plan, patient) == ["a nearest miss is stated only where there is no path", *expected]


# --- random lines

NONE_REACHES = "of 400 random lines, none reaches from skin to target"
NONE_STAYS_SAFE = "of 400 random lines, none stays safe when displaced"


def test_random_lines_that_stay_safe_disprove_no_path(patient: Patient) -> None:
    assert NONE_STAYS_SAFE in failed(without_path(patient, REQUEST, None), patient)


def test_random_lines_disprove_a_claim_for_another_request(patient: Patient) -> None:
    plan = without_path(patient, WIDE_CLEARANCE, honest_miss(patient, WIDE_CLEARANCE, "right"))
    assert failed(plan, patient) == []
    other_request = replace(plan, request=REQUEST)
    assert NONE_STAYS_SAFE in failed(in_words(other_request, patient), patient)


def test_random_lines_do_not_disprove_a_claim_for_wide_displacements(patient: Patient) -> None:
    plan = without_path(patient, REQUEST, None)
    search = replace(plan.search, covering_radius_mm=20.0)
    assert NONE_STAYS_SAFE not in failed(in_words(replace(plan, search=search), patient), patient)


@pytest.mark.representative(1)
@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1, -3])
def test_random_lines_of_other_seeds_disprove_no_path_too(seed: int, patient: Patient) -> None:
    assert NONE_STAYS_SAFE in failed(without_path(patient, replace(REQUEST, random_seed=seed), None), patient)


# --- sentences


SENTENCES: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "a message that promises more": (
        lambda p: replace(p, outcome=replace(p.outcome, message=p.outcome.message + " Approved.")),
        "the message is the outcome's",
    ),
    "a message with another number": (
        lambda p: replace(p, outcome=replace(p.outcome, message=p.outcome.message.replace("4", "3", 1))),
        "the message is the outcome's",
    ),
    "a claim for a smaller radius": (
        lambda p: replace(
            p,
            search=replace(p.search, claims=tuple(c.replace("2.00 mm", "1.00 mm") for c in p.search.claims)),
        ),
        "what the search may claim",
    ),
    "a claim left out": (
        lambda p: replace(p, search=replace(p.search, claims=p.search.claims[1:])),
        "what the search may claim",
    ),
    "a note left out or added": (
        lambda p: replace(p, notes=(*p.notes, "All is well.")),
        "notes on the input",
    ),
}


@pytest.mark.parametrize("fault", SENTENCES)
def test_a_wrong_sentence_is_caught(fault: str, patient: Patient) -> None:
    change, expected = SENTENCES[fault]
    plan = honest_plan(patient)
    assert change(plan) != plan
    assert failed(change(plan), patient) == [expected]


def test_a_line_that_comes_too_near_when_displaced_does_not_stay_safe() -> None:
    """The distance of a rib beside the needle follows from the planes of its box."""
    patient = box_patient({**ORGANS, "rib": (Role.FORBIDDEN, ((14, 28, 22), (20, 36, 24)))})
    path = honest_path(patient, REQUEST, "right", *LINES["right"])
    examined = examined_axis(Claims(), "path", path.entry_mm, path.tip_mm, patient.scene, REQUEST)
    assert examined is not None
    tip, d = patient.scene.grid.to_box(np.array(path.tip_mm)), -np.array(path.direction)
    spare_mm = axis_distance(patient.boxes["rib"], tip, d, NEEDLE) - RADIUS - 2.0
    structures = patient.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    assert 1.0 < spare_mm < 5.0
    assert stays_safe(examined, 0.1 * spare_mm, structures)
    assert not stays_safe(examined, 1.1 * spare_mm, structures)
    assert stays_safe(examined, 1.1 * spare_mm, ())


def test_random_lines_with_tips_outside_the_body_are_skipped() -> None:
    """A node that grows through the skin: two fifths of it lie outside."""
    grown = box_patient({"body": ORGANS["body"], "node": (Role.TARGET, ((4, 20, 10), (14, 26, 20)))})
    assert NONE_STAYS_SAFE in failed(without_path(grown, REQUEST, None), grown)
