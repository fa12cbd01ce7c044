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

NEAR, FAR = 0.9, 1.1
"""Parts of a tolerance: within, and beyond."""
TINY = 5e-324
"""The least number that is not 0."""

WHO: Patient = box_patient()
TRUE: Plan = honest_plan(WHO)
LUNG = min(path.lung_length_mm for path in TRUE.paths)


def searched(**changes: object) -> Plan:
    return replace(TRUE, search=replace(TRUE.search, **changes))


def with_window(**changes: object) -> Plan:
    return replace(TRUE, windows=(replace(TRUE.windows[0], **changes), *TRUE.windows[1:]))


def with_paths(change: Callable[[Path], Path]) -> Plan:
    return replace(TRUE, paths=tuple(change(path) for path in TRUE.paths))


def least_of(window: Window) -> float:
    return min(path.lung_length_mm for path in TRUE.paths if path.window == window.id)


def blocked(*shares: float) -> Plan:
    """Structures that block so much."""
    names = [name for name, _ in TRUE.roles]
    return replace(
        TRUE,
        blocked_by=tuple(Blocker(Constraint.CLEARANCE, n, s) for n, s in zip(names, shares, strict=False)),
    )


RADIUS_MM = TRUE.request.search.covering_radius_mm
LEAST_MM = least_of(TRUE.windows[0])

OUTCOME: dict[str, tuple[str, Callable[[float], Plan], float, float, float]] = {
    # The claim, the plan with a value, the value at which it is exact, its tolerance above and below it.
    "covering radius": (
        "covering radius",
        lambda v: searched(covering_radius_mm=v),
        RADIUS_MM,
        LENGTH_MM,
        inf,
    ),
    "least radius": (
        "covering radius is not negative",
        lambda v: searched(covering_radius_mm=v),
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
    "lung bound": ("lung bound", lambda v: searched(lung_bound_mm=v), LUNG, LENGTH_MM, inf),
    "least bound": ("lung bound is not negative", lambda v: searched(lung_bound_mm=v), 0.0, inf, 0.0),
    "least lung": ("least lung found", lambda v: searched(least_lung_mm=v), LUNG, LENGTH_MM, inf),
    "a share": ("shares of blocked directions are not negative", lambda v: blocked(v, 0.5), 0.0, inf, 0.0),
    "shares": (
        "shares of blocked directions add up to 1 at most",
        lambda v: blocked(0.5, v),
        0.5,
        SHARE,
        inf,
    ),
}


def passes(plan: Plan, name: str) -> bool:
    claims = Claims()
    check_outcome(claims, plan)
    found = [c.passed for c in claims.verification().checks if c.name == name]
    assert found
    return all(found)


@pytest.mark.parametrize("what", OUTCOME)
def test_a_claim_on_the_outcome_holds_as_far_as_its_tolerance_and_no_farther(what: str) -> None:
    name, with_value, exact, above, below = OUTCOME[what]
    assert passes(with_value(exact), name)
    for tolerance, sign in ((above, 1.0), (below, -1.0)):
        if tolerance == inf:
            assert passes(with_value(exact + sign * 0.25 * abs(exact) if exact else sign * 0.25), name)
        elif tolerance == 0.0:
            assert not passes(with_value(nextafter(exact, sign * inf)), name)
        else:
            assert passes(with_value(exact + sign * NEAR * tolerance), name)
            assert not passes(with_value(exact + sign * FAR * tolerance), name)


def test_counts_of_the_outcome_have_no_tolerance() -> None:
    twice = replace(TRUE, windows=(*TRUE.windows, TRUE.windows[0]))
    assert passes(TRUE, "window ids differ") and not passes(twice, "window ids differ")
    unplanted = replace(TRUE, needle_set=None)
    assert passes(unplanted, "needles without a set")


def sound(plan: Plan) -> bool:
    return check_numbers(Claims(), plan)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_length_is_a_number_up_to_a_kilometre(sign: float) -> None:
    def long(value: float) -> Plan:
        return with_paths(lambda path: replace(path, clearance_mm=sign * value))

    assert sound(long(MAX_NUMBER))
    for value in (nextafter(MAX_NUMBER, inf), inf, nan):
        assert not sound(long(value))


def test_counts_are_numbers_up_to_what_each_may_be() -> None:
    def punctured(count: int) -> Plan:
        return with_paths(lambda path: replace(path, pleural_punctures=count))

    assert sound(punctured(int(MAX_NUMBER))) and not sound(punctured(int(MAX_NUMBER) + 1))
    assert sound(punctured(-int(MAX_NUMBER))) and not sound(punctured(-int(MAX_NUMBER) - 1))
    assert sound(searched(lines_tested=10**18))
    asked = replace(TRUE.request, needle_set=replace(TRUE.request.needle_set, max_needles=MAX_COUNT))
    assert sound(replace(TRUE, request=asked))
    asked = replace(asked, needle_set=replace(asked.needle_set, max_needles=MAX_COUNT + 1))
    assert not sound(replace(TRUE, request=asked))


def asking(part: str, **changes: object) -> Plan:
    request = TRUE.request
    inner = request if not part else getattr(request, part)
    changed = replace(inner, **changes)
    return replace(TRUE, request=changed if not part else replace(request, **{part: changed}))


def prescribed(**changes: object) -> Plan:
    return replace(TRUE, request=replace(TRUE.request, prescription=replace(Prescription(), **changes)))


def bed_model(**changes: object) -> Plan:
    return prescribed(bed=replace(Prescription().bed, **changes))


POSITIVE: dict[str, Callable[[float], Plan]] = {
    "outer diameter": lambda v: asking("needle", outer_diameter_mm=v),
    "needle length": lambda v: asking("needle", max_length_mm=v),
    "bore": lambda v: asking("pose", bore_diameter_mm=v),
    "activity": lambda v: asking("seeds", activity_mci=v),
    "grid pitch": lambda v: asking("needle_set", grid_pitch_mm=v),
    "dose": lambda v: prescribed(dose_gy=v),
    "alpha/beta of the target": lambda v: bed_model(alpha_beta_target_gy=v),
    "alpha/beta of organs": lambda v: bed_model(alpha_beta_organ_gy=v),
    "repair": lambda v: bed_model(repair_half_time_h=v),
}
NEVER_NEGATIVE: dict[str, Callable[[float], Plan]] = {
    "hub length": lambda v: asking("pose", hub_length_mm=v),
    "hub diameter": lambda v: asking("pose", hub_diameter_mm=v),
    "margin": lambda v: asking("target", margin_mm=v),
    "chord": lambda v: asking("target", min_chord_mm=v),
    "spacing": lambda v: asking("seeds", spacing_mm=v),
    "least spacing": lambda v: asking("seeds", min_spacing_mm=v),
    "needle clearance": lambda v: asking("needle_set", clearance_mm=v),
    "puncture cost": lambda v: asking("needle_set", puncture_cost_mm=v),
    "separation": lambda v: asking("search", min_separation_mm=v),
    "a clearance": lambda v: asking("", clearance_mm=MappingProxyType({"default": 2.0, "aorta": v})),
}


@pytest.mark.parametrize("what", POSITIVE)
def test_what_must_be_more_than_nothing_is(what: str) -> None:
    make = POSITIVE[what]
    assert sound(make(TINY)) and not sound(make(0.0)) and not sound(make(-TINY))


@pytest.mark.parametrize("what", NEVER_NEGATIVE)
def test_what_may_be_nothing_is_no_less(what: str) -> None:
    make = NEVER_NEGATIVE[what]
    assert sound(make(0.0)) and not sound(make(-TINY))


def test_counts_of_a_request_are_within_what_can_be_reckoned() -> None:
    def samples(count: int) -> Plan:
        return asking("robustness", samples=count)

    assert sound(samples(0)) and not sound(samples(-1))
    assert sound(samples(MAX_SAMPLES)) and not sound(samples(MAX_SAMPLES + 1))
    assert sound(asking("needle_set", max_needles=0)) and not sound(asking("needle_set", max_needles=-1))
    for fractions, sane in ((1, True), (0, False)):
        assert sound(prescribed(prior_external=PriorExternal(50.0, fractions))) is sane
    day = date(2026, 3, 2)
    for days, sane in ((0, True), (-1, False)):
        implanted = day + timedelta(days)
        assert sound(asking("seeds", calibration_date=day, implant_date=implanted)) is sane
    assert sound(asking("seeds", model=Request().seeds.model))
    assert not sound(asking("seeds", model="unknown"))
