"""Columns of the study's table, with a row for each plan: a column's name, unit, meaning, and where its value
is.

A value is empty (None) if its plan has no such thing. Names are those of the plan's JSON: for its best path
and the dose in its PTV without a prefix, for the rest with one. No column depends on when or where the plan
was made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from planner.scores import RISK_MODELS
from service.study.plan_order import StudyOutcome
from service.study.plan_values import (
    best_path,
    dose,
    goals_met,
    itself,
    joined,
    least_tolerance_deg,
    most_touched,
    needle_set,
    plan,
    ranked_paths,
    robustness,
    status,
    window_of_best,
)

ColumnType = Literal["text", "number", "count", "flag"]
Value = str | float | int | bool | None


@dataclass(frozen=True)
class Column:
    """A column of the table. `unit` is empty if there is none."""

    name: str
    kind: ColumnType
    unit: str
    says: str
    of: Callable[[StudyOutcome], Value]


Part = Callable[[StudyOutcome], Any]
Entry = tuple[str, ColumnType, str, str, "str | Callable[[Any], Value]"]
"""Name, kind, unit, what it is, and where in the part: an attribute, or a function."""


def row(ended: StudyOutcome) -> dict[str, Value]:
    """The row of a plan, by column."""
    return {column.name: column.of(ended) for column in COLUMNS}


def _found_in(part: Part, *entries: Entry) -> Iterator[Column]:
    for name, kind, unit, says, where in entries:
        get = attrgetter(where) if isinstance(where, str) else where
        yield Column(name, kind, unit, says, _reader(part, get))


def _reader(part: Part, get: Callable[[Any], Any]) -> Callable[[StudyOutcome], Value]:
    def of(ended: StudyOutcome) -> Value:
        record = part(ended)
        value = None if record is None else get(record)
        # Of a word that has a type of its own, the word.
        return str(value) if isinstance(value, str) else value

    return of


COLUMNS: tuple[Column, ...] = (
    *_found_in(
        itself,
        ("case", "text", "", "name of the case in this study", "study_plan.case"),
        (
            "case_sha256",
            "text",
            "",
            "sha256 of the list of the case's files with theirs",
            "study_plan.case_id",
        ),
        (
            "ranking",
            "text",
            "",
            "name of the ranking, as the file's metadata defines it",
            "study_plan.ranking",
        ),
        ("status", "text", "", "planned, goals_not_met, no_path, timed_out, or failed", status),
        ("message", "text", "", "how planning ended, in words", "message"),
        ("problem", "text", "", "why there is no plan at all: the kind of problem", "problem"),
        ("plan_sha256", "text", "", "the plan, in plans/<plan_sha256>.json", "plan_sha256"),
    ),
    *_found_in(
        plan,
        ("software", "text", "", "what made the plan", "software"),
        (
            "target",
            "text",
            "",
            "structures treated as the target",
            lambda p: joined(p.request.target.structures),
        ),
        (
            "missing_structures",
            "text",
            "",
            "organs not in the input, so not kept clear of",
            lambda p: joined(p.missing_structures),
        ),
        (
            "paths",
            "count",
            "",
            "distinct paths to the target that are ranked",
            ranked_paths,
        ),
        ("windows", "count", "", "connected regions of safe lines", lambda p: len(p.windows)),
        ("search_complete", "flag", "", "every line was tested or proved not safe", "search.complete"),
        ("search_covering_radius_mm", "number", "mm", "covering radius reached", "search.covering_radius_mm"),
        ("search_lines_tested", "count", "", "lines tested", "search.lines_tested"),
        ("search_safe_lines", "count", "", "of these, safe", "search.safe_lines"),
        (
            "search_lung_bound_mm",
            "number",
            "mm",
            "lower bound on the lung that any safe path crosses",
            "search.lung_bound_mm",
        ),
        ("search_least_lung_mm", "number", "mm", "least lung of any safe line found", "search.least_lung_mm"),
    ),
    *_found_in(itself, ("window", "text", "", "best path: the window it enters by", window_of_best)),
    *_found_in(
        best_path,
        ("approach", "text", "", "best path: approach, as a radiologist names it", "approach"),
        ("lung_length_mm", "number", "mm", "best path: aerated lung along the axis", "lung_length_mm"),
        ("pleural_punctures", "count", "", "best path: pleural punctures", "pleural_punctures"),
        ("fissures_crossed", "count", "", "best path: fissures crossed", "fissures_crossed"),
        (
            "clearance_mm",
            "number",
            "mm",
            "best path: from the needle's wall to the nearest forbidden structure",
            "clearance_mm",
        ),
        ("nearest_structure", "text", "", "best path: that structure", "nearest_structure"),
        ("length_mm", "number", "mm", "best path: from entry to tip", "length_mm"),
        ("target_chord_mm", "number", "mm", "best path: way in the target", "target_chord_mm"),
        ("axial_angle_deg", "number", "deg", "best path: axial angle as dialled", "axial_angle_deg"),
        (
            "craniocaudal_angle_deg",
            "number",
            "deg",
            "best path: craniocaudal angle as dialled",
            "craniocaudal_angle_deg",
        ),
        ("pareto", "flag", "", "best path: none of those ranked is better in every score", "pareto"),
        *[(model.name, "number", "", f"best path: {model.source}", model.of) for model in RISK_MODELS],
        *[
            (
                f"{end}_{axis}_mm",
                "number",
                "mm",
                f"best path: {end}, patient LPS",
                lambda path, end=end, n=n: getattr(path, f"{end}_mm")[n],
            )
            for end in ("entry", "tip")
            for n, axis in enumerate("xyz")
        ],
    ),
    *_found_in(
        needle_set,
        ("set_needles", "count", "", "needle set: needles", lambda s: len(s.path_ids)),
        ("set_seeds", "count", "", "needle set: seeds", lambda s: len(s.seeds)),
        ("set_lung_length_mm", "number", "mm", "needle set: lung, all needles", "lung_length_mm"),
        ("set_pleural_punctures", "count", "", "needle set: pleural punctures", "pleural_punctures"),
        (
            "set_objective_mm",
            "number",
            "mm",
            "needle set: lung, punctures and needles, counted as mm",
            "objective",
        ),
        ("set_bound_mm", "number", "mm", "needle set: what no set considered can cost less than", "bound"),
        ("set_gap", "number", "", "needle set: share of the objective above the bound", "gap"),
        ("set_reachable_percent", "number", "%", "PTV that safe tracks reach", "reachable_percent"),
        ("set_time_ended", "flag", "", "needle set: a time limit cut it short", "time_ended"),
    ),
    *_found_in(
        dose,
        ("prescribed_gy", "number", "Gy", "prescribed dose", "prescribed_gy"),
        (
            "goals_met",
            "flag",
            "",
            "all goals of the prescription are met",
            goals_met,
        ),
        ("ptv_volume_cc", "number", "cm3", "PTV: volume", "target.volume_cc"),
        ("d90_gy", "number", "Gy", "PTV: least dose in the hottest 90 %", "target.d90_gy"),
        ("d100_gy", "number", "Gy", "PTV: least dose", "target.d100_gy"),
        ("v100_percent", "number", "%", "PTV: volume that gets the prescribed dose", "target.v100_percent"),
        ("v150_percent", "number", "%", "PTV: volume that gets 150 % of it", "target.v150_percent"),
        ("v200_percent", "number", "%", "PTV: volume that gets 200 % of it", "target.v200_percent"),
        ("ci", "number", "", "PTV: conformity index", "target.ci"),
        ("ei", "number", "", "PTV: external index", "target.ei"),
        ("hi", "number", "", "PTV: homogeneity index", "target.hi"),
        ("gtv_volume_cc", "number", "cm3", "target: volume", "gtv.volume_cc"),
        ("gtv_d90_gy", "number", "Gy", "target: least dose in the hottest 90 %", "gtv.d90_gy"),
    ),
    *_found_in(
        robustness,
        ("placement", "text", "", "whose published errors of placement were sampled", "placement"),
        ("placement_samples", "count", "", "samples of them", "samples"),
        ("d90_gy_p5", "number", "Gy", "PTV under these errors: D90, 5th percentile", "d90_gy.p5"),
        ("d90_gy_p50", "number", "Gy", "PTV under these errors: D90, median", "d90_gy.p50"),
        ("d90_gy_p95", "number", "Gy", "PTV under these errors: D90, 95th percentile", "d90_gy.p95"),
        ("v100_percent_p5", "number", "%", "PTV under these errors: V100, 5th percentile", "v100_percent.p5"),
        ("v100_percent_p50", "number", "%", "PTV under these errors: V100, median", "v100_percent.p50"),
        (
            "v100_percent_p95",
            "number",
            "%",
            "PTV under these errors: V100, 95th percentile",
            "v100_percent.p95",
        ),
        ("goals_met_share", "number", "", "share of samples that reach D90 and V100", "goals_met_share"),
        (
            "least_tolerance_deg",
            "number",
            "deg",
            "least turn about its entry by which a needle touches something",
            least_tolerance_deg,
        ),
    ),
    *_found_in(
        most_touched,
        ("most_touched", "text", "", "structure that a needle most likely touches", "structure"),
        ("touch_chance", "number", "", "chance that it does", "chance"),
    ),
)
"""The table, from left to right."""
