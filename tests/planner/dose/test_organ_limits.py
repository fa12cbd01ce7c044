"""Organ limits: rows as they were read, structures by their names, verdicts no bolder than the numbers."""

import json
import re
from collections import Counter
from dataclasses import replace
from math import inf, isclose
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sample_implants import a_dose, implant_plan

from planner.dose.bed import ACUTE, LATE, ExternalBeam, external_bed_gy, implant_bed_gy
from planner.dose.dvh import dose_volume
from planner.dose.organ_limits.compare import OrganSamples, Radiobiology, compare_all
from planner.dose.organ_limits.organ_names import Match, match
from planner.dose.organ_limits.verdicts import Verdict, verdict_as_read, with_row_doubts
from planner.errors import RequestError
from planner.published_limits.limit import OrganLimit, Protocol, Scope
from planner.published_limits.organs import ORGAN_OF_ROW, Organ
from planner.published_limits.tables import (
    NCCN_5,
    PROTOCOLS,
    RTOG_0236,
    RTOG_0813,
    TG101_5,
    protocol_named,
)
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.records.wording.implant import harm_of
from planner.records.wording.organ_limits import exceeded, exceeded_text, excess_ratio, reason_of
from planner.verify.dose.organ_limits.bed_model import BedModel
from planner.verify.dose.organ_limits.compared_organ import ComparedOrgan
from planner.verify.dose.organ_limits.limit_doubts import doubts_of
from planner.verify.dose.organ_limits.organ_match import MatchedOrgan, matched
from service.cli.text.dose import exceeded_lines
from service.schemas.plan_summary import summary_of

HALF_LIFE_DAYS = 59.4
MADE = Radiobiology(HALF_LIFE_DAYS)
CC = 1000.0


def organ(name: str, *parts: tuple[float, float]) -> OrganSamples:
    """A structure of (dose in Gy, volume in cc) parts, each in twenty samples."""
    doses = np.concatenate([np.full(20, dose) for dose, _ in parts])
    return OrganSamples(name, doses, np.concatenate([np.full(20, cc * CC / 20) for _, cc in parts]))


def of(
    protocol: Protocol, organ_words: str, kind: LimitKind | None = None, dose: float | None = None
) -> Protocol:
    """The protocol with the rows of one organ only, by kind and dose where these are given."""
    limits = tuple(
        limit
        for limit in protocol.limits
        if limit.organ == organ_words and kind in (None, limit.kind) and dose in (None, limit.dose_gy)
    )
    assert limits
    return Protocol(protocol.name, protocol.fractions, protocol.source, limits)


def one(protocol: Protocol, *organs: OrganSamples, made: Radiobiology = MADE, **more) -> LimitComparison:
    """The single comparison of a protocol with one row."""
    (found,) = compare_all(organs, made, protocols=(protocol,), **more)
    return found


# What was read.

NUMBER = r"(\d+(?:\.\d+)?)"


def as_read(protocol: str, item: list[str]) -> list[tuple]:
    """The limits that a row of the reference file states: organ, kind, dose, volume."""
    name, *words = item
    text = " ".join(words)
    if "105%" in text or words[0] == "V20":
        return [(name, "relative", None, None)]
    if "not specified" in text:
        return [(name, "unstated", None, None)]
    if found := re.fullmatch(rf"Vol {NUMBER} Gy <{NUMBER} cc( .*)?", text):
        kind = "volume or spared" if name == "Lungs" else "volume"
        return [(name, kind, float(found[1]), float(found[2]))]
    if found := re.fullmatch(rf"(?:Dmax )?{NUMBER} Gy ?(?:\(.*\))?", text):
        return [(name, "max", float(found[1]), None)]
    rows = []
    for part in text.split("; "):
        if found := re.fullmatch(rf"{NUMBER}(?: Gy)? max", part):
            rows.append((name, "max", float(found[1]), None))
        elif found := re.fullmatch(rf"D{NUMBER}cc {NUMBER}", part):
            rows.append((name, "volume", float(found[2]), float(found[1])))
        else:
            found = re.fullmatch(rf"{NUMBER}cc {NUMBER}", part)
            assert found is not None, part
            rows.append((name, "spared", float(found[2]), float(found[1])))
    return rows


def in_rows_words(limit: OrganLimit) -> tuple:
    return (limit.organ, limit.kind.value, limit.dose_gy, limit.volume_cc)


def test_the_tables_are_those_that_were_read(reference: Path) -> None:
    tables = json.loads((reference / "organ_limits.json").read_text(encoding="utf-8"))
    assert list(tables) == [p.name for p in PROTOCOLS]
    for protocol in PROTOCOLS:
        items = tables[protocol.name]["items"]
        read = [row for item in items for row in as_read(protocol.name, item)]
        assert Counter(read) == Counter(map(in_rows_words, protocol.limits))


def test_every_limit_knows_its_protocol_and_fractions() -> None:
    for protocol in PROTOCOLS:
        assert protocol.source
        assert f"_{protocol.fractions}fx" in protocol.name
        for limit in protocol.limits:
            assert (limit.protocol, limit.fractions) == (protocol.name, protocol.fractions)
            assert (limit.dose_gy is None) == (limit.kind in (LimitKind.RELATIVE, LimitKind.UNSTATED))
            assert limit.note or limit.kind is not LimitKind.RELATIVE


def test_every_row_means_an_organ() -> None:
    assert {limit.organ for p in PROTOCOLS for limit in p.limits} <= set(ORGAN_OF_ROW)
    assert set(ORGAN_OF_ROW.values()) <= set(Organ)


def test_a_limit_is_said_in_words() -> None:
    words = {limit.kind: limit.words for protocol in PROTOCOLS for limit in reversed(protocol.limits)}
    assert words == {
        LimitKind.MAX: "at most 23.1 Gy anywhere, in 3 fractions",
        LimitKind.VOLUME: "less than 0.5 cc with 18.9 Gy or more, in 3 fractions",
        LimitKind.SPARED: "more than 1000 cc with less than 13.5 Gy, in 5 fractions",
        LimitKind.VOLUME_OR_SPARED: "less than 1500 cc with 12.5 Gy or more, or more than 1500 cc with less, "
        "in 5 fractions",
        LimitKind.RELATIVE: "105 % of the prescription, for central tumours",
        LimitKind.UNSTATED: "none stated",
    }


def test_a_protocol_is_found_by_its_name() -> None:
    assert [protocol_named(p.name) for p in PROTOCOLS] == list(PROTOCOLS)
    with pytest.raises(RequestError, match="Did you mean 'RTOG_0813_5fx'"):
        protocol_named("RTOG_0813")


# Structures by name.

CHEST = (
    "background heart_lower mediastinal_great_vessels aorta trachea_bronchi spinal_cord vertebrae sternum "
    "ribs_left ribs_right scapula_left lung_left lung_right liver body_trunk esophagus station_4R"
)
TOTAL = (
    "heart_myocardium heart_atrium_left heart_ventricle_right pulmonary_artery pulmonary_vein "
    "superior_vena_cava aorta trachea esophagus lung_upper_lobe_left lung_lower_lobe_left "
    "lung_middle_lobe_right rib_left_7 rib_right_12 costal_cartilages spinal_cord brachiocephalic_vein_left "
    "body lung_vessels vertebrae_T5"
)


@pytest.mark.parametrize(
    ("asked", "names", "expected"),
    [
        (Organ.SPINAL_CORD, CHEST, "spinal_cord"),
        (Organ.SPINAL_CORD, "SpinalCord", "SpinalCord"),
        (Organ.SPINAL_CORD, "Spinal-canal vertebrae", "Spinal-canal"),
        (Organ.HEART, CHEST, "heart_lower"),
        (Organ.HEART, TOTAL, "heart_myocardium heart_atrium_left heart_ventricle_right"),
        (Organ.HEART, f"heart {TOTAL}", "heart"),
        (Organ.GREAT_VESSELS, CHEST, "mediastinal_great_vessels aorta"),
        (
            Organ.GREAT_VESSELS,
            TOTAL,
            "pulmonary_artery pulmonary_vein superior_vena_cava aorta brachiocephalic_vein_left",
        ),
        (Organ.GREAT_VESSELS, "aorta_arch SVC", "aorta_arch SVC"),
        (Organ.GREAT_VESSELS, "aorta_arch aorta SVC", "aorta SVC"),
        (Organ.ESOPHAGUS, "Oesophagus", "Oesophagus"),
        (Organ.AIRWAY, CHEST, "trachea_bronchi"),
        (Organ.AIRWAY, "bronchus_right trachea", "bronchus_right trachea"),
        (Organ.TRACHEA, TOTAL, "trachea"),
        (Organ.BRONCHUS, "main_bronchus_left trachea_bronchi", "main_bronchus_left"),
        (Organ.LUNGS, CHEST, "lung_left lung_right"),
        (Organ.LUNGS, TOTAL, "lung_upper_lobe_left lung_lower_lobe_left lung_middle_lobe_right"),
        (Organ.LUNGS, f"lung_left {TOTAL}", "lung_left lung_middle_lobe_right"),
        (Organ.LUNGS, "Lungs lung_left lung_upper_lobe_right", "Lungs"),
        (Organ.RIBS, CHEST, "ribs_left ribs_right"),
        (Organ.RIBS, TOTAL, "rib_left_7 rib_right_12"),
        (Organ.SKIN, "skin_shell body", "skin_shell"),
        (Organ.CHEST_WALL, "ChestWall", "ChestWall"),
        (Organ.BRACHIAL_PLEXUS, "BrachialPlexus_L", "BrachialPlexus_L"),
        (Organ.BRACHIAL_PLEXUS, CHEST, ""),
        (Organ.ESOPHAGUS, "esophagus_plan heart", ""),
    ],
)
def test_structures_that_make_up_an_organ(asked: Organ, names: str, expected: str) -> None:
    organ_match = match(asked, names.split())
    assert " ".join(organ_match.structures) == expected
    assert not organ_match.holds_more and not organ_match.holds_target


@pytest.mark.parametrize(
    ("asked", "names", "expected"),
    [
        (Organ.SKIN, CHEST, "body_trunk"),
        (Organ.TRACHEA, CHEST, "trachea_bronchi"),
        (Organ.BRONCHUS, "airway trachea", "airway"),
        (Organ.HEART, "pericardium", "pericardium"),
    ],
)
def test_structures_that_hold_more_than_the_organ(asked: Organ, names: str, expected: str) -> None:
    solid = asked is Organ.SKIN
    organ_match = match(asked, names.split(), solids=["body_trunk"])
    assert organ_match == Match((expected,), holds_more=True, holds_target=solid)


def test_a_skin_that_holds_no_target_is_taken_before_a_solid() -> None:
    assert match(Organ.SKIN, ["body", "skin"], ["body"]) == Match(("skin",), holds_more=True)
    assert match(Organ.SKIN, ["body", "skin"], ["body", "skin"]).holds_target
    # Any other organ that the target lies in is what it is.
    assert not match(Organ.TRACHEA, ["airway"], ["airway"]).holds_target


def test_nothing_holds_lungs_and_more() -> None:
    # What is spared of more than the lungs would be spared of nobody's lungs.
    assert match(Organ.LUNGS, ["lung_vessels", "thoracic_cavity", "body"]) == Match(())


# Verdicts.


def test_a_limit_is_converted_in_its_own_fractions() -> None:
    comparison = one(of(RTOG_0813, "SpinalCord", LimitKind.MAX), organ("spinal_cord", (20.0, 1.0)))
    assert comparison.limit_bed_gy == pytest.approx(30.0 * (1.0 + 6.0 / 3.0))
    comparison = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (20.0, 1.0)))
    assert comparison.limit_bed_gy == pytest.approx(18.0 * (1.0 + 6.0 / 3.0))
    acute = Radiobiology(HALF_LIFE_DAYS, ACUTE)
    comparison = one(of(RTOG_0236, "Skin"), organ("skin_shell", (9.0, 1.0)), made=acute)
    assert comparison.limit_bed_gy == pytest.approx(24.0 * 1.8)


def test_a_maximum_is_held_against_the_hottest_tenth_of_a_cc() -> None:
    rows = of(RTOG_0236, "SpinalCord")
    for hot_cc, met in ((0.0, True), (0.05, None), (0.15, False)):
        comparison = one(rows, organ("spinal_cord", (10.0, 20.0), *([(300.0, hot_cc)] if hot_cc else [])))
        assert comparison.met is met
        assert comparison.structure == "spinal_cord"
        assert comparison.achieved_cc == pytest.approx(hot_cc)
        assert (
            "D0.1cc, the smallest volume reported, stands for the maximum; less may get more."
            in comparison.reason
        )
        bed = implant_bed_gy(np.array(300.0 if met is False else 10.0), HALF_LIFE_DAYS, LATE)
        assert comparison.achieved_bed_gy == pytest.approx(float(bed))


def test_an_organ_smaller_than_that_is_held_by_its_hottest_sample() -> None:
    comparison = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 0.02), (300.0, 0.02)))
    assert comparison.met is False
    assert "smaller than 0.1 cc" in comparison.reason


@pytest.mark.parametrize("part_mm3", [2.5 / 3, 0.8 * 0.8, 0.8 * 0.8 * 2.5 / 3, 1.0])
def test_a_volume_just_as_large_as_the_limit_is_judged_as_its_dose_is(part_mm3: float) -> None:
    """Of so many samples of one weight that their sum rounds to either side of the limit's volume."""
    (limit,) = of(RTOG_0813, "SpinalCord", LimitKind.VOLUME, 22.5).limits
    assert limit.volume_cc is not None
    count = round(1000.0 * limit.volume_cc / part_mm3)
    weights = np.full(count + 50, 1000.0 * limit.volume_cc / count)
    bed = dose_volume(np.concatenate([np.full(50, 10.0), np.full(count, 60.0)]), weights)
    verdict = verdict_as_read(limit, 59.9, bed)
    assert verdict.bed_gy is not None
    assert verdict.met is (verdict.bed_gy < 59.9)


def test_a_volume_must_be_below_the_limit() -> None:
    rows = of(RTOG_0813, "SpinalCord", LimitKind.VOLUME, 22.5)
    for hot_cc, met in ((0.24, True), (0.26, False)):
        comparison = one(rows, organ("spinal_cord", (5.0, 20.0), (100.0, hot_cc)))
        assert comparison.met is met
        assert (comparison.volume_cc, comparison.achieved_cc) == (0.25, pytest.approx(hot_cc))
        assert comparison.achieved_bed_gy is not None and comparison.limit_bed_gy is not None
        assert (comparison.achieved_bed_gy < comparison.limit_bed_gy) is met
    small = one(rows, organ("spinal_cord", (100.0, 0.2)))
    assert (small.met, small.achieved_bed_gy) == (True, None)


@pytest.mark.parametrize(("cold_cc", "met"), [(1100.0, True), (900.0, False)])
def test_a_volume_to_spare_is_what_gets_less(cold_cc: float, met: bool) -> None:
    rows = of(TG101_5, "Lung", LimitKind.SPARED, 13.5)
    lungs = [organ("lung_left", (1.0, cold_cc / 2), (90.0, 300.0)), organ("lung_right", (1.0, cold_cc / 2))]
    comparison = one(rows, *lungs)
    assert comparison.met is met
    assert comparison.structure == "lung_left, lung_right"
    assert comparison.achieved_cc == pytest.approx(cold_cc)


def test_lungs_too_small_to_spare_so_much_are_not_judged() -> None:
    comparison = one(of(TG101_5, "Lung", dose=12.5), organ("lung_left", (1.0, 1400.0)))
    assert comparison.met is None
    assert "only 1400 cc" in comparison.reason


@pytest.mark.parametrize(
    ("cold_cc", "hot_cc", "met", "other"),
    [
        (2000.0, 500.0, True, ""),
        (2000.0, 1600.0, False, "By the other it is met."),
        (900.0, 1600.0, False, ""),
        (900.0, 500.0, None, "The two disagree: not judged."),
    ],
)
def test_where_sources_disagree_met_is_what_both_call_so_and_an_excess_is_one(
    cold_cc: float, hot_cc: float, met: bool | None, other: str
) -> None:
    rows = of(RTOG_0813, "Lungs", LimitKind.VOLUME_OR_SPARED, 12.5)
    comparison = one(rows, organ("lungs", (1.0, cold_cc), (90.0, hot_cc)))
    assert comparison.met is met
    assert (Doubt.OTHER_READING in comparison.doubts) is bool(other) and other in comparison.reason
    assert comparison.achieved_cc == pytest.approx(hot_cc)
    # Verification calls for the same doubts; of what was compared it asks only whether it is there.
    there = ComparedOrgan.__new__(ComparedOrgan)
    bed_model = BedModel(3.0, 0.0, 0.0)
    assert (
        tuple(doubts_of(bed_model, rows.limits[0], comparison, MatchedOrgan(("lungs",)), there, False))
        == comparison.doubts
    )


def test_a_wall_away_from_the_target_meets_what_the_whole_meets_and_an_excess_is_told() -> None:
    rows = of(RTOG_0813, "Esophagus (non-adjacent wall)")
    assert rows.limits[0].scope is Scope.NOT_ADJACENT
    met = one(rows, organ("esophagus", (5.0, 20.0), (200.0, 4.0)))
    assert (met.met, met.achieved_cc) == (True, pytest.approx(4.0))
    assert "The whole meets it" in met.reason
    failed = one(rows, organ("esophagus", (5.0, 20.0), (200.0, 6.0)))
    assert (failed.met, failed.achieved_cc) == (False, pytest.approx(6.0))
    assert failed.doubts == (Doubt.WALL,) and "without a source" in failed.reason
    assert exceeded_text(failed) == (
        "Esophagus (non-adjacent wall) (esophagus) gets BED 77.9 Gy or more in 6.0 cc, less than 5 cc "
        "allowed (RTOG_0813_5fx; unsure: the row may mean the wall away from the target only)"
    )


def test_a_solid_body_fails_nothing_for_the_skin() -> None:
    rows = of(RTOG_0236, "Skin")
    body = one(rows, replace(organ("body", (5.0, 9000.0), (200.0, 30.0)), holds_target=True))
    assert body.met is None
    assert "body holds the target as well, and is more than this organ." in body.reason
    assert one(rows, organ("body", (5.0, 9000.0))).met is True
    for shell in ("skin_shell", "skin"):
        assert one(rows, organ(shell, (5.0, 900.0), (200.0, 3.0))).met is False


def test_a_row_that_no_protocol_is_known_to_have_may_be_exceeded_and_is_not_met() -> None:
    for hot_cc, met in ((1.0, None), (100.0, False)):
        comparison = one(of(RTOG_0813, "ChestWall"), organ("chest_wall", (5.0, 900.0), (200.0, hot_cc)))
        assert comparison.met is met and comparison.doubts == (Doubt.UNVERIFIED,)
        assert comparison.achieved_cc == pytest.approx(hot_cc)
        assert "one score card" in comparison.reason


def test_rows_without_a_dose_say_why_they_are_not_compared() -> None:
    heart, lungs = organ("heart", (10.0, 600.0)), organ("lung_left", (10.0, 2000.0))
    for rows, words in (
        (of(NCCN_5, "Heart"), "105 % of the prescription"),
        (of(RTOG_0813, "Lungs", LimitKind.RELATIVE), "V20"),
        (of(RTOG_0236, "GreatVessels"), "states no limit"),
    ):
        comparison = one(rows, heart, lungs)
        assert (comparison.met, comparison.organ_cc, comparison.limit_bed_gy, comparison.achieved_bed_gy) == (
            None,
        ) * 4
        assert words in comparison.reason


def test_an_organ_that_is_not_there_is_said_to_be() -> None:
    for organs in ([], [OrganSamples("spinal_cord", np.empty(0), np.empty(0))]):
        for found in compare_all(organs, MADE):
            assert found.met is None
            assert found.limit_bed_gy is None or "no voxel of this organ" in found.reason


def test_radiation_before_counts_in_full() -> None:
    cord, rows = organ("spinal_cord", (10.0, 20.0)), of(RTOG_0236, "SpinalCord")
    beam = ExternalBeam(50.0, 25, interval_days=300.0)
    before = Radiobiology(HALF_LIFE_DAYS, before=(beam,))
    alone, both = one(rows, cord), one(rows, cord, made=before)
    assert (alone.met, both.met) == (True, False)
    assert alone.achieved_bed_gy is not None
    assert both.achieved_bed_gy == pytest.approx(alone.achieved_bed_gy + external_bed_gy(beam, LATE))
    assert "External beams before" in both.reason and "External" not in alone.reason


def test_no_number_depends_on_how_dose_in_a_seed_is_capped() -> None:
    low, high = (organ("aorta", (20.0, 50.0), (cap, 0.4)) for cap in (2500.0, 90_000.0))
    rows = of(TG101_5, "GreatVessels", LimitKind.MAX)
    one_way, other = (one(rows, o, highest_gy=2000.0) for o in (low, high))
    assert one_way == other
    assert one_way.met is False
    assert "at least this" in one_way.reason
    for outside, met in ((300.0, False), (200.0, None)):
        marked = one(rows, organ("aorta", (20.0, 49.9), (outside, 0.1), (np.inf, 0.4)))
        assert marked.met is met
        assert "at least this" in marked.reason
        bed = implant_bed_gy(np.array(outside), HALF_LIFE_DAYS, LATE)
        assert marked.achieved_bed_gy == pytest.approx(float(bed))
    assert one(rows, organ("aorta", (np.inf, 0.4))).met is None
    # A limit beyond the highest dose known is neither met nor failed.
    unknown = one(rows, low, highest_gy=40.0)
    assert unknown.met is None


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.01, 900.0)), min_size=1, max_size=4), st.data())
def test_more_dose_never_mends_a_failed_limit(parts: list[tuple[float, float]], data) -> None:
    names = ("spinal_cord", "esophagus", "heart", "aorta", "trachea_bronchi", "lungs", "ribs", "skin_shell")
    factor = data.draw(st.floats(1.0, 3.0))
    more = [(factor * dose, cc) for dose, cc in parts]
    one_way = compare_all([organ(n, *parts) for n in names], MADE)
    other = compare_all([organ(n, *more) for n in names], MADE)
    for less, worse in zip(one_way, other, strict=True):
        assert not (less.met is False and worse.met is True)
        assert not (less.met is None and worse.met is True)


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.01, 900.0)), min_size=1, max_size=4))
def test_a_verdict_is_of_the_numbers_beside_it(parts: list[tuple[float, float]]) -> None:
    for found in compare_all([organ(n, *parts) for n in ("heart", "esophagus", "cord", "lungs")], MADE):
        assert found.reason.endswith(".")
        assert (found.limit_bed_gy is None) is (Doubt.NO_DOSE in found.doubts)
        if found.met is not None and found.kind in (LimitKind.MAX, LimitKind.VOLUME):
            assert found.achieved_cc is not None and found.limit_bed_gy is not None
            if found.achieved_bed_gy is not None and abs(found.achieved_bed_gy - found.limit_bed_gy) > 1e-6:
                assert (found.achieved_bed_gy < found.limit_bed_gy) is found.met


ALL_RIBS = " ".join(f"rib_{side}_{n}" for side in ("left", "right") for n in range(1, 11))
LOBES = "lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right lung_lower_lobe_right"


@pytest.mark.parametrize(
    ("row", "names", "lacking"),
    [
        ("Heart", "heart_atrium_left", "the heart as a whole"),
        ("GreatVessels", "pulmonary_vein", "the aorta as a whole"),
        ("GreatVessels", "aorta_arch pulmonary_artery superior_vena_cava", "the aorta as a whole"),
        (
            "GreatVessels",
            "aorta_ascending aorta_arch aorta_descending pulmonary_artery superior_vena_cava",
            "",
        ),
        ("GreatVessels", "aorta pulmonary_vein superior_vena_cava", "the pulmonary arteries"),
        ("GreatVessels", "aorta pulmonary_artery_left superior_vena_cava", "the pulmonary arteries (right)"),
        ("GreatVessels", "aorta pulmonary_artery superior_vena_cava", ""),
        ("Trachea+ipsi bronchus (non-adjacent wall)", "trachea", "the main bronchi"),
        ("Trachea/bronchi", "trachea bronchus_left", "the main bronchi (right)"),
        ("Trachea/bronchi", "trachea main_bronchus_right main_bronchus_left", ""),
        ("Trachea/bronchi", "trachea_bronchi", ""),
        ("Bronchus", "bronchus_left", "the right side"),
        ("BrachialPlexus", "BrachialPlexus_L", "the right side"),
        ("ChestWall", "chest_wall_left", "the right side"),
        ("ChestWall", "ChestWall", ""),
        ("Lungs", "lung_upper_lobe_left lung_lower_lobe_left", "the right side"),
        ("Lungs", "lung_left lung_right", ""),
        ("Lungs", "lungs", ""),
        ("Lungs", "lung_left lung_upper_lobe_right", "the middle lobe"),
        ("Lungs", "lung_upper_lobe_left lung_lower_lobe_right", "the upper lobes (right)"),
        ("Lungs", LOBES, "the middle lobe"),
        ("Lungs", f"{LOBES} lung_middle_lobe_right", ""),
        ("Rib", "rib_left_5", "the right side"),
        ("Ribs", "ribs_left", "the right side"),
        ("Ribs", "ribs", ""),
        ("Ribs", ALL_RIBS, ""),
        ("Ribs", ALL_RIBS.replace("rib_left_4 ", ""), "rib 4 (left)"),
        ("Ribs", f"{ALL_RIBS} rib_left_12 rib_right_12", "rib 11"),
        ("Ribs", "ribs_left rib_right_3", "rib 1 (right)"),
    ],
)
def test_an_organ_of_which_a_part_is_missing_is_said_to_lack_it(row: str, names: str, lacking: str) -> None:
    assert match(ORGAN_OF_ROW[row], names.split()).lacking == lacking


SOME_NAMES = [
    *sorted({*CHEST.split(), *TOTAL.split(), *ALL_RIBS.split(), *LOBES.split()}),
    *("lungs", "lung_left", "ribs", "rib_left", "skin", "body", "external", "skin_shell", "pericardium"),
    *("airway", "bronchus_left", "main_bronchus_right", "aorta_arch", "aorta_descending", "ascending_aorta"),
    *("chest_wall_left", "BrachialPlexus_R", "a_pulmonary", "SVC", "heart", "pulmonary_artery_right"),
]


@given(st.sampled_from(Organ), st.lists(st.sampled_from(SOME_NAMES), max_size=30, unique=True), st.data())
def test_verification_matches_names_as_the_planner_does(organ: Organ, names: list[str], data) -> None:
    solids = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    found, again = match(organ, names, solids), matched(organ, names, solids)
    assert found == Match(again.structures, again.holds_more, again.lacking, again.holds_target)


@given(st.sampled_from(Organ), st.lists(st.sampled_from(SOME_NAMES), max_size=30, unique=True))
def test_an_organ_lacks_nothing_only_if_none_of_its_names_could_add_to_it(
    organ: Organ, names: list[str]
) -> None:
    """What is lacking may not come back when more is segmented, numbered members between two aside."""
    organ_match = match(organ, names)
    if (
        organ_match.structures
        and not organ_match.lacking
        and not organ_match.holds_more
        and organ is not Organ.RIBS
    ):
        assert not match(organ, SOME_NAMES).lacking


def test_a_part_that_meets_a_limit_does_not_meet_it_for_the_whole_and_one_that_fails_it_does() -> None:
    rows = of(RTOG_0236, "Heart/pericardium", LimitKind.MAX)
    cold, hot = (one(rows, organ("heart_atrium_left", (gy, 30.0))) for gy in (1.0, 900.0))
    assert cold.met is None and "lacks a part of this organ, the heart as a whole" in cold.reason
    assert hot.met is False and "the heart as a whole: it may be more." in hot.reason
    assert exceeded_text(hot).endswith("(RTOG_0236_3fx_Dmax; may be more: a part of it was not segmented)")


def test_what_an_organ_lacks_could_only_add_to_what_is_spared() -> None:
    rows = of(TG101_5, "Lung", dose=13.5)
    enough = one(rows, organ("lung_right", (1.0, 1100.0), (90.0, 300.0)))
    assert enough.met is True and Doubt.LACKING in enough.doubts
    assert "the left side: it would only spare more." in enough.reason
    less = one(rows, organ("lung_right", (1.0, 900.0), (90.0, 300.0)))
    assert less.met is None and "the left side: not judged." in less.reason
    more = with_row_doubts(rows.limits[0], Match(("lungs",), holds_more=True), Verdict(True))
    assert more.met is None
    assert with_row_doubts(rows.limits[0], Match(("lungs",), holds_more=True), Verdict(False)).met is False


def test_lungs_that_are_there_as_a_whole_and_by_side_count_once() -> None:
    sides = [organ(f"lung_{side}", (1.0, 600.0), (90.0, 300.0)) for side in ("left", "right")]
    comparison = one(of(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 1200.0), (90.0, 600.0)), *sides)
    assert (comparison.structure, comparison.achieved_cc) == ("lungs", pytest.approx(1200.0))


def test_beams_counted_in_full_are_said_beside_an_excess() -> None:
    before = Radiobiology(HALF_LIFE_DAYS, before=(ExternalBeam(60.0, 30),))
    comparison = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 20.0)), made=before)
    assert "(RTOG_0236_3fx_Dmax; external beams before counted in full everywhere)" in exceeded_text(
        comparison
    )


@given(
    st.sampled_from([LimitKind.MAX, LimitKind.VOLUME, LimitKind.SPARED]),
    st.floats(0.01, 2000.0),
    st.floats(1e-8, 0.5) | st.just(0.0),
)
def test_no_excess_is_rounded_away(kind: LimitKind, limit: float, over: float) -> None:
    limit = round(limit, 2)
    got = limit * (1.0 + (-over if kind is LimitKind.SPARED else over))
    assume(got != limit or kind is not LimitKind.MAX)
    stated = LimitComparison(
        protocol="P",
        organ="O",
        structure="o",
        limit="",
        kind=kind,
        volume_cc=None if kind is LimitKind.MAX else limit,
        limit_bed_gy=limit if kind is LimitKind.MAX else 50.0,
        achieved_bed_gy=got if kind is LimitKind.MAX else None,
        achieved_cc=0.1 if kind is LimitKind.MAX else got,
        organ_cc=1e5,
        met=False,
        doubts=(),
        lacking="",
        reason="",
    )
    numbers = [float(n) for n in re.findall(r"\d+\.?\d*(?:e-?\d+)?", exceeded_text(stated))]
    if kind is LimitKind.MAX:
        assert numbers[0] > numbers[1]
    elif kind is LimitKind.VOLUME:
        assert numbers[1] >= numbers[2] and (numbers[1] > numbers[2] or isclose(got, limit))
    else:
        assert numbers[0] <= numbers[2] and (numbers[0] < numbers[2] or isclose(got, limit))
    if kind is not LimitKind.MAX:
        said = [float(n) for n in re.findall(r"\d+\.?\d*", reason_of(stated))]
        assert (said[0] == said[1]) is isclose(got, limit)


def test_what_is_more_in_part_is_not_said_to_be_nothing() -> None:
    comparison = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 20.0), (300.0, 0.0004)))
    assert comparison.met is None and "Less than 0.001 cc get more than the limit's BED" in comparison.reason


def test_an_organ_in_a_structure_that_is_more_is_exceeded_with_that_doubt() -> None:
    rows = of(RTOG_0236, "Heart/pericardium", LimitKind.MAX)
    comparison = one(rows, organ("pericardium", (900.0, 30.0)))
    assert comparison.met is False and Doubt.HOLDS_MORE in comparison.doubts
    assert "unsure: what was segmented is more than this organ" in exceeded_text(comparison)


def test_what_an_exceeded_limit_is_called() -> None:
    cord = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (300.0, 1.0)))
    assert exceeded_text(cord).startswith("SpinalCord (spinal_cord) gets BED ")
    assert exceeded_text(cord).endswith(" Gy, at most 54.0 Gy allowed (RTOG_0236_3fx_Dmax)")
    spared = one(of(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 900.0), (90.0, 900.0)))
    assert exceeded_text(spared) == (
        "Lung (lungs) has 900 cc below BED 25.6 Gy, more than 1000 cc needed (TG101_like_5fx)"
    )


def test_a_message_names_each_organ_once_the_largest_excess_first() -> None:
    cord, heart, lungs = (
        organ("spinal_cord", (90.0, 5.0), (120.0, 1.0)),
        organ("heart", (2000.0, 20.0)),
        organ("lungs", (90.0, 1500.0), (1.0, 500.0)),
    )
    limits = compare_all([cord, heart, lungs], MADE)
    over = [limit for limit in limits if limit.met is False]
    report = replace(a_dose(), bed=replace(a_dose().bed, limits=limits))
    (said,) = harm_of(report, None)
    worst = max(over, key=excess_ratio)
    assert worst.structure == "heart"
    assert said.startswith(f"Organ limits exceeded: {exceeded_text(worst)}; ")
    assert said.count("(heart)") == 1 and said.endswith(f"; and {len(over) - 2} more.")
    # The terminal and lists have the same order, of all of them.
    shown = [f"EXCEEDED {exceeded_text(limit)}." for limit in exceeded(limits)]
    assert exceeded_lines(report.bed) == shown and exceeded_text(worst) in shown[0]
    ratios = [excess_ratio(limit) for limit in exceeded(limits)]
    assert ratios == sorted(ratios, reverse=True) and len(ratios) == len(over)
    listed = summary_of(replace(implant_plan(), dose=report)).dose
    assert listed is not None
    assert [one.structure for one in listed.limits_exceeded] == [one.structure for one in exceeded(limits)]
    assert [one.structure for one in over] != [one.structure for one in exceeded(limits)]


def test_how_many_times_a_limit_is_reached() -> None:
    point = one(of(RTOG_0236, "SpinalCord"), organ("spinal_cord", (300.0, 1.0)))
    assert excess_ratio(point) == pytest.approx(point.achieved_bed_gy / 54.0)  # type: ignore[operator]
    spared = one(of(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 800.0), (90.0, 900.0)))
    assert excess_ratio(spared) == pytest.approx(1.25)
    assert excess_ratio(replace(spared, achieved_cc=0.0)) == inf
    assert excess_ratio(replace(point, achieved_bed_gy=None)) == inf
