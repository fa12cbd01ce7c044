"""Plan summary: what a list shows of a plan: its target, its main figures, and its worst news.

It is made once from the plan's record, as values, and stored in the plan's row, so that a list reads no plan
file. Quantities have the names of the plan's JSON, and nothing is rounded. `paths`, `needles`, `seeds`,
`goals` and `limits` are counts here of what the JSON lists under these names, or as `path_ids`.
"""

import json
from dataclasses import dataclass

from pydantic import ConfigDict, JsonValue, ValidationError
from pydantic.dataclasses import dataclass as strict_dataclass

from planner.records.bounds import Count, NonNegative, Percent, Share
from planner.records.dose import DoseReport, GoalResult
from planner.records.needle_set import NeedleSet, TooNear
from planner.records.organ_limits import LimitComparison
from planner.records.paths import Aim, Path
from planner.records.plan import Plan, Status
from planner.records.robustness import Robustness, Spread
from planner.records.wording.organ_limits import exceeded
from planner.records.wording.set_claims import nearest_first
from service.schemas.json.canonical import to_json
from service.schemas.json.records import STRICT, adapter


@dataclass(frozen=True)
class PathSummary:
    """The path of rank 1. [mm]"""

    lung_length_mm: NonNegative
    pleural_punctures: Count
    clearance_mm: float


@dataclass(frozen=True)
class SetSummary:
    """The needle set: numbers of needles and seeds, what the needles cross [mm], what given needles are too
    near to (structures first, then the nearest), and the number of pairs of given seeds closer than a seed is
    long."""

    needles: Count
    seeds: Count
    lung_length_mm: NonNegative
    pleural_punctures: Count
    given_too_near: tuple[TooNear, ...]
    given_seed_pairs_near: Count


@dataclass(frozen=True)
class DoseSummary:
    """Dose in the PTV [Gy, %]; the number of goals, and the missed ones; the number of organ limits, the
    exceeded ones, largest excess first, and the number that are neither met nor exceeded for certain."""

    prescribed_gy: NonNegative
    d90_gy: NonNegative
    v100_percent: Percent
    goals: Count
    goals_missed: tuple[GoalResult, ...]
    limits: Count
    limits_exceeded: tuple[LimitComparison, ...]
    limits_unknown: Count


@dataclass(frozen=True)
class RobustnessSummary:
    """The PTV's dose under placement errors [Gy, %], and the share of samples in which D90 and V100 are
    reached."""

    placement: str
    d90_gy: Spread
    v100_percent: Spread
    goals_met_share: Share


_EXAMPLE: dict[str, JsonValue] = {
    "status": "goals_not_met",
    "targets": ["node_4R"],
    "missing_structures": [],
    "verified": True,
    "paths": 20,
    "best_path": {"lung_length_mm": 0.0, "pleural_punctures": 0, "clearance_mm": 3.1},
    "needle_set": {
        "needles": 6,
        "seeds": 24,
        "lung_length_mm": 12.4,
        "pleural_punctures": 2,
        "given_too_near": [],
        "given_seed_pairs_near": 0,
    },
    "dose": {
        "prescribed_gy": 120.0,
        "d90_gy": 118.2,
        "v100_percent": 88.9,
        "goals": 2,
        "goals_missed": [
            {
                "structure": "PTV",
                "name": "d90_gy",
                "at_least": True,
                "wanted": 120.0,
                "reached": 118.2,
                "met": False,
            }
        ],
        "limits": 5,
        "limits_exceeded": [
            {
                "protocol": "RTOG_0813_5fx",
                "organ": "Heart",
                "structure": "heart",
                "limit": "less than 15 cc with 32 Gy or more, in 5 fractions",
                "kind": "volume",
                "volume_cc": 15.0,
                "limit_bed_gy": 100.3,
                "achieved_bed_gy": 104.9,
                "achieved_cc": 16.8,
                "organ_cc": 612.0,
                "met": False,
                "doubts": [],
                "lacking": "",
                "reason": "16.80 cc get the limit's BED or more; less than 15 cc may.",
            }
        ],
        "limits_unknown": 1,
    },
    "robustness": {
        "placement": "freehand",
        "d90_gy": {"p5": 92.0, "p50": 109.5, "p95": 117.6},
        "v100_percent": {"p5": 78.1, "p50": 85.0, "p95": 88.6},
        "goals_met_share": 0.02,
    },
}


@strict_dataclass(frozen=True, config=ConfigDict(**STRICT, json_schema_extra={"examples": [_EXAMPLE]}))
class PlanSummary:
    """A plan in a list. `targets` are those of the request, with defaults filled in; `paths` counts ranked
    paths; parts that the plan does not have are None. If `missing_structures` names the lung, figures of lung
    are unknown; if it names a lobe, they are lower bounds."""

    status: Status
    targets: tuple[str, ...]
    missing_structures: tuple[str, ...]
    verified: bool
    paths: Count
    best_path: PathSummary | None
    needle_set: SetSummary | None
    dose: DoseSummary | None
    robustness: RobustnessSummary | None


def summary_of(plan: Plan) -> PlanSummary:
    """The summary of a plan."""
    ranked = [path for path in plan.paths if path.aim is Aim.TARGET]
    return PlanSummary(
        status=plan.outcome.status,
        targets=plan.request.target.structures,
        missing_structures=plan.missing_structures,
        verified=plan.verification is not None and plan.verification.passed,
        paths=len(ranked),
        best_path=_of_path(ranked[0]) if ranked else None,
        needle_set=None if plan.needle_set is None else _of_set(plan.needle_set),
        dose=None if plan.dose is None else _of_dose(plan.dose),
        robustness=None if plan.robustness is None else _of_robustness(plan.robustness),
    )


def _of_path(path: Path) -> PathSummary:
    return PathSummary(path.lung_length_mm, path.pleural_punctures, path.clearance_mm)


def _of_set(needle_set: NeedleSet) -> SetSummary:
    return SetSummary(
        needles=len(needle_set.path_ids),
        seeds=len(needle_set.seeds),
        lung_length_mm=needle_set.lung_length_mm,
        pleural_punctures=needle_set.pleural_punctures,
        given_too_near=tuple(nearest_first(needle_set.given_too_near)),
        given_seed_pairs_near=needle_set.given_seed_pairs_near,
    )


def _of_dose(report: DoseReport) -> DoseSummary:
    limits = report.bed.limits
    return DoseSummary(
        prescribed_gy=report.prescribed_gy,
        d90_gy=report.target.d90_gy,
        v100_percent=report.target.v100_percent,
        goals=len(report.goals),
        goals_missed=tuple(goal for goal in report.goals if not goal.met),
        limits=len(limits),
        limits_exceeded=tuple(exceeded(limits)),
        limits_unknown=sum(limit.met is None for limit in limits),
    )


def _of_robustness(robustness: Robustness) -> RobustnessSummary:
    return RobustnessSummary(
        robustness.placement, robustness.d90_gy, robustness.v100_percent, robustness.goals_met_share
    )


def summary_text(plan: Plan) -> str:
    """The text of a plan's summary. Raises ValueError for NaN or infinity in the plan."""
    return json.dumps(to_json(summary_of(plan)), ensure_ascii=False, allow_nan=False)


def read_summary(text: str | None) -> PlanSummary | None:
    """A summary's text read back; None if there is none, or another version wrote it in another form."""
    if text is None:
        return None
    try:
        summary: PlanSummary = adapter(PlanSummary).validate_json(text)
    except ValidationError:
        return None
    return summary
