"""Reproduce: what only a search can tell is checked by planning again. Equal work gives equal plans.

Numbers may differ by what other processors round differently; everything else must be the same.
"""

from collections.abc import Iterator
from typing import Any

from planner import SOFTWARE
from planner.records.plan import Plan
from planner.records.verification import Check
from planner.records.wording.number_text import counted
from service.schemas.json.strict import pointer
from service.schemas.plan.file import plan_to_json

NEARLY_MM = 1e-6
"""Numbers that differ by less are the same, as in verification [mm, degrees, shares]."""
NAME = "made again, the plan is the same"
LEFT_OUT = ("plan_sha256", "verification")
"""Fields that follow from the others."""


def why_not_reproducible(plan: Plan) -> str | None:
    """Why this software cannot reproduce a plan; None if it can."""
    if plan.software != SOFTWARE:
        return f"it was made by {plan.software}, and this is {SOFTWARE}"
    if plan.needle_set is not None and plan.needle_set.time_ended:
        return "its exchange of needles ended early, and no clock runs twice alike"
    if not plan.search.complete and plan.request.search.time_limit_s is not None:
        return "its search ended early, and no clock runs twice alike"
    return None


def compare_plans(claimed: Plan, again: Plan) -> tuple[Check, ...]:
    """One check for each difference between two plans; one check that passes if there is none."""
    one, two = (
        {k: v for k, v in plan_to_json(plan).items() if k not in LEFT_OUT} for plan in (claimed, again)
    )
    differences = tuple(_differences(one, two, ()))
    return differences or (Check(NAME, "plan", "the same", "the same", NEARLY_MM, True),)


def _differences(one: Any, two: Any, place: tuple[str | int, ...]) -> Iterator[Check]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in dict.fromkeys([*one, *two]):
            yield from _differences(one.get(key), two.get(key), (*place, key))
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for n, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from _differences(a, b, (*place, n))
    elif not nearly_same(one, two):
        yield Check(NAME, pointer(place), _shown(one), _shown(two), NEARLY_MM, False)


def nearly_same(one: Any, two: Any) -> bool:
    """Whether two values are equal; numbers may differ by rounding."""
    if _is_number(one) and _is_number(two):
        return bool(abs(one - two) <= NEARLY_MM)
    return bool(one == two)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> float | str:
    if isinstance(value, list):
        return counted(len(value), "item")
    return float(value) if _is_number(value) else str(value)
