"""Request writer: a request as JSON, as a plan states it: contract names, contract order, tables sorted by
name.

`service.schemas.request.model.PlanRequest` reads it back to an equal Request. Lengths, doses and times are
written as floats, however they were given: equal requests give equal texts.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.prescription import OrganGoal, Prescription, PriorExternal
from planner.records.request.request import Request
from planner.records.request.seeds import SeedRequest


def request_to_json(request: Request) -> dict[str, Any]:
    """The whole request, with every default in it."""
    return {
        "target": _target(request),
        "needle": {
            "gauge": request.needle.gauge,
            "outer_diameter_mm": float(request.needle.outer_diameter_mm),
            "max_length_mm": float(request.needle.max_length_mm),
        },
        "clearance_mm": _clearances(request),
        "roles": {name: str(request.roles[name]) for name in sorted(request.roles)},
        "pose": {
            "position": str(request.pose.position),
            "rotation_deg": float(request.pose.rotation_deg),
            "table": request.pose.table,
            "bore_diameter_mm": float(request.pose.bore_diameter_mm),
            "hub_length_mm": float(request.pose.hub_length_mm),
            "hub_diameter_mm": float(request.pose.hub_diameter_mm),
        },
        "search": {
            "max_paths": request.search.max_paths,
            "covering_radius_mm": float(request.search.covering_radius_mm),
            "time_limit_s": _float_or_null(request.search.time_limit_s),
            "min_separation_mm": float(request.search.min_separation_mm),
            "field_resolution_mm": float(request.search.field_resolution_mm),
        },
        "ranking": (
            {"weights": {name: float(request.weights[name]) for name in sorted(request.weights)}}
            if request.weights
            else list(request.ranking)
        ),
        "seeds": _seeds(request.seeds),
        "needle_set": _needle_set(request.needle_set),
        "prescription": None if request.prescription is None else _prescription(request.prescription),
        "robustness": {
            "placement": str(request.robustness.placement),
            "samples": request.robustness.samples,
        },
        "random_seed": request.random_seed,
    }


def _target(request: Request) -> dict[str, Any]:
    names = request.target.structures
    return {
        "structure": None if not names else names[0] if len(names) == 1 else list(names),
        "margin_mm": float(request.target.margin_mm),
        "min_chord_mm": _float_or_null(request.target.min_chord_mm),
        "cut_back": list(request.target.cut_back),
    }


def _clearances(request: Request) -> dict[str, float]:
    named = dict(request.clearance_mm)
    default = named.pop("default", 2.0)
    return {"default": float(default)} | {name: float(named[name]) for name in sorted(named)}


def _seeds(seeds: SeedRequest) -> dict[str, Any]:
    return {
        "model": seeds.model,
        "activity_mci": float(seeds.activity_mci),
        "spacing_mm": float(seeds.spacing_mm),
        "min_spacing_mm": float(seeds.min_spacing_mm),
        "calibration_date": _day_or_null(seeds.calibration_date),
        "implant_date": _day_or_null(seeds.implant_date),
    }


def _needle_set(section: NeedleSetRequest) -> dict[str, Any]:
    return {
        "arrangement": str(section.arrangement),
        "grid_pitch_mm": float(section.grid_pitch_mm),
        "clearance_mm": float(section.clearance_mm),
        "puncture_cost_mm": float(section.puncture_cost_mm),
        "max_needles": section.max_needles,
        "given_needles": [
            {"entry_mm": _floats(needle.entry_mm), "tip_mm": _floats(needle.tip_mm)}
            for needle in section.given_needles
        ],
        "given_seeds": [
            {
                "position_mm": _floats(seed.position_mm),
                "axis": None if seed.axis is None else _floats(seed.axis),
            }
            for seed in section.given_seeds
        ],
    }


def _prescription(section: Prescription) -> dict[str, Any]:
    goals, bed, prior = section.goals, section.bed, section.prior_external
    return {
        "dose_gy": float(section.dose_gy),
        "goals": {
            "d90_gy": _float_or_null(goals.d90_gy),
            "v100_percent": float(goals.v100_percent),
            "v150_percent": float(goals.v150_percent),
            "v200_percent": float(goals.v200_percent),
        },
        "organ_goals": {name: _organ_goal(section.organ_goals[name]) for name in sorted(section.organ_goals)},
        "prior_external": None if prior is None else _prior(prior),
        "bed": {
            "alpha_beta_target_gy": float(bed.alpha_beta_target_gy),
            "alpha_beta_organ_gy": float(bed.alpha_beta_organ_gy),
            "repair_half_time_h": float(bed.repair_half_time_h),
            "protocols": list(bed.protocols),
        },
    }


def _organ_goal(goal: OrganGoal) -> dict[str, Any]:
    return {
        "d0_1cc_gy": _float_or_null(goal.d0_1cc_gy),
        "d1cc_gy": _float_or_null(goal.d1cc_gy),
        "d2cc_gy": _float_or_null(goal.d2cc_gy),
    }


def _prior(prior: PriorExternal) -> dict[str, Any]:
    return {
        "dose_gy": float(prior.dose_gy),
        "fractions": prior.fractions,
        "interval_days": _float_or_null(prior.interval_days),
    }


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _float_or_null(value: float | None) -> float | None:
    return None if value is None else float(value)


def _day_or_null(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
