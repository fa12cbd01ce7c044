"""Wording of an implant: the worst news, what is reached, what a set proves; from its records alone."""

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
"""A PTV of which tracks reach less than this is named as what limits the dose [U]."""
NEAR_NAMED = 2
"""What given needles come too near to that a message names; the plan lists all."""
LIMITS_NAMED = 2
"""Organs beyond a limit that a message names; the plan lists all limits."""
ROBUST_SHARE = 0.95
"""Where goals are reached in less of the samples, errors of placement are said first [U]."""


def worst_first(plan: Plan) -> list[str]:
    """What must be known first of a plan's implant, where one is prescribed: given needles that lie too near,
    given seeds that may be one, goals not met, organ limits exceeded, and errors of placement that undo it.
    Nothing where there is no such news."""
    needles, dose = plan.needle_set, plan.dose
    if plan.request.prescription is None:
        return []
    if dose is None:
        # Whether places for seeds were looked for, and how far that got, is in no record.
        return ["Goals not met: no seed is planned."]
    missed = [goal_text(goal) for goal in dose.goals if not goal.met]
    goals = [f"Goals not met: {'; '.join(missed)}."] if missed else []
    return [*_too_near(needles), *given_twice(needles), *goals, *_exceeded(dose), *_undone(plan.robustness)]


def harm_of(dose: DoseReport, robustness: Robustness | None, when: str = "") -> list[str]:
    """Organ limits that are exceeded, and errors of placement that undo what was planned; the first begins
    with `when` that is so."""
    exceeded_too = _exceeded(dose, when)
    return [*exceeded_too, *_undone(robustness, "" if exceeded_too else when)]


def _too_near(needles: NeedleSet | None) -> list[str]:
    """Given needles that are where none would be planned; the nearest first."""
    nearest = [] if needles is None else nearest_first(needles.given_too_near)
    texts = [too_near_text(one) for one in nearest[:NEAR_NAMED]]
    others = f"; and {len(nearest) - NEAR_NAMED} more" if len(nearest) > NEAR_NAMED else ""
    return [f"Given needles too near: {'; '.join(texts)}{others}."] if nearest else []


def _exceeded(dose: DoseReport, when: str = "") -> list[str]:
    """Each organ once, by what it exceeds most; the largest excess first."""
    over = exceeded(dose.bed.limits)
    worst: dict[str, LimitComparison] = {}
    for limit in over:
        worst.setdefault(limit.structure, limit)
    texts = [exceeded_text(limit) for limit in list(worst.values())[:LIMITS_NAMED]]
    others = f"; and {len(over) - len(texts)} more" if len(over) > len(texts) else ""
    return [f"{when}Organ limits exceeded: {'; '.join(texts)}{others}."] if over else []


def _undone(robustness: Robustness | None, when: str = "") -> list[str]:
    """What errors of placement leave, where they undo too much of what was planned."""
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
    """What the implant of a plan reaches, and what limits it where that is not enough."""
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
    """A PTV whose margin reaches so far beyond the edge of the field of view."""
    # Rounded in two steps: two ways to reckon it may differ by what float64 leaves over.
    told_mm = round(round(beyond_view_mm, 6), 1)
    if told_mm == 0.0:
        return ()
    return (
        f"The PTV reaches up to {told_mm:.1f} mm beyond the edge of the field of view: what lies there is "
        "neither covered nor counted.",
    )


def limited_by(request: Request, needles: NeedleSet, missed: Sequence[GoalResult]) -> list[str]:
    """Why no more of the `missed` goals was reached, as far as that is known."""
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
