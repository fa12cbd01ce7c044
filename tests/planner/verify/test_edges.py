"""The tolerances of verification's claims on the outcome and on numbers: what lies just within one passes,
what lies just beyond fails, on each side that has one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from math import inf, nan, nextafter
from types import MappingProxyType

import pytest
from true_plans import Patient, box_patient, honest_plan

from planner.records.paths import Path, Window
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription, PriorExternal
from planner.records.request.request import Request
from planner.records.search import Blocker, Constraint
from planner.verify.claims import Claims
from planner.verify.statements.numbers import MAX_COUNT, MAX_NUMBER, MAX_SAMPLES, check_numbers
from planner.verify.statements.outcome import check_outcome
from planner.verify.tolerances import LENGTH_MM, SHARE

WITHIN, BEYOND = 0.9, 1.1
"""Fractions of a tolerance: within it, and beyond it."""
TINY = 5e-324
"""The smallest positive number."""

PATIENT: Patient = box_patient()
PLAN: Plan = honest_plan(PATIENT)
LUNG = min(path.lung_length_mm for path in PLAN.paths)


def with_search(**changes: object) -> Plan:
    return replace(PLAN, search=replace(PLAN.search, **changes))


def with_window(**changes: object) -> Plan:
    return replace(PLAN, windows=(replace(PLAN.windows[0], **changes), *PLAN.windows[1:]))


def with_paths(change: Callable[[Path], Path]) -> Plan:
    return replace(PLAN, paths=tuple(change(path) for path in PLAN.paths))


def least_of(window: Window) -> float:
    return min(path.lung_length_mm for path in PLAN.paths if path.window == window.id)


def with_blocked_shares(*shares: float) -> Plan:
    """The plan with structures that block these shares."""
    names = [name for name, _ in PLAN.roles]
    return replace(
        PLAN,
        blocked_by=tuple(Blocker(Constraint.CLEARANCE, n, s) for n, s in zip(names, shares, strict=False)),
    )


RADIUS_MM = PLAN.request.search.covering_radius_mm
LEAST_MM = least_of(PLAN.windows[0])

OUTCOME: dict[str, tuple[str, Callable[[float], Plan], float, float, float]] = {
    # The claim, the plan with a value, the exact value, the tolerance above it and below it
    "covering radius": (
        "covering radius",
        lambda v: with_search(covering_radius_mm=v),
        RADIUS_MM,
        LENGTH_MM,
        inf,
    ),
    "least radius": (
        "covering radius is not negative",
        lambda v: with_search(covering_radius_mm=v),
        0.0,
        inf,
        0.0,
    ),
    "area": ("the window has an area", lambda v: with_window(area_mm2=v), 0.0, inf, 0.0),
    "least lung of a window": (
        "least lung of the window's paths",
        lambda v: with_window(best_lung_length_mm=v),
        LEAST_MM,
        LENGTH_MM,
        LENGTH_MM,
    ),
    "lung bound": ("lung bound", lambda v: with_search(lung_bound_mm=v), LUNG, LENGTH_MM, inf),
    "least bound": ("lung bound is not negative", lambda v: with_search(lung_bound_mm=v), 0.0, inf, 0.0),
    "least lung": ("least lung found", lambda v: with_search(least_lung_mm=v), LUNG, LENGTH_MM, inf),
    "a share": (
        "shares of blocked directions are not negative",
        lambda v: with_blocked_shares(v, 0.5),
        0.0,
        inf,
        0.0,
    ),
    "shares": (
        "shares of blocked directions add up to 1 at most",
        lambda v: with_blocked_shares(0.5, v),
        0.5,
        SHARE,
        inf,
    ),
}


def passes(plan: Plan, name: str) -> bool:
    claims = Claims()
    check_outcome(claims, plan)
    verdicts = [c.passed for c in claims.verification().checks if c.name == name]
    assert verdicts
    return all(verdicts)


@pytest.mark.parametrize("claim", OUTCOME)
def test_a_claim_on_the_outcome_holds_within_its_tolerance_only(claim: str) -> None:
    name, with_value, exact, above, below = OUTCOME[claim]
    assert passes(with_value(exact), name)
    for tolerance, sign in ((above, 1.0), (below, -1.0)):
        if tolerance == inf:
            assert passes(with_value(exact + sign * 0.25 * abs(exact) if exact else sign * 0.25), name)
        elif tolerance == 0.0:
            assert not passes(with_value(nextafter(exact, sign * inf)), name)
        else:
            assert passes(with_value(exact + sign * WITHIN * tolerance), name)
            assert not passes(with_value(exact + sign * BEYOND * tolerance), name)


def test_counts_of_the_outcome_have_no_tolerance() -> None:
    repeated_window = replace(PLAN, windows=(*PLAN.windows, PLAN.windows[0]))
    assert passes(PLAN, "window ids differ") and not passes(repeated_window, "window ids differ")
    without_implant = replace(PLAN, needle_set=None)
    assert passes(without_implant, "needles without a set")


def numbers_pass(plan: Plan) -> bool:
    return check_numbers(Claims(), plan)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_lengths_are_plausible_up_to_a_limit(sign: float) -> None:
    def with_clearance(value: float) -> Plan:
        return with_paths(lambda path: replace(path, clearance_mm=sign * value))

    assert numbers_pass(with_clearance(MAX_NUMBER))
    for value in (nextafter(MAX_NUMBER, inf), inf, nan):
        assert not numbers_pass(with_clearance(value))


def test_counts_are_plausible_up_to_their_own_limits() -> None:
    def with_punctures(count: int) -> Plan:
        return with_paths(lambda path: replace(path, pleural_punctures=count))

    assert numbers_pass(with_punctures(int(MAX_NUMBER))) and not numbers_pass(
        with_punctures(int(MAX_NUMBER) + 1)
    )
    assert numbers_pass(with_punctures(-int(MAX_NUMBER))) and not numbers_pass(
        with_punctures(-int(MAX_NUMBER) - 1)
    )
    assert numbers_pass(with_search(lines_tested=10**18))
    request = replace(PLAN.request, needle_set=replace(PLAN.request.needle_set, max_needles=MAX_COUNT))
    assert numbers_pass(replace(PLAN, request=request))
    request = replace(request, needle_set=replace(request.needle_set, max_needles=MAX_COUNT + 1))
    assert not numbers_pass(replace(PLAN, request=request))


def with_request(part: str, **changes: object) -> Plan:
    request = PLAN.request
    part_request = request if not part else getattr(request, part)
    changed_part = replace(part_request, **changes)
    return replace(PLAN, request=changed_part if not part else replace(request, **{part: changed_part}))


def with_prescription(**changes: object) -> Plan:
    return replace(PLAN, request=replace(PLAN.request, prescription=replace(Prescription(), **changes)))


def with_bed_model(**changes: object) -> Plan:
    return with_prescription(bed=replace(Prescription().bed, **changes))


POSITIVE: dict[str, Callable[[float], Plan]] = {
    "outer diameter": lambda v: with_request("needle", outer_diameter_mm=v),
    "needle length": lambda v: with_request("needle", max_length_mm=v),
    "bore": lambda v: with_request("pose", bore_diameter_mm=v),
    "activity": lambda v: with_request("seeds", activity_mci=v),
    "grid pitch": lambda v: with_request("needle_set", grid_pitch_mm=v),
    "dose": lambda v: with_prescription(dose_gy=v),
    "alpha/beta of the target": lambda v: with_bed_model(alpha_beta_target_gy=v),
    "alpha/beta of organs": lambda v: with_bed_model(alpha_beta_organ_gy=v),
    "repair": lambda v: with_bed_model(repair_half_time_h=v),
}
NEVER_NEGATIVE: dict[str, Callable[[float], Plan]] = {
    "hub length": lambda v: with_request("pose", hub_length_mm=v),
    "hub diameter": lambda v: with_request("pose", hub_diameter_mm=v),
    "margin": lambda v: with_request("target", margin_mm=v),
    "chord": lambda v: with_request("target", min_chord_mm=v),
    "spacing": lambda v: with_request("seeds", spacing_mm=v),
    "least spacing": lambda v: with_request("seeds", min_spacing_mm=v),
    "needle clearance": lambda v: with_request("needle_set", clearance_mm=v),
    "puncture cost": lambda v: with_request("needle_set", puncture_cost_mm=v),
    "separation": lambda v: with_request("search", min_separation_mm=v),
    "a clearance": lambda v: with_request("", clearance_mm=MappingProxyType({"default": 2.0, "aorta": v})),
}


@pytest.mark.parametrize("name", POSITIVE)
def test_values_that_must_be_positive_are(name: str) -> None:
    with_value = POSITIVE[name]
    assert (
        numbers_pass(with_value(TINY))
        and not numbers_pass(with_value(0.0))
        and not numbers_pass(with_value(-TINY))
    )


@pytest.mark.parametrize("name", NEVER_NEGATIVE)
def test_values_that_may_be_zero_are_not_negative(name: str) -> None:
    with_value = NEVER_NEGATIVE[name]
    assert numbers_pass(with_value(0.0)) and not numbers_pass(with_value(-TINY))


def test_counts_of_a_request_are_within_their_limits() -> None:
    def with_samples(count: int) -> Plan:
        return with_request("robustness", samples=count)

    assert numbers_pass(with_samples(0)) and not numbers_pass(with_samples(-1))
    assert numbers_pass(with_samples(MAX_SAMPLES)) and not numbers_pass(with_samples(MAX_SAMPLES + 1))
    assert numbers_pass(with_request("needle_set", max_needles=0)) and not numbers_pass(
        with_request("needle_set", max_needles=-1)
    )
    for fractions, accepted in ((1, True), (0, False)):
        assert numbers_pass(with_prescription(prior_external=PriorExternal(50.0, fractions))) is accepted
    day = date(2026, 3, 2)
    for days, accepted in ((0, True), (-1, False)):
        implanted = day + timedelta(days)
        assert numbers_pass(with_request("seeds", calibration_date=day, implant_date=implanted)) is accepted
    assert numbers_pass(with_request("seeds", model=Request().seeds.model))
    assert not numbers_pass(with_request("seeds", model="unknown"))
