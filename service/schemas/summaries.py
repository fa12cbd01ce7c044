"""Summary schema: cases and plans in lists, as strict models of JSON, and the text that a plan's row keeps.

`service.storage.case_summary` and `service.schemas.plan_summary` say what each quantity means.
"""

import json

from pydantic import ConfigDict, ValidationError

from planner.records.plan import Plan, Status
from service.schemas.json.canonical import to_json
from service.schemas.json.strict import Strict
from service.schemas.plan.fields import Count, Gy, Length, Percent, Share
from service.schemas.plan.implant import (
    GoalResultModel,
    LimitComparisonModel,
    SpreadModel,
    TooNearModel,
)
from service.schemas.plan_summary import summary_of


class CaseSummaryModel(Strict):
    """A case by its name, that of a built-in or of the first of the `files` that were segmented; how many
    structures it has, and those that are treated where a request names none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "ct.nii.gz", "builtin": False, "files": 1, "structures": 61, "targets": ["node_4R"]}
            ]
        }
    )

    name: str
    builtin: bool
    files: Count
    structures: Count
    targets: tuple[str, ...]


class PathSummaryModel(Strict):
    """The path that the ranking puts first."""

    lung_length_mm: Length
    pleural_punctures: Count
    clearance_mm: float


class SetSummaryModel(Strict):
    """The needles together, what they cross, and what given ones lie too near to, structures first, then the
    nearest; how many pairs of given seeds lie nearer to each other than a seed is long."""

    needles: Count
    seeds: Count
    lung_length_mm: Length
    pleural_punctures: Count
    given_too_near: tuple[TooNearModel, ...]
    given_seed_pairs_near: Count


class DoseSummaryModel(Strict):
    """Dose in the PTV; of the goals those that are missed, of the organ limits those that are exceeded, the
    largest excess first, and how many can be said to be neither met nor exceeded."""

    prescribed_gy: Gy
    d90_gy: Gy
    v100_percent: Percent
    goals: Count
    goals_missed: tuple[GoalResultModel, ...]
    limits: Count
    limits_exceeded: tuple[LimitComparisonModel, ...]
    limits_unknown: Count


class RobustnessSummaryModel(Strict):
    """The PTV's dose under errors of placement; the share of samples in which D90 and V100 are reached."""

    placement: str
    d90_gy: SpreadModel
    v100_percent: SpreadModel
    goals_met_share: Share


class PlanSummaryModel(Strict):
    """A plan's target, main figures and worst news; null for what the plan has not. Where
    `missing_structures` names the lung, figures of lung are unknown; where a lobe, lower bounds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
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
            ]
        }
    )

    status: Status
    targets: tuple[str, ...]
    missing_structures: tuple[str, ...]
    verified: bool
    paths: Count
    best_path: PathSummaryModel | None
    needle_set: SetSummaryModel | None
    dose: DoseSummaryModel | None
    robustness: RobustnessSummaryModel | None


def summary_text(plan: Plan) -> str:
    """The text of a plan's summary. Raises ValueError for NaN or infinity in the plan."""
    return json.dumps(to_json(summary_of(plan)), ensure_ascii=False, allow_nan=False)


def read_summary(text: str | None) -> PlanSummaryModel | None:
    """A summary's text read back; None where there is none, or one that another version wrote otherwise."""
    if text is None:
        return None
    try:
        return PlanSummaryModel.model_validate_json(text)
    except ValidationError:
        return None
