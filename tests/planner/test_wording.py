"""A plan's sentences never state more than its numbers support."""

from dataclasses import replace
from itertools import permutations

import pytest
from bare_plans import BARE_PLAN, COMPLETE
from hypothesis import given
from hypothesis import strategies as st
from sample_implants import a_dose, a_needle_set, a_robustness
from true_plans import LINES, ORGANS, box_patient, honest_plan

from planner.paths.search_report import proof_of
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleParts, NeedleSet, TooNear
from planner.records.plan import NO_OUTCOME, Outcome, Plan, Status
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.records.robustness import Robustness
from planner.records.search import (
    CONSTRAINT_NAMES,
    Blocker,
    Constraint,
    NearestMiss,
    Proof,
    Relaxation,
    SearchReport,
)
from planner.records.wording.implant import reached_text, worst_first
from planner.records.wording.outcome import outcome
from planner.records.wording.outcome_message import message_of
from planner.records.wording.search_claims import claims_of, radius_text
from planner.records.wording.set_claims import set_claims, too_near_text

REQUEST = Request(target=TargetRequest(("node_4R",)))
REQUEST_WITH_PRESCRIPTION = replace(REQUEST, prescription=Prescription())
ORIGIN = (0.0, 0.0, 0.0)


def plan_with_implant(
    needles: NeedleSet | None = None, dose: DoseReport | None = None, robustness: Robustness | None = None
) -> Plan:
    """A plan with a prescription and this implant."""
    return replace(
        BARE_PLAN, request=REQUEST_WITH_PRESCRIPTION, needle_set=needles, dose=dose, robustness=robustness
    )


@given(st.floats(1e-6, 100.0))
def test_a_radius_is_printed_to_two_digits_and_never_too_small(radius: float) -> None:
    number, unit = radius_text(radius).split()
    assert unit == "mm"
    assert radius - 1e-8 <= float(number) <= max(1.2 * radius, radius + 0.0101)


@pytest.mark.parametrize(
    ("radius", "text"),
    [(2.0, "2.00 mm"), (1.0, "1.00 mm"), (2.8284, "2.83 mm"), (2.831, "2.84 mm"), (0.005, "0.0050 mm")],
)
def test_round_radii_are_printed_exactly(radius: float, text: str) -> None:
    assert radius_text(radius) == text


@given(st.booleans(), st.integers(0, 5), st.floats(0.0, 8.0), st.sampled_from([0.0, 0.7]))
def test_only_a_complete_search_claims_a_proof(
    complete: bool, safe_lines: int, radius: float, slack: float
) -> None:
    proves = proof_of(complete, radius, safe_lines)
    assert (proves is Proof.NOTHING) != complete
    assert (proves is Proof.NONE_IS_SAFE) == (complete and radius == 0.0)
    claims = claims_of(
        replace(COMPLETE, covering_radius_mm=radius, surface_slack_mm=slack, proves=proves), ()
    )
    assert claims[0].startswith("Unproved") != complete
    assert (claims[0].startswith("No path")) == (complete and (safe_lines == 0 or radius == 0.0))
    assert any("0.70 mm beyond" in claim for claim in claims) == (slack > 0.0)
    if proves is not Proof.NONE_IS_SAFE:
        assert all(radius_text(radius) in claim for claim in claims if "voxels" not in claim)


def no_path_message(miss: NearestMiss | None, search: SearchReport = COMPLETE) -> str:
    blockers = (Blocker(Constraint.CLEARANCE, "aorta", 0.6), Blocker(Constraint.BORE, "bore", 0.4))
    return message_of(
        replace(
            BARE_PLAN,
            request=REQUEST,
            search=search,
            blocked_by=blockers,
            nearest_miss=miss,
            missing_structures=("heart",),
        )
    )


def test_the_message_is_independent_of_the_plans_own_outcome() -> None:
    plan = honest_plan(box_patient())
    other_outcome = Outcome(Status.GOALS_NOT_MET, "No path was found.")
    assert message_of(replace(plan, outcome=other_outcome)) == message_of(replace(plan, outcome=NO_OUTCOME))
    assert outcome(replace(plan, outcome=other_outcome)) == outcome(plan)


def test_without_a_path_the_message_names_target_radius_and_blockers() -> None:
    text = no_path_message(None)
    assert text.startswith(
        "Shown: no path to node_4R stays safe when displaced by 2.00 mm. "
        "Blocked mostly by aorta 60 %, bore 40 %."
    )


def test_after_a_timeout_the_message_claims_no_proof() -> None:
    text = no_path_message(None, replace(COMPLETE, complete=False, covering_radius_mm=6.0))
    assert "Shown" not in text
    assert "6.00 mm" in text and "allow more time" in text


SHORTFALL_TEXTS = {
    Constraint.CLEARANCE: "lacks 1.5 mm of the clearance from aorta",
    Constraint.NEEDLE_LENGTH: "lacks 1.5 mm of needle length",
    Constraint.TABLE: "lacks 1.5 mm of room at the table",
    Constraint.BORE: "lacks 1.5 mm of room at the bore",
    Constraint.COVERING_RADIUS: "ask for a smaller covering_radius_mm",
}


@pytest.mark.parametrize("constraint", SHORTFALL_TEXTS)
def test_the_message_states_the_shortfall_of_the_nearest_line(constraint: Constraint) -> None:
    structure = CONSTRAINT_NAMES.get(constraint, "aorta")
    assert SHORTFALL_TEXTS[constraint] in no_path_message(
        NearestMiss(ORIGIN, ORIGIN, constraint, structure, 1.5, ())
    )


def test_a_structure_with_the_name_of_a_limit_is_reported_as_a_structure() -> None:
    text = no_path_message(NearestMiss(ORIGIN, ORIGIN, Constraint.CLEARANCE, "table", 1.5, ()))
    assert "lacks 1.5 mm of the clearance from table" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            Relaxation(Constraint.CLEARANCE, "/clearance_mm/aorta", "aorta", 2.0, 0.5, ORIGIN, ORIGIN, 12.0),
            "A clearance of 0.5 mm instead of 2 mm from aorta would open a path through 12.0 mm of lung.",
        ),
        (
            Relaxation(
                Constraint.CLEARANCE, "/clearance_mm/default", "default", 2.0, 0.5, ORIGIN, ORIGIN, 0.0
            ),
            "A clearance of 0.5 mm instead of 2 mm by default would open a path without crossing lung.",
        ),
        (
            Relaxation(
                Constraint.NEEDLE_LENGTH,
                "/needle/max_length_mm",
                "needle length",
                100.0,
                120.5,
                ORIGIN,
                ORIGIN,
                0.0,
            ),
            "A needle of 120.5 mm instead of 100 mm would open a path without crossing lung.",
        ),
    ],
)
def test_the_smallest_change_is_stated_as_the_remedy(change: Relaxation, sentence: str) -> None:
    other_change = replace(change, structure="heart", setting="/clearance_mm/heart")
    assert no_path_message(
        NearestMiss(ORIGIN, ORIGIN, Constraint.CLEARANCE, "aorta", 1.5, (change, other_change))
    ).endswith(sentence)


@pytest.mark.parametrize(
    ("skin", "missing", "ending"),
    [
        (("body",), (), "without crossing lung."),
        (("body",), ("heart",), "lung. Not in the input, so not kept clear of: heart."),
        (
            (),
            ("heart", "aorta", "airway", "ribs", "sternum", "vertebrae"),
            "lung. Caution: without a body structure the skin is a guess and may lie inside the patient. "
            "Not in the input, so not kept clear of: heart, aorta, airway, ribs and 2 more.",
        ),
    ],
)
def test_caveats_are_stated_with_the_path(skin: str, missing: tuple[str, ...], ending: str) -> None:
    patient = box_patient({name: organ for name, organ in ORGANS.items() if "lung" not in name})
    paths = honest_plan(patient, lines={"anterior": LINES["anterior"]}).paths
    search = replace(COMPLETE, safe_lines=3, least_lung_mm=0.0)
    plan = replace(
        BARE_PLAN,
        request=REQUEST,
        search=search,
        paths=paths,
        skin_structures=skin,
        missing_structures=missing,
    )
    assert message_of(plan).endswith(ending)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            TooNear("N1", "aorta", None, NeedleParts.NEEDLE, 1.29, 1.5),
            "passes 1.2 mm from aorta, where 1.5 mm",
        ),
        (
            TooNear("N1", "aorta", None, NeedleParts.NEEDLE, 0.0, 1.5),
            "N1, given, touches or runs through aorta",
        ),
        (
            TooNear("N1", "aorta", None, NeedleParts.NEEDLE, -0.6, 1.5),
            "N1, given, touches or runs through aorta",
        ),
        (
            TooNear("N1", None, "N2", NeedleParts.SHAFTS, 0.739, 1.0),
            "the shafts of N1 and N2, given, run 0.73 mm apart and need 1 mm",
        ),
        (
            TooNear("N1", None, "N2", NeedleParts.SHAFTS, -0.77, 1.0),
            "the shafts of N1 and N2, given, overlap by 0.77 mm",
        ),
        (
            TooNear("N1", None, "N2", NeedleParts.HUBS, -5.0, 0.0),
            "the hubs of N1 and N2, given, overlap by 5.00 mm",
        ),
        (
            TooNear("N1", None, "N2", NeedleParts.SHAFT_AND_HUB, -2.0, 0.0),
            "hub and shaft of N1 and N2, given, overlap by 2.00 mm",
        ),
    ],
)
def test_clearances_of_given_needles_are_rounded_down(record: TooNear, text: str) -> None:
    assert text in too_near_text(record)


HEART_NEAR, AORTA_NEAR, VEIN_CROSSED, HUBS_OVERLAP = (
    TooNear("N2", "heart", None, NeedleParts.NEEDLE, 1.96, 2.0),
    TooNear("N3", "aorta", None, NeedleParts.NEEDLE, 0.75, 2.0),
    TooNear("N1", "vena_cava", None, NeedleParts.NEEDLE, -0.6, 2.0),
    TooNear("N1", None, "N2", NeedleParts.HUBS, -5.0, 0.0),
)


@pytest.mark.parametrize("records", list(permutations((HEART_NEAR, AORTA_NEAR, VEIN_CROSSED, HUBS_OVERLAP))))
def test_given_needles_in_organs_come_first_in_the_text_of_an_implant(records: tuple[TooNear, ...]) -> None:
    needles = replace(a_needle_set(), given_too_near=records)
    expected = (
        "Given needles too near: N1, given, touches or runs through vena_cava, where 2 mm are asked for; "
        "N3, given, passes 0.7 mm from aorta, where 2 mm are asked for; and 2 more."
    )
    sentences = worst_first(plan_with_implant(needles, a_dose(), a_robustness()))
    assert [sentence.split(":")[0] for sentence in sentences[2:4]] == [
        "Goals not met",
        "Organ limits exceeded",
    ]
    assert sentences[0] == expected and len(sentences) == 5


def test_given_needles_with_enough_clearance_are_not_mentioned() -> None:
    needles = replace(a_needle_set(), given_too_near=(), given_seed_pairs_near=0)
    for sentences in (
        worst_first(plan_with_implant(needles, a_dose())),
        worst_first(plan_with_implant()),
    ):
        assert sentences and not any(
            "too near" in sentence or "given seeds" in sentence for sentence in sentences
        )
    one_near = replace(needles, given_too_near=(HEART_NEAR,))
    # 1.96 mm is not rounded up to 2.
    assert worst_first(plan_with_implant(one_near, a_dose()))[0] == (
        "Given needles too near: N2, given, passes 1.9 mm from heart, where 2 mm are asked for."
    )


@pytest.mark.parametrize(
    ("pairs", "start"),
    [(1, "1 pair of given seeds lies nearer to"), (3, "3 pairs of given seeds lie nearer to")],
)
def test_close_given_seeds_are_mentioned_before_the_doses(pairs: int, start: str) -> None:
    needles = replace(a_needle_set(), given_seed_pairs_near=pairs)
    needles_text, seeds_text, goals_text, *_ = worst_first(
        plan_with_implant(needles, a_dose(), a_robustness())
    )
    assert needles_text.startswith("Given needles") and goals_text.startswith("Goals not met")
    assert seeds_text.startswith(start) and seeds_text in set_claims(needles, (), ())


def test_a_single_item_has_the_singular() -> None:
    needle_set = replace(
        a_needle_set(), path_ids=("N1",), seeds=a_needle_set().seeds[:1], seeds_bound=1, tracks_considered=1
    )
    request = replace(REQUEST_WITH_PRESCRIPTION, needle_set=NeedleSetRequest(max_needles=1))
    plan = replace(plan_with_implant(needle_set, a_dose()), request=request)
    text = " ".join([*reached_text(plan), *set_claims(needle_set, (), ())])
    for phrase in (
        *("1 needle and 1 seed give D90", "No more than 1 needle was allowed.", "Of the 1 track considered,"),
        "V100 needs 1 seed on these needles",
    ):
        assert phrase in text
    assert "1 needles" not in text and "1 seeds" not in text
