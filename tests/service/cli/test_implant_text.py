"""Terminal texts of a plan with an implant, of an evaluation and of a replanning."""

import re
from dataclasses import replace

import pytest
from sample_implants import (
    TARGET,
    a_dose,
    a_needle_set,
    a_replanning,
    a_robustness,
    an_evaluation,
    implant_plan,
)

from planner.records.dose import OrganDose
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.robustness import NeedleRisk, Touch
from service.cli.text.dose import ORGANS_SHOWN, bed_lines, exceeded_lines, organs_table, quantity, volume_line
from service.cli.text.followup import evaluation_text, replanned_text
from service.cli.text.implant import NEEDLE_HEADINGS, implant_lines
from service.cli.text.plan import plan_text

SHA256 = "5e" * 32


def line(text: str, start: str) -> str:
    """The only line with this start."""
    matching = [row for row in text.splitlines() if row.startswith(start)]
    assert len(matching) == 1, (start, matching)
    return matching[0]


def test_the_text_of_a_plan_without_an_implant_mentions_none() -> None:
    without_implant = replace(implant_plan(), needle_set=None, dose=None, robustness=None)
    assert implant_lines(without_implant) == []
    text = plan_text(without_implant)
    for word in ("goal", "PTV", "Needle set", "BED", "Placed by", "TG-43"):
        assert word not in text


def test_only_paths_that_aim_at_the_target_are_ranked() -> None:
    head, _, rest = plan_text(implant_plan()).partition("\n\n")
    assert len(head.splitlines()) == 3 and "transsternal" not in head
    assert "transsternal" in rest
    unranked = replace(implant_plan(), paths=implant_plan().paths[1:], needle_set=None)
    assert not any(row.startswith("rank") for row in plan_text(unranked).splitlines())


def test_goals_state_limit_and_achieved_value() -> None:
    text = plan_text(implant_plan())
    assert line(text, "D90").split() == ["D90", "PTV", *["at", "least", "120.0", "Gy", "146.2", "Gy", "yes"]]
    assert line(text, "V200").endswith("at most 30.0 %     31.0 %    NO")
    assert "heart  at most 90.0 Gy" in line(text, "D0.1cc")


@pytest.mark.parametrize(
    ("name", "name_and_unit"),
    [
        ("d90_gy", ("D90", "Gy")),
        ("v150_percent", ("V150", "%")),
        ("d0_1cc_gy", ("D0.1cc", "Gy")),
        ("d2cc_gy", ("D2cc", "Gy")),
        ("coverage", ("coverage", "")),
    ],
)
def test_quantities_have_their_usual_names(name: str, name_and_unit: tuple[str, str]) -> None:
    assert quantity(name) == name_and_unit


def test_each_treated_volume_has_a_line() -> None:
    text = plan_text(implant_plan())
    assert line(text, "PTV") == volume_line("PTV", TARGET)
    for words in ("12.3 cc", "D90 146.2 Gy", "D100 98.5 Gy", "V100 96.0 %", "V150 62.5 %", "V200 31.0 %"):
        assert words in line(text, "PTV")
    assert line(text, "PTV").endswith("CI 0.71, EI 0.29, HI 0.35")
    assert "CI" not in line(text, "GTV")


def test_needles_are_listed_in_order_of_insertion_with_their_seeds() -> None:
    rows = plan_text(implant_plan()).splitlines()
    first = next(n for n, row in enumerate(rows) if row.startswith("insert"))
    entries = {"N1": "80.0 12.0 60.0", "N2": "88.0 12.0 60.0"}
    for n, (id, approach, lung, punctures, seeds, depths) in enumerate(
        [
            ("N2", "transsternal", "0.0", "0", "1", "48.0"),
            ("N1", "parasternal", "12.5", "1", "2", "53.8 43.8"),
        ],
        start=1,
    ):
        assert re.split(r"\s{2,}", rows[first + n]) == [
            *(str(n), id, approach, entries[id], "0.0", "0.0", "56.0", lung, punctures, "4.5", "heart"),
            *(seeds, depths),
        ]
    assert re.split(r"\s{2,}", rows[first]) == list(NEEDLE_HEADINGS)
    assert rows[first + 3] == (
        "Needle set: lung 12.5 mm, 1 pleural puncture (counted as 10 mm each), 2 needles, 4 seeds "
        "(1 of them given)."
    )
    assert rows[first + 4] == (
        "Objective 22.8 mm, bound 20.0 mm, gap 12.0 %; relaxed, 3 seeds on these needles."
    )
    assert rows[first + 5].startswith("No set of the 240 tracks")


def test_a_set_without_needles_has_no_table() -> None:
    empty_set = replace(a_needle_set(), path_ids=(), order=(), seeds=())
    text = "\n".join(implant_lines(replace(implant_plan(), needle_set=empty_set)))
    assert "insert" not in text and "0 needles, 0 seeds." in text


def test_only_the_hottest_organs_are_listed_hottest_first() -> None:
    rows = organs_table(a_dose().organs).splitlines()[1:]
    assert len(rows) == ORGANS_SHOWN
    assert [row.split()[0] for row in rows[:3]] == ["lung_right", "heart", "rib_0"]
    tiny = organs_table((OrganDose("vagus", 0.05, None, None, None),))
    assert tiny.splitlines()[1].split() == ["vagus", "-", "-", "-"]
    no_organ = replace(implant_plan(), dose=replace(a_dose(), organs=()))
    assert "organ " not in plan_text(no_organ)


def test_exceeded_limits_are_named_before_the_needles_and_the_others_counted() -> None:
    target_line, limit_counts = bed_lines(a_dose().bed)
    assert target_line == "BED of the PTV: D90 233.5 Gy, 72.0 Gy of it given before (EQD2 194.6 Gy)."
    assert limit_counts == "Organ limits, as BED: 2 exceeded, 1 met, 1 cannot be compared."
    exceeded, barely_exceeded = exceeded_lines(a_dose().bed)
    assert exceeded == (
        "EXCEEDED SpinalCord (spinal_cord) gets BED 101.5 Gy, at most 90.0 Gy allowed (RTOG_0813_5fx; "
        "may be more: dose inside a seed is not known)."
    )
    assert barely_exceeded.startswith("EXCEEDED Heart (heart) gets BED 100.2 Gy or more in 15.5 cc")
    text = plan_text(implant_plan())
    assert text.index("goal ") < text.index(exceeded) < text.index("Placed by") < text.index("Needle set:")
    without_limits = replace(a_dose().bed, external_target_gy=0.0, limits=())
    assert bed_lines(without_limits)[0] == "BED of the PTV: D90 233.5 Gy (EQD2 194.6 Gy)."
    assert exceeded_lines(without_limits) == []


def test_conflicts_of_given_needles_and_seeds_are_printed_first() -> None:
    lines = implant_lines(implant_plan())
    assert lines[:4] == [
        "",
        "TOO NEAR: N1, given, passes 0.7 mm from aorta, where 2 mm are asked for.",
        "TOO NEAR: hub and shaft of N1 and N2, given, overlap by 0.50 mm.",
        "TOO NEAR: 1 pair of given seeds lies nearer to each other than a seed is long: check that none was "
        "given twice.",
    ]
    without_conflicts = replace(a_needle_set(), given_too_near=(), given_seed_pairs_near=0)
    clear = replace(implant_plan(), needle_set=without_conflicts)
    assert not [line for line in implant_lines(clear) if "TOO NEAR" in line]


def test_robustness_takes_two_lines() -> None:
    text = plan_text(implant_plan())
    assert line(text, "Placed by") == (
        "Placed by template, 200 samples of its published errors: D90 140.5 Gy (118.0 to 152.0), V100 93.5 % "
        "(88.0 to 97.0) as median and 5th to 95th percentile of the first 60; D90 and V100 reached in 81 % "
        "of those."
    )
    assert line(text, "Least tolerance") == (
        "Least tolerance: N2, 0.8 deg about its entry. Most likely touched: aorta 31 % (N2), heart 12 % "
        "(N1), aorta 0.5 % (N1)."
    )


@pytest.mark.parametrize(
    ("needles", "expected"),
    [
        ((), None),
        ((NeedleRisk("N1", 3.0, ()),), "touched: nothing."),
        ((NeedleRisk("N1", 3.0, (Touch("heart", 1.0),)),), "touched: heart 100 % (N1)."),
    ],
)
def test_robustness_with_little_to_say(needles: tuple[NeedleRisk, ...], expected: str | None) -> None:
    plan: Plan = replace(implant_plan(), robustness=replace(a_robustness(), needles=needles))
    rows = [row for row in implant_lines(plan) if row.startswith("Least")]
    assert len(rows) == (expected is not None)
    assert all(row.endswith(str(expected)) for row in rows)


def test_no_tolerance_is_stated_for_given_needles() -> None:
    plan = implant_plan()
    assert plan.robustness is not None
    paths = tuple(replace(p, aim=Aim.GIVEN) if p.id == "N2" else p for p in plan.paths)
    (tolerance_line,) = [row for row in implant_lines(replace(plan, paths=paths)) if row.startswith("Least")]
    assert "Least tolerance: N1, 2.2 deg" in tolerance_line and "N2" not in tolerance_line
    all_given = tuple(replace(p, aim=Aim.GIVEN) for p in plan.paths)
    assert not [row for row in implant_lines(replace(plan, paths=all_given)) if row.startswith("Least")]


def test_every_dose_states_its_medium() -> None:
    plan = implant_plan()
    for text in (
        plan_text(plan),
        evaluation_text(an_evaluation(SHA256, 4, plan)),
        evaluation_text(an_evaluation(SHA256, 4, None)),
        replanned_text(a_replanning(SHA256, plan)),
    ):
        assert "dose to water in water, tg-43" in text.lower()
    assert "Beside lung the true dose can differ by up to a quarter." in plan_text(plan)


def test_an_evaluation_states_planned_and_achieved_values() -> None:
    text = evaluation_text(an_evaluation(SHA256, 4, None))
    assert text.startswith("planned: 4 seeds were found.\n4 seeds found, of which outside the PTV: 1.\n")
    assert "D90 146.2 Gy" in line(text, "Planned:") and "D90 101.5 Gy" in line(text, "Achieved: PTV")
    assert "Nothing needs to be added." in text and "cold spot" not in text
    with_supplement = evaluation_text(an_evaluation(SHA256, 3, implant_plan()))
    assert with_supplement.startswith("goals_not_met: ")
    assert "0.42          (70.0, 60.0, 60.0)  81.5      (68.0, 60.0, 60.0)" in with_supplement
    assert plan_text(implant_plan()) in with_supplement.partition("\nSupplement:\n")[2]
    one_seed = an_evaluation(SHA256, 1, None)
    one_seed = replace(one_seed, achieved=replace(one_seed.achieved, seeds_outside_ptv=0))
    assert "\n1 seed found, of which outside the PTV: 0.\n" in evaluation_text(one_seed)
    without_planned = replace(an_evaluation(SHA256, 4, None), planned=None)
    assert "Planned:" not in evaluation_text(without_planned)


def test_a_replanning_states_what_changed() -> None:
    replanning = a_replanning(SHA256, implant_plan())
    text = replanned_text(replanning)
    assert text.startswith(
        "N2 is not there any more.\n"
        "Before: 4 seeds, D90 146.2 Gy, V100 96.0 %. After: 5 seeds, D90 139.0 Gy, V100 94.5 %.\n"
    )
    assert line(text, "N1      N1").split() == ["N1", "N1", "2.5", "4.2", "2", "3"]
    assert line(text, "N2      -").split() == ["N2", "-", "-", "-", "1", "0"]
    assert text.endswith("\n\n" + plan_text(replanning.plan))
    one_seed = replace(replanning, changes=replace(replanning.changes, seeds_before=1, seeds_after=1))
    assert "Before: 1 seed, D90" in replanned_text(one_seed) and "After: 1 seed, D90" in replanned_text(
        one_seed
    )
    without_needles = replace(replanning, changes=replace(replanning.changes, needles=()))
    assert "tip moved" not in replanned_text(without_needles)
