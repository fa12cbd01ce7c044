"""Organ limits: rows as published, structures by their names, verdicts that the numbers support."""

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
RADIOBIOLOGY = Radiobiology(HALF_LIFE_DAYS)
CC = 1000.0


def organ(name: str, *parts: tuple[float, float]) -> OrganSamples:
    """A structure of (dose in Gy, volume in cc) parts, each in twenty samples."""
    doses = np.concatenate([np.full(20, dose) for dose, _ in parts])
    return OrganSamples(name, doses, np.concatenate([np.full(20, cc * CC / 20) for _, cc in parts]))


def rows_of_organ(
    protocol: Protocol, organ_name: str, kind: LimitKind | None = None, dose: float | None = None
) -> Protocol:
    """The protocol with only the rows of one organ, filtered by kind and dose where given."""
    limits = tuple(
        limit
        for limit in protocol.limits
        if limit.organ == organ_name and kind in (None, limit.kind) and dose in (None, limit.dose_gy)
    )
    assert limits
    return Protocol(protocol.name, protocol.fractions, protocol.source, limits)


def single_comparison(
    protocol: Protocol, *organs: OrganSamples, radiobiology: Radiobiology = RADIOBIOLOGY, **options
) -> LimitComparison:
    """The single comparison of a protocol with one row."""
    (comparison,) = compare_all(organs, radiobiology, protocols=(protocol,), **options)
    return comparison


# Tables.

NUMBER = r"(\d+(?:\.\d+)?)"


def rows_from_text(protocol: str, item: list[str]) -> list[tuple]:
    """The limits that a row of the reference file states: organ, kind, dose, volume."""
    name, *words = item
    text = " ".join(words)
    if "105%" in text or words[0] == "V20":
        return [(name, "relative", None, None)]
    if "not specified" in text:
        return [(name, "unstated", None, None)]
    if match_result := re.fullmatch(rf"Vol {NUMBER} Gy <{NUMBER} cc( .*)?", text):
        kind = "volume or spared" if name == "Lungs" else "volume"
        return [(name, kind, float(match_result[1]), float(match_result[2]))]
    if match_result := re.fullmatch(rf"(?:Dmax )?{NUMBER} Gy ?(?:\(.*\))?", text):
        return [(name, "max", float(match_result[1]), None)]
    rows = []
    for part in text.split("; "):
        if match_result := re.fullmatch(rf"{NUMBER}(?: Gy)? max", part):
            rows.append((name, "max", float(match_result[1]), None))
        elif match_result := re.fullmatch(rf"D{NUMBER}cc {NUMBER}", part):
            rows.append((name, "volume", float(match_result[2]), float(match_result[1])))
        else:
            match_result = re.fullmatch(rf"{NUMBER}cc {NUMBER}", part)
            assert match_result is not None, part
            rows.append((name, "spared", float(match_result[2]), float(match_result[1])))
    return rows


def row_of(limit: OrganLimit) -> tuple:
    return (limit.organ, limit.kind.value, limit.dose_gy, limit.volume_cc)


def test_the_tables_agree_with_the_reference_file(reference: Path) -> None:
    tables = json.loads((reference / "organ_limits.json").read_text(encoding="utf-8"))
    assert list(tables) == [p.name for p in PROTOCOLS]
    for protocol in PROTOCOLS:
        items = tables[protocol.name]["items"]
        expected = [row for item in items for row in rows_from_text(protocol.name, item)]
        assert Counter(expected) == Counter(map(row_of, protocol.limits))


def test_every_limit_names_its_protocol_and_fractions() -> None:
    for protocol in PROTOCOLS:
        assert protocol.source
        assert f"_{protocol.fractions}fx" in protocol.name
        for limit in protocol.limits:
            assert (limit.protocol, limit.fractions) == (protocol.name, protocol.fractions)
            assert (limit.dose_gy is None) == (limit.kind in (LimitKind.RELATIVE, LimitKind.UNSTATED))
            assert limit.note or limit.kind is not LimitKind.RELATIVE


def test_every_row_belongs_to_an_organ() -> None:
    assert {limit.organ for p in PROTOCOLS for limit in p.limits} <= set(ORGAN_OF_ROW)
    assert set(ORGAN_OF_ROW.values()) <= set(Organ)


def test_every_kind_of_limit_has_its_wording() -> None:
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
    ("organ", "names", "expected"),
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
def test_structures_that_make_up_an_organ(organ: Organ, names: str, expected: str) -> None:
    organ_match = match(organ, names.split())
    assert " ".join(organ_match.structures) == expected
    assert not organ_match.holds_more and not organ_match.holds_target


@pytest.mark.parametrize(
    ("organ", "names", "expected"),
    [
        (Organ.SKIN, CHEST, "body_trunk"),
        (Organ.TRACHEA, CHEST, "trachea_bronchi"),
        (Organ.BRONCHUS, "airway trachea", "airway"),
        (Organ.HEART, "pericardium", "pericardium"),
    ],
)
def test_structures_that_contain_more_than_the_organ(organ: Organ, names: str, expected: str) -> None:
    solid = organ is Organ.SKIN
    organ_match = match(organ, names.split(), solids=["body_trunk"])
    assert organ_match == Match((expected,), holds_more=True, holds_target=solid)


def test_a_skin_without_the_target_is_preferred_to_a_solid_body() -> None:
    assert match(Organ.SKIN, ["body", "skin"], ["body"]) == Match(("skin",), holds_more=True)
    assert match(Organ.SKIN, ["body", "skin"], ["body", "skin"]).holds_target
    # For other organs it does not matter whether they contain the target.
    assert not match(Organ.TRACHEA, ["airway"], ["airway"]).holds_target


def test_no_structure_is_taken_as_lungs_and_more() -> None:
    # A volume spared in a larger structure says nothing about the lungs.
    assert match(Organ.LUNGS, ["lung_vessels", "thoracic_cavity", "body"]) == Match(())


# Verdicts.


def test_a_limit_is_converted_in_its_own_fractions() -> None:
    comparison = single_comparison(
        rows_of_organ(RTOG_0813, "SpinalCord", LimitKind.MAX), organ("spinal_cord", (20.0, 1.0))
    )
    assert comparison.limit_bed_gy == pytest.approx(30.0 * (1.0 + 6.0 / 3.0))
    comparison = single_comparison(rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (20.0, 1.0)))
    assert comparison.limit_bed_gy == pytest.approx(18.0 * (1.0 + 6.0 / 3.0))
    acute = Radiobiology(HALF_LIFE_DAYS, ACUTE)
    comparison = single_comparison(
        rows_of_organ(RTOG_0236, "Skin"), organ("skin_shell", (9.0, 1.0)), radiobiology=acute
    )
    assert comparison.limit_bed_gy == pytest.approx(24.0 * 1.8)


def test_a_maximum_is_compared_with_d0_1cc() -> None:
    rows = rows_of_organ(RTOG_0236, "SpinalCord")
    for hot_cc, met in ((0.0, True), (0.05, None), (0.15, False)):
        comparison = single_comparison(
            rows, organ("spinal_cord", (10.0, 20.0), *([(300.0, hot_cc)] if hot_cc else []))
        )
        assert comparison.met is met
        assert comparison.structure == "spinal_cord"
        assert comparison.achieved_cc == pytest.approx(hot_cc)
        assert (
            "D0.1cc, the smallest volume reported, stands for the maximum; less may get more."
            in comparison.reason
        )
        bed = implant_bed_gy(np.array(300.0 if met is False else 10.0), HALF_LIFE_DAYS, LATE)
        assert comparison.achieved_bed_gy == pytest.approx(float(bed))


def test_an_organ_below_0_1_cc_is_compared_by_its_hottest_sample() -> None:
    comparison = single_comparison(
        rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 0.02), (300.0, 0.02))
    )
    assert comparison.met is False
    assert "smaller than 0.1 cc" in comparison.reason


@pytest.mark.parametrize("part_mm3", [2.5 / 3, 0.8 * 0.8, 0.8 * 0.8 * 2.5 / 3, 1.0])
def test_a_volume_equal_to_the_limit_is_decided_by_its_dose(part_mm3: float) -> None:
    """Many equal samples, whose sum rounds to either side of the limit's volume."""
    (limit,) = rows_of_organ(RTOG_0813, "SpinalCord", LimitKind.VOLUME, 22.5).limits
    assert limit.volume_cc is not None
    count = round(1000.0 * limit.volume_cc / part_mm3)
    weights = np.full(count + 50, 1000.0 * limit.volume_cc / count)
    bed = dose_volume(np.concatenate([np.full(50, 10.0), np.full(count, 60.0)]), weights)
    verdict = verdict_as_read(limit, 59.9, bed)
    assert verdict.bed_gy is not None
    assert verdict.met is (verdict.bed_gy < 59.9)


def test_a_volume_must_be_below_the_limit() -> None:
    rows = rows_of_organ(RTOG_0813, "SpinalCord", LimitKind.VOLUME, 22.5)
    for hot_cc, met in ((0.24, True), (0.26, False)):
        comparison = single_comparison(rows, organ("spinal_cord", (5.0, 20.0), (100.0, hot_cc)))
        assert comparison.met is met
        assert (comparison.volume_cc, comparison.achieved_cc) == (0.25, pytest.approx(hot_cc))
        assert comparison.achieved_bed_gy is not None and comparison.limit_bed_gy is not None
        assert (comparison.achieved_bed_gy < comparison.limit_bed_gy) is met
    small_organ = single_comparison(rows, organ("spinal_cord", (100.0, 0.2)))
    assert (small_organ.met, small_organ.achieved_bed_gy) == (True, None)


@pytest.mark.parametrize(("cold_cc", "met"), [(1100.0, True), (900.0, False)])
def test_a_spared_volume_is_the_volume_below_the_dose(cold_cc: float, met: bool) -> None:
    rows = rows_of_organ(TG101_5, "Lung", LimitKind.SPARED, 13.5)
    lungs = [organ("lung_left", (1.0, cold_cc / 2), (90.0, 300.0)), organ("lung_right", (1.0, cold_cc / 2))]
    comparison = single_comparison(rows, *lungs)
    assert comparison.met is met
    assert comparison.structure == "lung_left, lung_right"
    assert comparison.achieved_cc == pytest.approx(cold_cc)


def test_lungs_smaller_than_the_spared_volume_are_undecided() -> None:
    comparison = single_comparison(
        rows_of_organ(TG101_5, "Lung", dose=12.5), organ("lung_left", (1.0, 1400.0))
    )
    assert comparison.met is None
    assert "only 1400 cc" in comparison.reason


@pytest.mark.parametrize(
    ("cold_cc", "hot_cc", "met", "sentence"),
    [
        (2000.0, 500.0, True, ""),
        (2000.0, 1600.0, False, "By the other it is met."),
        (900.0, 1600.0, False, ""),
        (900.0, 500.0, None, "The two disagree: not judged."),
    ],
)
def test_if_sources_disagree_a_limit_is_met_only_by_both_readings(
    cold_cc: float, hot_cc: float, met: bool | None, sentence: str
) -> None:
    rows = rows_of_organ(RTOG_0813, "Lungs", LimitKind.VOLUME_OR_SPARED, 12.5)
    comparison = single_comparison(rows, organ("lungs", (1.0, cold_cc), (90.0, hot_cc)))
    assert comparison.met is met
    assert (Doubt.OTHER_READING in comparison.doubts) is bool(sentence) and sentence in comparison.reason
    assert comparison.achieved_cc == pytest.approx(hot_cc)
    # Verification finds the same doubts; it only checks whether an organ was compared.
    compared = ComparedOrgan.__new__(ComparedOrgan)
    bed_model = BedModel(3.0, 0.0, 0.0)
    assert (
        tuple(doubts_of(bed_model, rows.limits[0], comparison, MatchedOrgan(("lungs",)), compared, False))
        == comparison.doubts
    )


def test_the_whole_organ_decides_for_its_wall_away_from_the_target() -> None:
    rows = rows_of_organ(RTOG_0813, "Esophagus (non-adjacent wall)")
    assert rows.limits[0].scope is Scope.NOT_ADJACENT
    met = single_comparison(rows, organ("esophagus", (5.0, 20.0), (200.0, 4.0)))
    assert (met.met, met.achieved_cc) == (True, pytest.approx(4.0))
    assert "The whole meets it" in met.reason
    failed = single_comparison(rows, organ("esophagus", (5.0, 20.0), (200.0, 6.0)))
    assert (failed.met, failed.achieved_cc) == (False, pytest.approx(6.0))
    assert failed.doubts == (Doubt.WALL,) and "without a source" in failed.reason
    assert exceeded_text(failed) == (
        "Esophagus (non-adjacent wall) (esophagus) gets BED 77.9 Gy or more in 6.0 cc, less than 5 cc "
        "allowed (RTOG_0813_5fx; unsure: the row may mean the wall away from the target only)"
    )


def test_a_solid_body_never_fails_a_skin_limit() -> None:
    rows = rows_of_organ(RTOG_0236, "Skin")
    body = single_comparison(rows, replace(organ("body", (5.0, 9000.0), (200.0, 30.0)), holds_target=True))
    assert body.met is None
    assert "body holds the target as well, and is more than this organ." in body.reason
    assert single_comparison(rows, organ("body", (5.0, 9000.0))).met is True
    for shell in ("skin_shell", "skin"):
        assert single_comparison(rows, organ(shell, (5.0, 900.0), (200.0, 3.0))).met is False


def test_an_unverified_row_may_be_exceeded_and_is_never_met() -> None:
    for hot_cc, met in ((1.0, None), (100.0, False)):
        comparison = single_comparison(
            rows_of_organ(RTOG_0813, "ChestWall"), organ("chest_wall", (5.0, 900.0), (200.0, hot_cc))
        )
        assert comparison.met is met and comparison.doubts == (Doubt.UNVERIFIED,)
        assert comparison.achieved_cc == pytest.approx(hot_cc)
        assert "one score card" in comparison.reason


def test_rows_without_a_dose_say_why_they_are_not_compared() -> None:
    heart, lungs = organ("heart", (10.0, 600.0)), organ("lung_left", (10.0, 2000.0))
    for rows, sentence in (
        (rows_of_organ(NCCN_5, "Heart"), "105 % of the prescription"),
        (rows_of_organ(RTOG_0813, "Lungs", LimitKind.RELATIVE), "V20"),
        (rows_of_organ(RTOG_0236, "GreatVessels"), "states no limit"),
    ):
        comparison = single_comparison(rows, heart, lungs)
        assert (comparison.met, comparison.organ_cc, comparison.limit_bed_gy, comparison.achieved_bed_gy) == (
            None,
        ) * 4
        assert sentence in comparison.reason


def test_a_missing_organ_is_reported() -> None:
    for organs in ([], [OrganSamples("spinal_cord", np.empty(0), np.empty(0))]):
        for comparison in compare_all(organs, RADIOBIOLOGY):
            assert comparison.met is None
            assert comparison.limit_bed_gy is None or "no voxel of this organ" in comparison.reason


def test_earlier_radiation_counts_in_full() -> None:
    cord, rows = organ("spinal_cord", (10.0, 20.0)), rows_of_organ(RTOG_0236, "SpinalCord")
    beam = ExternalBeam(50.0, 25, interval_days=300.0)
    with_beam = Radiobiology(HALF_LIFE_DAYS, before=(beam,))
    implant_only, with_beams = (
        single_comparison(rows, cord),
        single_comparison(rows, cord, radiobiology=with_beam),
    )
    assert (implant_only.met, with_beams.met) == (True, False)
    assert implant_only.achieved_bed_gy is not None
    assert with_beams.achieved_bed_gy == pytest.approx(
        implant_only.achieved_bed_gy + external_bed_gy(beam, LATE)
    )
    assert "External beams before" in with_beams.reason and "External" not in implant_only.reason


def test_no_number_depends_on_how_dose_in_a_seed_is_capped() -> None:
    low, high = (organ("aorta", (20.0, 50.0), (cap, 0.4)) for cap in (2500.0, 90_000.0))
    rows = rows_of_organ(TG101_5, "GreatVessels", LimitKind.MAX)
    low_cap, high_cap = (single_comparison(rows, o, highest_gy=2000.0) for o in (low, high))
    assert low_cap == high_cap
    assert low_cap.met is False
    assert "at least this" in low_cap.reason
    for outside, met in ((300.0, False), (200.0, None)):
        comparison = single_comparison(rows, organ("aorta", (20.0, 49.9), (outside, 0.1), (np.inf, 0.4)))
        assert comparison.met is met
        assert "at least this" in comparison.reason
        bed = implant_bed_gy(np.array(outside), HALF_LIFE_DAYS, LATE)
        assert comparison.achieved_bed_gy == pytest.approx(float(bed))
    assert single_comparison(rows, organ("aorta", (np.inf, 0.4))).met is None
    # A limit above the highest known dose is neither met nor failed.
    unknown = single_comparison(rows, low, highest_gy=40.0)
    assert unknown.met is None


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.01, 900.0)), min_size=1, max_size=4), st.data())
def test_more_dose_never_makes_a_failed_limit_met(parts: list[tuple[float, float]], data) -> None:
    names = ("spinal_cord", "esophagus", "heart", "aorta", "trachea_bronchi", "lungs", "ribs", "skin_shell")
    factor = data.draw(st.floats(1.0, 3.0))
    scaled = [(factor * dose, cc) for dose, cc in parts]
    comparisons = compare_all([organ(n, *parts) for n in names], RADIOBIOLOGY)
    scaled_comparisons = compare_all([organ(n, *scaled) for n in names], RADIOBIOLOGY)
    for comparison, scaled_comparison in zip(comparisons, scaled_comparisons, strict=True):
        assert not (comparison.met is False and scaled_comparison.met is True)
        assert not (comparison.met is None and scaled_comparison.met is True)


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.01, 900.0)), min_size=1, max_size=4))
def test_a_verdict_agrees_with_its_numbers(parts: list[tuple[float, float]]) -> None:
    for comparison in compare_all(
        [organ(n, *parts) for n in ("heart", "esophagus", "cord", "lungs")], RADIOBIOLOGY
    ):
        assert comparison.reason.endswith(".")
        assert (comparison.limit_bed_gy is None) is (Doubt.NO_DOSE in comparison.doubts)
        if comparison.met is not None and comparison.kind in (LimitKind.MAX, LimitKind.VOLUME):
            assert comparison.achieved_cc is not None and comparison.limit_bed_gy is not None
            if (
                comparison.achieved_bed_gy is not None
                and abs(comparison.achieved_bed_gy - comparison.limit_bed_gy) > 1e-6
            ):
                assert (comparison.achieved_bed_gy < comparison.limit_bed_gy) is comparison.met


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
def test_missing_parts_of_an_organ_are_named(row: str, names: str, lacking: str) -> None:
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
    by_planner, by_verification = match(organ, names, solids), matched(organ, names, solids)
    assert by_planner == Match(
        by_verification.structures,
        by_verification.holds_more,
        by_verification.lacking,
        by_verification.holds_target,
    )


@given(st.sampled_from(Organ), st.lists(st.sampled_from(SOME_NAMES), max_size=30, unique=True))
def test_an_organ_without_missing_parts_stays_so_with_more_structures(organ: Organ, names: list[str]) -> None:
    """More structures never add a missing part, except for numbered members between two others."""
    organ_match = match(organ, names)
    if (
        organ_match.structures
        and not organ_match.lacking
        and not organ_match.holds_more
        and organ is not Organ.RIBS
    ):
        assert not match(organ, SOME_NAMES).lacking


def test_a_part_of_an_organ_can_fail_a_limit_and_not_meet_it() -> None:
    rows = rows_of_organ(RTOG_0236, "Heart/pericardium", LimitKind.MAX)
    low_dose, high_dose = (
        single_comparison(rows, organ("heart_atrium_left", (gy, 30.0))) for gy in (1.0, 900.0)
    )
    assert low_dose.met is None and "lacks a part of this organ, the heart as a whole" in low_dose.reason
    assert high_dose.met is False and "the heart as a whole: it may be more." in high_dose.reason
    assert exceeded_text(high_dose).endswith(
        "(RTOG_0236_3fx_Dmax; may be more: a part of it was not segmented)"
    )


def test_a_missing_part_can_only_add_to_the_spared_volume() -> None:
    rows = rows_of_organ(TG101_5, "Lung", dose=13.5)
    enough = single_comparison(rows, organ("lung_right", (1.0, 1100.0), (90.0, 300.0)))
    assert enough.met is True and Doubt.LACKING in enough.doubts
    assert "the left side: it would only spare more." in enough.reason
    too_little = single_comparison(rows, organ("lung_right", (1.0, 900.0), (90.0, 300.0)))
    assert too_little.met is None and "the left side: not judged." in too_little.reason
    larger_structure = with_row_doubts(rows.limits[0], Match(("lungs",), holds_more=True), Verdict(True))
    assert larger_structure.met is None
    assert with_row_doubts(rows.limits[0], Match(("lungs",), holds_more=True), Verdict(False)).met is False


def test_lungs_given_as_a_whole_and_by_side_count_once() -> None:
    sides = [organ(f"lung_{side}", (1.0, 600.0), (90.0, 300.0)) for side in ("left", "right")]
    comparison = single_comparison(
        rows_of_organ(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 1200.0), (90.0, 600.0)), *sides
    )
    assert (comparison.structure, comparison.achieved_cc) == ("lungs", pytest.approx(1200.0))


def test_an_excess_states_that_beams_are_counted_in_full() -> None:
    with_beam = Radiobiology(HALF_LIFE_DAYS, before=(ExternalBeam(60.0, 30),))
    comparison = single_comparison(
        rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 20.0)), radiobiology=with_beam
    )
    assert "(RTOG_0236_3fx_Dmax; external beams before counted in full everywhere)" in exceeded_text(
        comparison
    )


@given(
    st.sampled_from([LimitKind.MAX, LimitKind.VOLUME, LimitKind.SPARED]),
    st.floats(0.01, 2000.0),
    st.floats(1e-8, 0.5) | st.just(0.0),
)
def test_no_excess_is_rounded_away(kind: LimitKind, limit: float, excess: float) -> None:
    limit = round(limit, 2)
    achieved = limit * (1.0 + (-excess if kind is LimitKind.SPARED else excess))
    assume(achieved != limit or kind is not LimitKind.MAX)
    comparison = LimitComparison(
        protocol="P",
        organ="O",
        structure="o",
        limit="",
        kind=kind,
        volume_cc=None if kind is LimitKind.MAX else limit,
        limit_bed_gy=limit if kind is LimitKind.MAX else 50.0,
        achieved_bed_gy=achieved if kind is LimitKind.MAX else None,
        achieved_cc=0.1 if kind is LimitKind.MAX else achieved,
        organ_cc=1e5,
        met=False,
        doubts=(),
        lacking="",
        reason="",
    )
    numbers = [float(n) for n in re.findall(r"\d+\.?\d*(?:e-?\d+)?", exceeded_text(comparison))]
    if kind is LimitKind.MAX:
        assert numbers[0] > numbers[1]
    elif kind is LimitKind.VOLUME:
        assert numbers[1] >= numbers[2] and (numbers[1] > numbers[2] or isclose(achieved, limit))
    else:
        assert numbers[0] <= numbers[2] and (numbers[0] < numbers[2] or isclose(achieved, limit))
    if kind is not LimitKind.MAX:
        reason_numbers = [float(n) for n in re.findall(r"\d+\.?\d*", reason_of(comparison))]
        assert (reason_numbers[0] == reason_numbers[1]) is isclose(achieved, limit)


def test_a_tiny_excess_volume_is_not_stated_as_zero() -> None:
    comparison = single_comparison(
        rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (10.0, 20.0), (300.0, 0.0004))
    )
    assert comparison.met is None and "Less than 0.001 cc get more than the limit's BED" in comparison.reason


def test_an_excess_in_a_larger_structure_is_stated_with_that_doubt() -> None:
    rows = rows_of_organ(RTOG_0236, "Heart/pericardium", LimitKind.MAX)
    comparison = single_comparison(rows, organ("pericardium", (900.0, 30.0)))
    assert comparison.met is False and Doubt.HOLDS_MORE in comparison.doubts
    assert "unsure: what was segmented is more than this organ" in exceeded_text(comparison)


def test_the_wording_of_exceeded_limits() -> None:
    cord = single_comparison(rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (300.0, 1.0)))
    assert exceeded_text(cord).startswith("SpinalCord (spinal_cord) gets BED ")
    assert exceeded_text(cord).endswith(" Gy, at most 54.0 Gy allowed (RTOG_0236_3fx_Dmax)")
    spared = single_comparison(
        rows_of_organ(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 900.0), (90.0, 900.0))
    )
    assert exceeded_text(spared) == (
        "Lung (lungs) has 900 cc below BED 25.6 Gy, more than 1000 cc needed (TG101_like_5fx)"
    )


def test_the_message_names_each_organ_once_with_the_largest_excess_first() -> None:
    cord, heart, lungs = (
        organ("spinal_cord", (90.0, 5.0), (120.0, 1.0)),
        organ("heart", (2000.0, 20.0)),
        organ("lungs", (90.0, 1500.0), (1.0, 500.0)),
    )
    limits = compare_all([cord, heart, lungs], RADIOBIOLOGY)
    failed = [limit for limit in limits if limit.met is False]
    report = replace(a_dose(), bed=replace(a_dose().bed, limits=limits))
    (message,) = harm_of(report, None)
    worst = max(failed, key=excess_ratio)
    assert worst.structure == "heart"
    assert message.startswith(f"Organ limits exceeded: {exceeded_text(worst)}; ")
    assert message.count("(heart)") == 1 and message.endswith(f"; and {len(failed) - 2} more.")
    # The terminal and lists have the same order, for all of them.
    expected_lines = [f"EXCEEDED {exceeded_text(limit)}." for limit in exceeded(limits)]
    assert exceeded_lines(report.bed) == expected_lines and exceeded_text(worst) in expected_lines[0]
    ratios = [excess_ratio(limit) for limit in exceeded(limits)]
    assert ratios == sorted(ratios, reverse=True) and len(ratios) == len(failed)
    dose_summary = summary_of(replace(implant_plan(), dose=report)).dose
    assert dose_summary is not None
    assert [one.structure for one in dose_summary.limits_exceeded] == [
        one.structure for one in exceeded(limits)
    ]
    assert [one.structure for one in failed] != [one.structure for one in exceeded(limits)]


def test_the_excess_ratio_of_a_limit() -> None:
    maximum = single_comparison(rows_of_organ(RTOG_0236, "SpinalCord"), organ("spinal_cord", (300.0, 1.0)))
    assert excess_ratio(maximum) == pytest.approx(maximum.achieved_bed_gy / 54.0)  # type: ignore[operator]
    spared = single_comparison(
        rows_of_organ(TG101_5, "Lung", dose=13.5), organ("lungs", (1.0, 800.0), (90.0, 900.0))
    )
    assert excess_ratio(spared) == pytest.approx(1.25)
    assert excess_ratio(replace(spared, achieved_cc=0.0)) == inf
    assert excess_ratio(replace(maximum, achieved_bed_gy=None)) == inf
