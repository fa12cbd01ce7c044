"""Edits of a correct plan, with matching sentences: which of them verification finds, and which only planning
again finds. `seedpath check` does both."""

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


def with_set(**changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        needle_set = replace(plan.needle_set, **changes)
        claims = set_claims(needle_set, plan.paths, plan.missing_structures)
        return replace(plan, needle_set=replace(needle_set, claims=claims))

    return edit


def with_raised_bound(plan: Plan) -> Plan:
    needles = plan.needle_set
    bound = 0.5 * (needles.bound + needles.objective)
    return with_set(bound=bound, gap=(needles.objective - bound) / needles.objective)(plan)


def with_colder_organs(plan: Plan) -> Plan:
    """The plan with 3 % lower doses in each organ."""
    names = ("d0_1cc_gy", "d1cc_gy", "d2cc_gy")
    organs = (
        replace(o, **{n: None if getattr(o, n) is None else 0.97 * getattr(o, n) for n in names})
        for o in plan.dose.organs
    )
    return replace(plan, dose=replace(plan.dose, organs=tuple(organs)))


def with_hotter_gtv(factor: float) -> Edit:
    def edit(plan: Plan) -> Plan:
        gtv = replace(plan.dose.gtv, d90_gy=factor * plan.dose.gtv.d90_gy)
        return replace(plan, dose=replace(plan.dose, gtv=gtv))

    return edit


def with_wider_tolerances(plan: Plan) -> Plan:
    needles = (replace(n, tolerance_deg=2.0 * n.tolerance_deg) for n in plan.robustness.needles)
    return replace(plan, robustness=replace(plan.robustness, needles=tuple(needles)))


def with_other_side(plan: Plan) -> Plan:
    """The plan with windows on the other side. They lie in front of the spine, where only ribs show the side;
    test_sides.py has other windows."""
    places = [replace(w.place, side="right") for w in plan.windows]
    windows = (replace(w, place=p, name=window_text(p)) for w, p in zip(plan.windows, places, strict=True))
    return replace(plan, windows=tuple(windows))


def with_halved_limit_volumes(plan: Plan) -> Plan:
    """Each organ limit with half the volume that gets its dose."""
    limits = (
        limit if limit.achieved_cc is None else replace(limit, achieved_cc=0.5 * limit.achieved_cc)
        for limit in plan.dose.bed.limits
    )
    return replace(plan, dose=replace(plan.dose, bed=replace(plan.dose.bed, limits=tuple(limits))))


EDITS: dict[str, tuple[Edit, bool]] = {
    # The edit, and whether verification alone finds it
    "a bound raised": (with_raised_bound, False),
    "a lower bound on seeds": (with_set(seeds_bound=1), True),
    "organ doses 3 % lower": (with_colder_organs, True),
    # Within a step of its histogram, and within the spread between samples of the GTV
    "GTV D90 1 % higher": (with_hotter_gtv(1.01), False),
    "GTV D90 2 % higher": (with_hotter_gtv(1.02), True),
    "tolerances doubled": (with_wider_tolerances, True),
    "the window of the other side": (with_other_side, False),
    "the order reversed": (lambda p: with_set(order=p.needle_set.order[::-1])(p), False),
    "organ limits with half the volume": (with_halved_limit_volumes, True),
}


@cache
def verified_plan() -> Plan:
    plan, patient = honest_implant()
    return replace(plan, verification=verify(plan, patient.scene))


@pytest.mark.representative(4)
@pytest.mark.parametrize("name", EDITS)
def test_planning_again_finds_every_edit_and_verification_finds_some(name: str) -> None:
    edit, verification_finds_it = EDITS[name]
    plan, patient = verified_plan(), honest_implant()[1]
    assert plan.verification.passed
    edited = in_words(edit(plan))
    assert edited != plan
    verification = verify(edited, patient.scene)
    assert verification.passed is not verification_finds_it
    assert not all(check.passed for check in compare_plans(edited, plan))
    # The plan's own verification block is of the plan before the edit, so it differs too.
    if verification_finds_it:
        assert not all(check.passed for check in own_block(edited.verification, verification))
