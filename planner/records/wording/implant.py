"""Wording of an implant: the worst news, what is reached and what limits it; from its records alone."""

from collections.abc import Sequence

from planner.records.dose import DoseReport, GoalResult
from planner.records.needle_set import REACH_MM, NeedleSet
from planner.records.organ_limits import LimitComparison
from planner.records.plan import Plan
from planner.records.request.request import Request
from planner.records.robustness import Robustness
from planner.records.wording.goals import goal_text
from planner.records.wording.number_text import counted, share_text, sure_percent
from planner.records.wording.organ_limits import exceeded, exceeded_text
from planner.records.wording.set_claims import given_twice, nearest_first, too_near_text

WELL_REACHED_PERCENT = 95.0
"""If tracks reach less of the PTV than this share, that is named as the limit of the dose [U]."""
NEAR_NAMED = 2
"""How many things that given needles are too near to a message names; the plan lists all."""
LIMITS_NAMED = 2
"""How many organs beyond a limit a message names; the plan lists all limits."""
ROBUST_SHARE = 0.95
"""If goals are reached in a smaller share of the samples, placement errors are worst news [U]."""


def worst_first(plan: Plan) -> list[str]:
    """The worst news of a plan's implant, if one is prescribed: given needles that are too near, given seeds
    that may be one, goals not met, organ limits exceeded, and placement errors that undo it. Empty if there
    is none."""
    needles, dose = plan.needle_set, plan.dose
    if plan.request.prescription is None:
        return []
    if dose is None:
        # No record says whether places for seeds were searched, and with what result.
        return ["Goals not met: no seed is planned."]
    missed = [goal_text(goal) for goal in dose.goals if not goal.met]
    goals = [f"Goals not met: {'; '.join(missed)}."] if missed else []
    return [*_too_near(needles), *given_twice(needles), *goals, *_exceeded(dose), *_undone(plan.robustness)]


def harm_of(dose: DoseReport, robustness: Robustness | None, when: str = "") -> list[str]:
    """Exceeded organ limits, and placement errors that undo the plan. The first of these sentences begins
    with `when`."""
    exceeded_too = _exceeded(dose, when)
    return [*exceeded_too, *_undone(robustness, "" if exceeded_too else when)]


def _too_near(needles: NeedleSet | None) -> list[str]:
    """Given needles at places where none would be planned; the nearest first."""
    nearest = [] if needles is None else nearest_first(needles.given_too_near)
    texts = [too_near_text(one) for one in nearest[:NEAR_NAMED]]
    others = f"; and {len(nearest) - NEAR_NAMED} more" if len(nearest) > NEAR_NAMED else ""
    return [f"Given needles too near: {'; '.join(texts)}{others}."] if nearest else []


def _exceeded(dose: DoseReport, when: str = "") -> list[str]:
    """Each organ once, by its largest excess; the largest first."""
    over = exceeded(dose.bed.limits)
    worst: dict[str, LimitComparison] = {}
    for limit in over:
        worst.setdefault(limit.structure, limit)
    texts = [exceeded_text(limit) for limit in list(worst.values())[:LIMITS_NAMED]]
    others = f"; and {len(over) - len(texts)} more" if len(over) > len(texts) else ""
    return [f"{when}Organ limits exceeded: {'; '.join(texts)}{others}."] if over else []


def _undone(robustness: Robustness | None, when: str = "") -> list[str]:
    """The goals reached under placement errors, if the errors undo too much of the plan."""
    if robustness is None or robustness.goals_met_share >= ROBUST_SHARE:
        return []
    d90, v100 = robustness.d90_gy, robustness.v100_percent
    return [
        f"{when}With errors as published for placement by {robustness.placement}, D90 and V100 are reached "
        f"in {sure_percent(robustness.goals_met_share)} % of {counted(robustness.dose_samples, 'sample')}: "
        f"D90 {d90.p50:.1f} Gy ({d90.p5:.1f} to {d90.p95:.1f}), V100 {v100.p50:.1f} % ({v100.p5:.1f} to "
        f"{v100.p95:.1f})."
    ]


def reached_text(plan: Plan) -> list[str]:
    """What the implant of a plan reaches, and what limits it if that is not enough."""
    request, needles, dose = plan.request, plan.needle_set, plan.dose
    if request.prescription is None:
        return []
    if dose is None or needles is None:
        return ["Ask for smaller clearances or a wider margin, or allow more time."]
    count = f"{counted(len(needles.path_ids), 'needle')} and {counted(len(needles.seeds), 'seed')}"
    before = " with the beams before" if dose.bed.external_target_gy > 0.0 else ""
    bed = f"BED {dose.bed.target_d90_gy:.1f} Gy{before}"
    reached = (
        f"{count} give D90 {dose.target.d90_gy:.1f} Gy ({bed}) and V100 {dose.target.v100_percent:.1f} %."
    )
    missed = [goal for goal in dose.goals if not goal.met]
    if not missed:
        return [f"All goals are met as planned: {reached}"]
    return [reached, *limited_by(request, needles, missed)]


def notes_on_ptv(beyond_view_mm: float) -> tuple[str, ...]:
    """A note on a PTV whose margin extends this far beyond the edge of the field of view."""
    # Rounded in two steps: two ways to compute it may differ by float64 rounding.
    told_mm = round(round(beyond_view_mm, 6), 1)
    if told_mm == 0.0:
        return ()
    return (
        f"The PTV reaches up to {told_mm:.1f} mm beyond the edge of the field of view: what lies there is "
        "neither covered nor counted.",
    )


def limited_by(request: Request, needles: NeedleSet, missed: Sequence[GoalResult]) -> list[str]:
    """Why the `missed` goals are not reached, as far as that is known."""
    ways = {goal.at_least for goal in missed}
    added = any(seed.path_id is not None for seed in needles.seeds)
    if not added and ways == {False}:
        return ["What is in already is hotter than asked for: no seed can be taken out, and none is added."]
    reasons = []
    if needles.reachable_percent == 0.0:
        reasons.append("No track was found along which a seed could be added.")
    elif needles.reachable_percent < WELL_REACHED_PERCENT:
        reasons.append(
            f"The tracks that were found bring a seed within {REACH_MM:g} mm of "
            f"{share_text(needles.reachable_percent / 100.0)} of the PTV only: cut it back where no needle "
            "may go, or ask for smaller clearances."
        )
    if len(needles.path_ids) >= request.needle_set.max_needles:
        most = request.needle_set.max_needles
        reasons.append(f"No more than {counted(most, 'needle')} {'was' if most == 1 else 'were'} allowed.")
    if needles.time_ended:
        reasons.append("The time limit cut the exchange of needles short: allow more.")
    if not added:
        return reasons or ["No seed was found along the tracks there are that brings the goals nearer."]
    if not needles.v100_reachable and "v100_percent" in {goal.name for goal in missed}:
        reasons.append(
            "By an estimate, no number of these seeds on these needles reaches V100: ask for stronger or "
            "closer ones, for a lower dose, or for what lets more needles in."
        )
    elif ways == {True}:
        reasons.append(
            "The seeds that were found for these tracks do not reach it: ask for stronger or closer ones, or "
            "for a lower dose."
        )
    elif len(ways) == 2 or not reasons:
        reasons.append(
            "On the tracks there are, coverage and hot spots pull against each other: allow more of either, "
            "closer seeds, or another strength."
        )
    return reasons
