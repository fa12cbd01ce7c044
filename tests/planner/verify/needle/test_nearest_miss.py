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

CAUTIOUS = replace(REQUEST, clearance_mm=MappingProxyType({"default": 2.0, "aorta": WIDE}))
SHORT = replace(REQUEST, needle=replace(REQUEST.needle, max_length_mm=20.0))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few lines at random that they take no time: for what is not about them."""
    monkeypatch.setattr("planner.verify.needle.random_lines.LINES", 10)


def without_path(patient: Patient, request: Request, miss: NearestMiss | None) -> Plan:
    """A plan in which a whole search found nothing."""
    plan = replace(honest_plan(patient), request=request, paths=(), windows=(), nearest_miss=miss)
    search = replace(plan.search, safe_lines=0, least_lung_mm=None)
    return in_words(replace(plan, search=search, outcome=Outcome(Status.NO_PATH, "")), patient)


def failed(plan: Plan, patient: Patient) -> list[str]:
    """Names of the checks that failed."""
    return [c.name for c in verify(plan, patient.scene).checks if not c.passed]


def honest_miss(patient: Patient, request: Request, name: str, *changes: Relaxation) -> NearestMiss:
    """A line of the honest plan, and the most that it lacks, by the planes of the boxes."""
    path = honest_path(patient, REQUEST, name, *LINES[name])
    tip = patient.scene.grid.to_box(np.array(path.tip_mm))
    d = -np.array(path.direction)
    needle = max(request.needle.max_length_mm, path.length_mm)
    too_long = (Constraint.NEEDLE_LENGTH, CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH])
    lacks = [(path.length_mm - request.needle.max_length_mm, too_long)]
    for structure, box in patient.of(Role.FORBIDDEN, Role.OUTSIDE):
        clearance_mm = request.clearance_of(structure)
        what = (Constraint.CLEARANCE, structure)
        lacks.append((clearance_mm + RADIUS - axis_distance(box, tip, d, needle), what))
        lacks.append((clearance_mm + HUB_RADIUS - axis_distance(box, tip + needle * d, d, HUB_LENGTH), what))
    most, (constraint, structure) = max(lacks)
    return NearestMiss(path.entry_mm, path.tip_mm, constraint, structure, most, changes)


def opening(
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


def closer(patient: Patient, to_mm: float = 3.0) -> Relaxation:
    return opening(patient, "right", Constraint.CLEARANCE, "/clearance_mm/aorta", "aorta", WIDE, to_mm)


def longer(patient: Patient) -> Relaxation:
    name = CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH]
    pointer = "/needle/max_length_mm"
    return opening(patient, "right", Constraint.NEEDLE_LENGTH, pointer, name, 20.0, NEEDLE)


def test_a_true_miss_passes_with_its_relaxations(patient: Patient) -> None:
    miss = honest_miss(patient, CAUTIOUS, "right", closer(patient), closer(patient, 2.5))
    assert miss.structure == "aorta"
    assert 20.0 < miss.missing_mm < WIDE + RADIUS
    assert failed(without_path(patient, CAUTIOUS, miss), patient) == []


def test_a_needle_that_is_too_short_misses_by_what_it_lacks(patient: Patient) -> None:
    miss = honest_miss(patient, SHORT, "right", longer(patient))
    assert miss.constraint is Constraint.NEEDLE_LENGTH
    assert failed(without_path(patient, SHORT, miss), patient) == []


def test_a_miss_that_is_kept_silent_is_caught(patient: Patient) -> None:
    """Its sentence says that no line leads from target to skin."""
    assert failed(without_path(patient, CAUTIOUS, None), patient) == [NONE_REACHES]


def test_a_path_that_is_safe_as_asked_is_no_relaxations(patient: Patient) -> None:
    """Its line keeps 3 mm from the aorta, and more from the heart."""
    change = replace(
        closer(patient), structure="heart", setting="/clearance_mm/heart", from_mm=2.0, to_mm=1.0
    )
    miss = narrow(honest_miss(patient, REQUEST, "right", change))
    assert "without the relaxation the path is not safe" in failed(
        without_path(patient, REQUEST, miss), patient
    )


def test_a_relaxation_that_asks_for_less_than_the_nearest_line_lacks_is_caught(patient: Patient) -> None:
    true = honest_miss(patient, CAUTIOUS, "right", closer(patient, 3.0))
    farther = honest_miss(patient, CAUTIOUS, "right, longer")
    far = replace(true, missing_mm=farther.missing_mm, entry_mm=farther.entry_mm, tip_mm=farther.tip_mm)
    near = replace(true.relaxations[0], to_mm=WIDE - farther.missing_mm + 0.5)
    failed_checks = failed(without_path(patient, CAUTIOUS, replace(far, relaxations=(near,))), patient)
    assert "the nearest line lacks no more than any change" in failed_checks


def lacking(**changed: object) -> Callable[[NearestMiss], NearestMiss]:
    return lambda miss: replace(miss, **changed)


def lacking_of(constraint: Constraint) -> Callable[[NearestMiss], NearestMiss]:
    return lacking(constraint=constraint, structure=CONSTRAINT_NAMES[constraint])


def narrow(miss: NearestMiss) -> NearestMiss:
    """Safe where it is."""
    return replace(lacking_of(Constraint.COVERING_RADIUS)(miss), missing_mm=0.0)


def first_change(**changed: object) -> Callable[[NearestMiss], NearestMiss]:
    return lambda miss: replace(miss, relaxations=(replace(miss.relaxations[0], **changed),))


def turned(miss: NearestMiss) -> NearestMiss:
    """The tip at the entry, and the other way round."""
    return replace(miss, entry_mm=miss.tip_mm, tip_mm=miss.entry_mm)


def raised(miss: NearestMiss) -> NearestMiss:
    """The entry a tenth of a millimetre above the skin, along the axis."""
    inward = np.subtract(miss.tip_mm, miss.entry_mm)
    entry = np.array(miss.entry_mm) - 0.1 * inward / np.linalg.norm(inward)
    return replace(miss, entry_mm=tuple(entry.tolist()))


FAULTS: dict[str, tuple[Callable[[NearestMiss], NearestMiss], str]] = {
    "it lacks less": (lambda m: replace(m, missing_mm=m.missing_mm - 0.01), "lacks no more than stated"),
    "it lacks more": (lambda m: replace(m, missing_mm=m.missing_mm + 0.01), "lacks what is stated"),
    "it lacks it of another": (lacking(structure="heart"), "lacks what is stated"),
    "it lacks it of nothing known": (lacking(structure="pancreas"), "lacks what is stated"),
    "it is only narrow": (lambda m: narrow(m), "lacks no more than stated"),
    "it lacks needle": (lacking_of(Constraint.NEEDLE_LENGTH), "lacks what is stated"),
    "it lacks room in the bore": (lacking_of(Constraint.BORE), "lacks what is stated"),
    "it lacks room at the table": (lacking_of(Constraint.TABLE), "lacks what is stated"),
    "it lacks what no line lacks": (lacking_of(Constraint.SECOND_ENTRY), "lacks what is stated"),
    "a limit under a structure's name": (
        lacking(constraint=Constraint.BORE),
        "what the nearest line lacks is named",
    ),
    "a structure under a limit's name": (lacking(structure="bore"), "lacks what is stated"),
    "relaxed in what no setting changes": (
        first_change(constraint=Constraint.BORE),
        "the constraint is one to relax",
    ),
    "a clearance relaxed as if it were the needle": (
        first_change(constraint=Constraint.NEEDLE_LENGTH),
        "the setting is one to relax",
    ),
    "entry and tip have changed places": (turned, "the tip is at the distal edge of the target"),
    "the entry is above the skin": (raised, "the entry is on the skin"),
    "entry and tip coincide": (lambda m: replace(m, entry_mm=m.tip_mm), "entry and tip differ"),
    "relaxed from another clearance": (first_change(from_mm=29.0), "relaxed from what was asked"),
    "relaxed to a wider clearance": (first_change(to_mm=31.0), "the relaxation can open a path"),
    "relaxed below nothing": (first_change(to_mm=-0.5), "the relaxation can open a path"),
    "relaxed too little": (first_change(to_mm=12.0), "the needle keeps its clearance"),
    "relaxed elsewhere": (
        first_change(structure="heart", from_mm=2.0, to_mm=1.0),
        "the setting is one to relax",
    ),
    "relaxed in what does not exist": (
        first_change(structure="pancreas", setting="/clearance_mm/pancreas", from_mm=2.0, to_mm=0.0),
        "what is relaxed exists",
    ),
    "relaxed in what cannot be": (
        first_change(setting="/pose/bore_diameter_mm"),
        "the setting is one to relax",
    ),
    "relaxed without the default's leave": (
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


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_false_miss_is_caught(fault: str, patient: Patient) -> None:
    change, expected = FAULTS[fault]
    miss = change(honest_miss(patient, CAUTIOUS, "right", closer(patient)))
    failed_checks = failed(without_path(patient, CAUTIOUS, miss), patient)
    assert any(expected in name for name in failed_checks), failed_checks


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("to_mm", [20.0, 15.0])
def test_a_needle_no_longer_than_asked_opens_nothing(to_mm: float, patient: Patient) -> None:
    miss = honest_miss(patient, SHORT, "right", replace(longer(patient), to_mm=to_mm))
    assert "the relaxation can open a path" in failed(without_path(patient, SHORT, miss), patient)


@pytest.mark.usefixtures("few")
def test_a_needle_still_too_short_opens_nothing(patient: Patient) -> None:
    miss = honest_miss(patient, SHORT, "right", replace(longer(patient), to_mm=30.0))
    assert "the needle is long enough" in failed(without_path(patient, SHORT, miss), patient)


def test_a_miss_beside_paths_is_caught(patient: Patient) -> None:
    miss = honest_miss(patient, REQUEST, "right")
    plan = in_words(replace(honest_plan(patient), nearest_miss=narrow(miss)), patient)
    assert failed(plan, patient) == ["a nearest miss is stated only where there is no path"]


def test_a_line_that_lacks_nothing_is_narrow_and_no_more(patient: Patient) -> None:
    """Beside paths it must not be; that apart, it passes only where it says that it lacks nothing."""
    miss = narrow(honest_miss(patient, REQUEST, "right"))
    for missing_mm, expected in ((0.0, []), (0.5, ["the nearest line lacks what is stated"])):
        plan = in_words(
            replace(honest_plan(patient), nearest_miss=replace(miss, missing_mm=missing_mm)), patient
        )
        assert failed(plan, patient) == ["a nearest miss is stated only where there is no path", *expected]


# --- lines at random

NONE_REACHES = "of 400 random lines, none reaches from skin to target"
AT_RANDOM = "of 400 random lines, none stays safe when displaced"


def test_no_path_is_not_believed_where_lines_at_random_stay_safe(patient: Patient) -> None:
    assert AT_RANDOM in failed(without_path(patient, REQUEST, None), patient)


def test_a_claim_made_for_another_request_is_not_believed(patient: Patient) -> None:
    true = without_path(patient, CAUTIOUS, honest_miss(patient, CAUTIOUS, "right"))
    assert failed(true, patient) == []
    swapped = replace(true, request=REQUEST)
    assert AT_RANDOM in failed(in_words(swapped, patient), patient)


def test_lines_at_random_do_not_disprove_a_claim_for_wide_displacements(patient: Patient) -> None:
    plan = without_path(patient, REQUEST, None)
    search = replace(plan.search, covering_radius_mm=20.0)
    assert AT_RANDOM not in failed(in_words(replace(plan, search=search), patient), patient)


@pytest.mark.representative(1)
@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1, -3])
def test_other_lines_at_random_disprove_it_as_well(seed: int, patient: Patient) -> None:
    assert AT_RANDOM in failed(without_path(patient, replace(REQUEST, random_seed=seed), None), patient)


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
def test_a_false_sentence_is_caught(fault: str, patient: Patient) -> None:
    change, expected = SENTENCES[fault]
    true = honest_plan(patient)
    assert change(true) != true
    assert failed(change(true), patient) == [expected]


def test_a_line_that_comes_too_near_a_structure_when_displaced_disproves_nothing() -> None:
    """A rib beside the needle, on its way to the node; how far, the planes of its box tell."""
    patient = box_patient({**ORGANS, "rib": (Role.FORBIDDEN, ((14, 28, 22), (20, 36, 24)))})
    path = honest_path(patient, REQUEST, "right", *LINES["right"])
    examined = examined_axis(Claims(), "path", path.entry_mm, path.tip_mm, patient.scene, REQUEST)
    assert examined is not None
    tip, d = patient.scene.grid.to_box(np.array(path.tip_mm)), -np.array(path.direction)
    spare = axis_distance(patient.boxes["rib"], tip, d, NEEDLE) - RADIUS - 2.0
    structures = patient.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    assert 1.0 < spare < 5.0
    assert stays_safe(examined, 0.1 * spare, structures)
    assert not stays_safe(examined, 1.1 * spare, structures)
    assert stays_safe(examined, 1.1 * spare, ())


def test_tips_outside_the_body_disprove_nothing_and_others_still_do() -> None:
    """A node that grows through the skin: two fifths of it lie outside."""
    grown = box_patient({"body": ORGANS["body"], "node": (Role.TARGET, ((4, 20, 10), (14, 26, 20)))})
    assert AT_RANDOM in failed(without_path(grown, REQUEST, None), grown)
