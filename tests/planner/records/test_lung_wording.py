"""The texts of a plan claim nothing about lung that is missing in the input."""

from dataclasses import replace

import pytest
from sample_implants import implant_plan
from true_plans import LINES, ORGANS, Patient, box_patient, honest_plan

from anatomy.structures import Role
from planner.records.plan import Plan
from planner.records.wording.lung import a_path, at_least, through
from planner.verify import verify
from service.cli.text.implant import implant_lines
from service.cli.text.plan import plan_text

CLAIMS = ("without crossing lung", "The least lung length found, least_lung_mm, is at most the worst")
LOWER_LEFT = (Role.LUNG, ((36, 14, 0), (49, 46, 4)))
ALL_LUNG = {**ORGANS, "lung_middle_lobe_right": (Role.LUNG, ((11, 14, 3), (26, 46, 4)))}
ALL_LUNG["lung_lower_lobe_left"] = LOWER_LEFT


def chest(*lacking: str) -> Patient:
    return box_patient(
        {name: organ for name, organ in ALL_LUNG.items() if not any(w in name for w in lacking)}
    )


def anterior_plan(patient: Patient) -> Plan:
    return honest_plan(patient, lines={"anterior": LINES["anterior"]})


def all_text(plan: Plan) -> str:
    return " ".join([plan.outcome.message, *plan.search.claims, *plan.notes])


def test_with_all_lung_a_path_without_lung_says_so() -> None:
    plan = anterior_plan(chest())
    assert plan.missing_structures[0] != "lung" and plan.paths[0].lung_length_mm == 0.0
    assert all(claim in all_text(plan) for claim in CLAIMS)
    assert "as lung" not in all_text(plan)


def test_without_lung_structures_nothing_is_claimed_about_lung() -> None:
    plan = anterior_plan(chest("lung"))
    assert plan.missing_structures[0] == "lung" and plan.paths[0].lung_length_mm == 0.0
    assert not any(claim in all_text(plan) for claim in CLAIMS)
    assert "what lung it crosses is not known: none is in the input" in plan.outcome.message
    assert "No structure is taken as lung" in " ".join(plan.notes)
    row = plan_text(plan).splitlines()[2]
    assert row.count("unknown") == 3
    assert "not kept clear of: lung" not in plan_text(plan)


@pytest.mark.parametrize(
    ("lacking", "name"),
    [
        (("lobe_right",), "lung_right"),
        (("lobe_left",), "lung_left"),
        (("middle_lobe",), "lung_middle_lobe_right"),
    ],
)
def test_missing_lung_is_named_in_every_text_about_lung(lacking: tuple[str, ...], name: str) -> None:
    plan = anterior_plan(chest(*lacking))
    assert plan.missing_structures[0] == name
    assert CLAIMS[0] not in plan.outcome.message
    assert f"crossing no lung in the input, which lacks {name}" in plan.outcome.message
    assert f"counted in the lung of the input alone, which lacks {name}." in plan.search.claims[1]
    assert f"Not in the input as lung: {name}." in " ".join(plan.notes)
    assert "at least 0.0" in plan_text(plan).splitlines()[2]


def test_passable_lung_is_not_reported_as_avoided() -> None:
    right = {n: (Role.PASSABLE, o[1]) for n, o in ALL_LUNG.items() if n.startswith("lung") and "right" in n}
    plan = anterior_plan(box_patient({**ALL_LUNG, **right}))
    assert plan.missing_structures[0] == "lung_right"
    assert CLAIMS[0] not in all_text(plan)


def test_lungs_without_lobes_have_no_fissures_and_the_plan_says_so() -> None:
    without_lung = {name: organ for name, organ in ALL_LUNG.items() if "lung" not in name}
    whole_lungs = {
        "lung_left": ALL_LUNG["lung_upper_lobe_left"],
        "lung_right": ALL_LUNG["lung_upper_lobe_right"],
    }
    plan = anterior_plan(box_patient({**without_lung, **whole_lungs}))
    assert "Without lobes no fissure is counted in lung_left, lung_right." in plan.notes
    assert not any("fissure" in note for note in anterior_plan(chest()).notes)


def test_a_plan_without_the_texts_on_missing_lung_fails_verification() -> None:
    complete_plan, patient = anterior_plan(chest()), chest("lobe_right")
    plan = anterior_plan(patient)
    failed = {check.name for check in verify(plan, patient.scene).checks if not check.passed}
    assert not {"organs missing", "what the search may claim", "notes on the input"} & failed
    edited = replace(
        plan,
        missing_structures=complete_plan.missing_structures,
        notes=complete_plan.notes,
        outcome=complete_plan.outcome,
        search=replace(plan.search, claims=complete_plan.search.claims),
    )
    checks = verify(edited, patient.scene).checks
    assert {"organs missing", "what the search may claim", "notes on the input"} <= {
        check.name for check in checks if not check.passed
    }


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ((), "lung 12.5 mm, 1 pleural puncture (counted"),
        (("lung_left",), "lung at least 12.5 mm, at least 1 pleural puncture (counted"),
        (("lung",), "lung and pleural punctures unknown (counted"),
    ],
)
def test_totals_of_a_needle_set_depend_on_the_known_lung(missing: tuple[str, ...], expected: str) -> None:
    plan = replace(implant_plan(), missing_structures=missing)
    (line,) = (line for line in implant_lines(plan) if line.startswith("Needle set: "))
    assert line.startswith(f"Needle set: {expected}")


def test_texts_on_lung_depend_on_the_known_lung() -> None:
    assert through(0.0, ()) == "without crossing lung"
    assert through(12.04, ("ribs",)) == "through 12.0 mm of lung"
    assert through(12.0, ("lung_left",)) == "through 12.0 mm of lung in the input, which lacks lung_left"
    assert a_path(3.0, ("lung", "ribs")).startswith("a path, and what lung it crosses is not known")
    assert [at_least("3", missing) for missing in ((), ("lung_right",), ("lung",))] == [
        "3",
        "at least 3",
        "unknown",
    ]


def test_tiny_pieces_of_lung_do_not_count_as_lung() -> None:
    without_lung = {name: organ for name, organ in ALL_LUNG.items() if "lung" not in name}
    pieces = {
        "lung_left": (Role.LUNG, ((40, 20, 20), (41, 22, 22))),
        "lung_right": (Role.LUNG, ((14, 20, 20), (15, 22, 22))),
    }
    plan = anterior_plan(box_patient({**without_lung, **pieces}))
    assert plan.missing_structures[0] == "lung"
    assert not any(claim in all_text(plan) for claim in CLAIMS)
    assert "No structure is taken as lung" not in " ".join(plan.notes)
    assert "Not in the input as lung: lung." in " ".join(plan.notes)
    assert any(note.startswith("Only") and "cm3 of lung_left" in note for note in plan.notes)
