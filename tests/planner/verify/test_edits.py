"""Edits of a true plan, each told in its sentences as well: which verification finds by itself, and which
only making the plan again tells. `seedpath check` does both."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from true_implants import honest_implant, in_words

from planner.records.plan import Plan
from planner.records.wording.set_claims import set_claims
from planner.records.wording.windows import window_text
from planner.verify import verify
from service.operations.own_verification import own_block
from service.operations.reproduce import compare_plans

Edit = Callable[[Plan], Plan]


def of_set(**changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        changed = replace(plan.needle_set, **changes)
        claims = set_claims(changed, plan.paths, plan.missing_structures)
        return replace(plan, needle_set=replace(changed, claims=claims))

    return edit


def raised_bound(plan: Plan) -> Plan:
    needles = plan.needle_set
    bound = 0.5 * (needles.bound + needles.objective)
    return of_set(bound=bound, gap=(needles.objective - bound) / needles.objective)(plan)


def colder_organs(plan: Plan) -> Plan:
    """3 % less in each."""
    names = ("d0_1cc_gy", "d1cc_gy", "d2cc_gy")
    organs = (
        replace(o, **{n: None if getattr(o, n) is None else 0.97 * getattr(o, n) for n in names})
        for o in plan.dose.organs
    )
    return replace(plan, dose=replace(plan.dose, organs=tuple(organs)))


def hotter_gtv(by: float) -> Edit:
    def edit(plan: Plan) -> Plan:
        warmer = replace(plan.dose.gtv, d90_gy=by * plan.dose.gtv.d90_gy)
        return replace(plan, dose=replace(plan.dose, gtv=warmer))

    return edit


def wider_tolerances(plan: Plan) -> Plan:
    needles = (replace(n, tolerance_deg=2.0 * n.tolerance_deg) for n in plan.robustness.needles)
    return replace(plan, robustness=replace(plan.robustness, needles=tuple(needles)))


def other_side(plan: Plan) -> Plan:
    """Of a window in front of the spine, where ribs alone tell; test_sides.py has the others."""
    places = [replace(w.place, side="right") for w in plan.windows]
    windows = (replace(w, place=p, name=window_text(p)) for w, p in zip(plan.windows, places, strict=True))
    return replace(plan, windows=tuple(windows))


def kept_limits(plan: Plan) -> Plan:
    """Each organ limit with half the volume that gets its dose."""
    limits = (
        limit if limit.achieved_cc is None else replace(limit, achieved_cc=0.5 * limit.achieved_cc)
        for limit in plan.dose.bed.limits
    )
    return replace(plan, dose=replace(plan.dose, bed=replace(plan.dose.bed, limits=tuple(limits))))


EDITS: dict[str, tuple[Edit, bool]] = {
    # The edit, and whether verification alone finds it.
    "a bound raised": (raised_bound, False),
    "fewer seeds said to be needed": (of_set(seeds_bound=1), True),
    "organ doses 3 % lower": (colder_organs, True),
    # Within a step of its histogram, and within what another sample of the GTV may give.
    "GTV D90 1 % higher": (hotter_gtv(1.01), False),
    "GTV D90 2 % higher": (hotter_gtv(1.02), True),
    "tolerances doubled": (wider_tolerances, True),
    "the window of the other side": (other_side, False),
    "the order reversed": (lambda p: of_set(order=p.needle_set.order[::-1])(p), False),
    "organ limits kept": (kept_limits, True),
}


@cache
def verified() -> Plan:
    plan, patient = honest_implant()
    return replace(plan, verification=verify(plan, patient.scene))


@pytest.mark.representative(4)
@pytest.mark.parametrize("what", EDITS)
def test_an_edit_is_found_by_check_and_where_that_can_be_by_verification_alone(what: str) -> None:
    edit, by_verification = EDITS[what]
    plan, patient = verified(), honest_implant()[1]
    assert plan.verification.passed
    edited = in_words(edit(plan))
    assert edited != plan
    verification = verify(edited, patient.scene)
    assert verification.passed is not by_verification
    assert not all(check.passed for check in compare_plans(edited, plan))
    # Its own block is of the plan as it was: what it claims of numbers that verification looks at is told.
    if by_verification:
        assert not all(check.passed for check in own_block(edited.verification, verification))
