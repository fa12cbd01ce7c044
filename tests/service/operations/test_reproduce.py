"""A reproduced plan equals the plan, or each difference is reported with its place."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from true_plans import box_patient, honest_plan

from planner import SOFTWARE
from planner.records.plan import Plan
from planner.records.verification import Verification
from service.operations.reproduce import NEARLY_MM, compare_plans, why_not_reproducible

PLAN = honest_plan(box_patient())
LONGER = replace(PLAN.windows[0], area_mm2=PLAN.windows[0].area_mm2 + 1.0)

CHANGES: dict[str, tuple[Callable[[Plan], Plan], list[str]]] = {
    "nothing": (lambda p: p, []),
    "an approach": (
        lambda p: replace(p, paths=(replace(p.paths[0], approach="parasternal"), *p.paths[1:])),
        ["/paths/0/approach"],
    ),
    "an area": (lambda p: replace(p, windows=(LONGER, *p.windows[1:])), ["/windows/0/area_mm2"]),
    "a count and a bound": (
        lambda p: replace(p, search=replace(p.search, lines_tested=7, lung_bound_mm=0.1)),
        ["/search/lines_tested", "/search/lung_bound_mm"],
    ),
    "a flag": (lambda p: replace(p, search=replace(p.search, complete=False)), ["/search/complete"]),
    "a path left out": (lambda p: replace(p, paths=p.paths[1:]), ["/paths"]),
    "a number for none": (
        lambda p: replace(p, search=replace(p.search, least_lung_mm=None)),
        ["/search/least_lung_mm"],
    ),
    "the software": (lambda p: replace(p, software="seedpath 0.0.9"), ["/software"]),
    "a role": (
        lambda p: replace(p, roles=(("a/b~c", "lung"), *p.roles[1:])),
        ["/roles/aorta", "/roles/a~1b~0c"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_difference_is_reported_with_its_place(change: str) -> None:
    make, places = CHANGES[change]
    for checks in (compare_plans(make(PLAN), PLAN), compare_plans(PLAN, make(PLAN))):
        assert sorted(c.subject for c in checks if not c.passed) == sorted(places)
        assert len(checks) == max(1, len(places))


def test_a_stored_verification_is_not_compared() -> None:
    assert compare_plans(replace(PLAN, verification=Verification(False, (), ())), PLAN)[0].passed


@given(st.floats(-3.0, 3.0))
def test_numbers_may_differ_by_rounding_and_no_more(steps: float) -> None:
    area = PLAN.windows[0].area_mm2
    changed_window = replace(PLAN.windows[0], area_mm2=area + steps * NEARLY_MM)
    (check,) = compare_plans(replace(PLAN, windows=(changed_window, *PLAN.windows[1:])), PLAN)
    if abs(abs(steps) - 1.0) > 1e-3:
        assert check.passed == (abs(steps) < 1.0)


def test_why_a_plan_is_not_reproducible() -> None:
    assert PLAN.software == SOFTWARE
    assert why_not_reproducible(PLAN) is None
    assert "made by seedpath 0.0.9" in str(why_not_reproducible(replace(PLAN, software="seedpath 0.0.9")))
    incomplete = replace(PLAN, search=replace(PLAN.search, complete=False))
    assert why_not_reproducible(incomplete) is None
    time_limited = replace(incomplete.request, search=replace(incomplete.request.search, time_limit_s=1.0))
    assert "no clock runs twice alike" in str(why_not_reproducible(replace(incomplete, request=time_limited)))
