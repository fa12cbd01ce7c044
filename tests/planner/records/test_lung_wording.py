"""No word of a plan claims anything of lung that is not in the input."""

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
WHOLE = {**ORGANS, "lung_middle_lobe_right": (Role.LUNG, ((11, 14, 3), (26, 46, 4)))}
WHOLE["lung_lower_lobe_left"] = LOWER_LEFT


def chest(*lacking: str) -> Patient:
    return box_patient({name: organ for name, organ in WHOLE.items() if not any(w in name for w in lacking)})


def planned(patient: Patient) -> Plan:
    return honest_plan(patient, lines={"anterior": LINES["anterior"]})


def said(plan: Plan) -> str:
    return " ".join([plan.outcome.message, *plan.search.claims, *plan.notes])


def test_with_all_lung_there_what_crosses_none_is_said_to() -> None:
    plan = planned(chest())
    assert plan.missing_structures[0] != "lung" and plan.paths[0].lung_length_mm == 0.0
    assert all(claim in said(plan) for claim in CLAIMS)
    assert "as lung" not in said(plan)


def test_without_lung_nothing_is_claimed_of_it() -> None:
    plan = planned(chest("lung"))
    assert plan.missing_structures[0] == "lung" and plan.paths[0].lung_length_mm == 0.0
    assert not any(claim in said(plan) for claim in CLAIMS)
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
def test_lung_that_lacks_is_named_wherever_lung_is_spoken_of(lacking: tuple[str, ...], name: str) -> None:
    plan = planned(chest(*lacking))
    assert plan.missing_structures[0] == name
    assert CLAIMS[0] not in plan.outcome.message
    assert f"crossing no lung in the input, which lacks {name}" in plan.outcome.message
    assert f"counted in the lung of the input alone, which lacks {name}." in plan.search.claims[1]
    assert f"Not in the input as lung: {name}." in " ".join(plan.notes)
    assert "at least 0.0" in plan_text(plan).splitlines()[2]


def test_lung_that_a_request_makes_passable_is_not_said_to_be_avoided() -> None:
    right = {n: (Role.PASSABLE, o[1]) for n, o in WHOLE.items() if n.startswith("lung") and "right" in n}
    plan = planned(box_patient({**WHOLE, **right}))
    assert plan.missing_structures[0] == "lung_right"
    assert CLAIMS[0] not in said(plan)


def test_lungs_without_lobes_show_no_fissures_and_the_plan_says_so() -> None:
    lobes = {name: organ for name, organ in WHOLE.items() if "lung" not in name}
    whole = {"lung_left": WHOLE["lung_upper_lobe_left"], "lung_right": WHOLE["lung_upper_lobe_right"]}
    plan = planned(box_patient({**lobes, **whole}))
    assert "Without lobes no fissure is counted in lung_left, lung_right." in plan.notes
    assert not any("fissure" in note for note in planned(chest()).notes)


def test_a_plan_that_keeps_silent_on_lung_that_lacks_fails_verification() -> None:
    true, lacking = planned(chest()), chest("lobe_right")
    plan = planned(lacking)
    failed = {check.name for check in verify(plan, lacking.scene).checks if not check.passed}
    assert not {"organs missing", "what the search may claim", "notes on the input"} & failed
    silent = replace(
        plan,
        missing_structures=true.missing_structures,
        notes=true.notes,
        outcome=true.outcome,
        search=replace(plan.search, claims=true.search.claims),
    )
    checks = verify(silent, lacking.scene).checks
    assert {"organs missing", "what the search may claim", "notes on the input"} <= {
        check.name for check in checks if not check.passed
    }


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ((), "lung 12.5 mm, 1 pleural puncture (counted"),
        (("lung_left",), "lung at least 12.5 mm, at least 1 pleural puncture (counted"),
        (("lung",), "lung and pleural punctures unknown (counted"),
    ],
)
def test_totals_of_a_needle_set_are_as_weak_as_what_is_known(missing: tuple[str, ...], told: str) -> None:
    plan = replace(implant_plan(), missing_structures=missing)
    (line,) = (line for line in implant_lines(plan) if line.startswith("Needle set: "))
    assert line.startswith(f"Needle set: {told}")


def test_words_on_lung_are_as_weak_as_what_is_known() -> None:
    assert through(0.0, ()) == "without crossing lung"
    assert through(12.04, ("ribs",)) == "through 12.0 mm of lung"
    assert through(12.0, ("lung_left",)) == "through 12.0 mm of lung in the input, which lacks lung_left"
    assert a_path(3.0, ("lung", "ribs")).startswith("a path, and what lung it crosses is not known")
    assert [at_least("3", missing) for missing in ((), ("lung_right",), ("lung",))] == [
        "3",
        "at least 3",
        "unknown",
    ]


def test_crumbs_of_lung_are_no_lung() -> None:
    bare = {name: organ for name, organ in WHOLE.items() if "lung" not in name}
    crumb = {
        "lung_left": (Role.LUNG, ((40, 20, 20), (41, 22, 22))),
        "lung_right": (Role.LUNG, ((14, 20, 20), (15, 22, 22))),
    }
    plan = planned(box_patient({**bare, **crumb}))
    assert plan.missing_structures[0] == "lung"
    assert not any(claim in said(plan) for claim in CLAIMS)
    assert "No structure is taken as lung" not in " ".join(plan.notes)
    assert "Not in the input as lung: lung." in " ".join(plan.notes)
    assert any(note.startswith("Only") and "cm3 of lung_left" in note for note in plan.notes)
