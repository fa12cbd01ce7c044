"""Claims on numbers as such: all are finite and plausible. If these fail, nothing else is checked."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite

from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.sources import SOURCES
from planner.verify.claims import Claims

MAX_NUMBER = 1e6
"""A kilometre in mm. For larger numbers, the arithmetic with squares is too inaccurate for the checks."""

MAX_SAMPLES = 10_000
"""Most samples of placement errors: more add no information, and all would be drawn again."""

MAX_COUNT = 10**15
"""Larger counts are not exact as floats."""


def check_numbers(claims: Claims, plan: Plan) -> bool:
    """Whether every number of the plan and its request can be used in computations."""
    finite = check_finite(claims, plan, "plan")
    absurd = _absurd(plan.request) if finite else None
    claims.holds("the request makes sense", "request", "sensible", absurd or "sensible", absurd is None)
    return finite and absurd is None


def check_finite(claims: Claims, record: object, place: str) -> bool:
    """Whether every number of a record can be used in computations. `place` is the name of the record."""
    first = next((f for f in _numbers(record, place) if not _sound(f[0], f[1])), None)
    claims.holds(
        "every number is finite and plausible",
        place if first is None else first[0],
        "all" if first is None else repr(first[1]),
        "all" if first is None else "not a usable number",
        first is None,
    )
    return first is None


def _sound(place: str, value: float) -> bool:
    # Counts of lines may be large, and a seed of random numbers may be anything; counts of a path may not.
    if isinstance(value, int):
        if place.startswith(("plan.needle_set", "plan.dose", "plan.request.needle_set")):
            return abs(value) <= MAX_COUNT
        return not place.startswith("plan.paths") or abs(value) <= MAX_NUMBER
    return bool(isfinite(value) and abs(value) <= MAX_NUMBER)


def _numbers(value: object, place: str) -> Iterator[tuple[str, float]]:
    """Every number in nested records, with where it stands."""
    if isinstance(value, float | int):
        yield place, value
    elif is_dataclass(value) and not isinstance(value, type):
        for f in fields(value):
            # An earlier verification is not a claim of the plan.
            if f.name != "verification":
                yield from _numbers(getattr(value, f.name), f"{place}.{f.name}")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{place}.{key}")
    elif isinstance(value, tuple):
        for n, inner in enumerate(value):
            yield from _numbers(inner, f"{place}[{n}]")


def _absurd(request: Request) -> str | None:
    """The first field with an impossible value, or None."""
    positive = {
        "needle.outer_diameter_mm": request.needle.outer_diameter_mm,
        "needle.max_length_mm": request.needle.max_length_mm,
        "pose.bore_diameter_mm": request.pose.bore_diameter_mm,
        "seeds.activity_mci": request.seeds.activity_mci,
        "needle_set.grid_pitch_mm": request.needle_set.grid_pitch_mm,
        **(_of_prescription(request.prescription) if request.prescription else {}),
    }
    never_negative = {
        "pose.hub_length_mm": request.pose.hub_length_mm,
        "pose.hub_diameter_mm": request.pose.hub_diameter_mm,
        "target.margin_mm": request.target.margin_mm,
        "target.min_chord_mm": request.target.min_chord_mm or 0.0,
        "seeds.spacing_mm": request.seeds.spacing_mm,
        "seeds.min_spacing_mm": request.seeds.min_spacing_mm,
        "seeds.decay_days": request.seeds.decay_days,
        "needle_set.clearance_mm": request.needle_set.clearance_mm,
        "needle_set.puncture_cost_mm": request.needle_set.puncture_cost_mm,
        "needle_set.max_needles": float(request.needle_set.max_needles),
        "robustness.samples": float(request.robustness.samples),
        "search.min_separation_mm": request.search.min_separation_mm,
        **{f"clearance_mm.{name}": value for name, value in request.clearance_mm.items()},
    }
    wrong = [name for name, value in positive.items() if value <= 0.0]
    wrong += [name for name, value in never_negative.items() if value < 0.0]
    if wrong:
        return f"{wrong[0]} is too small"
    if request.seeds.model not in {source.name for source in SOURCES}:
        return "seeds.model is unknown"
    return "robustness.samples is too large" if request.robustness.samples > MAX_SAMPLES else None


def _of_prescription(prescription: Prescription) -> dict[str, float]:
    """Numbers that must be positive, for doses and BED to be computed."""
    prior = prescription.prior_external
    return {
        "prescription.dose_gy": prescription.dose_gy,
        "prescription.bed.alpha_beta_target_gy": prescription.bed.alpha_beta_target_gy,
        "prescription.bed.alpha_beta_organ_gy": prescription.bed.alpha_beta_organ_gy,
        "prescription.bed.repair_half_time_h": prescription.bed.repair_half_time_h,
        "prescription.prior_external.fractions": 1.0 if prior is None else float(prior.fractions),
    }
