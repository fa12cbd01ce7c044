"""Plan values: where the values of the table's columns are in a plan. A missing value is None."""

from collections.abc import Sequence

from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.robustness import Robustness, Touch
from service.study.plan_order import StudyOutcome

FAILED = "failed"
"""The status if there is no plan; the others are planner.records.plan.Status."""


def itself(ended: StudyOutcome) -> StudyOutcome:
    """The outcome itself, with or without a plan."""
    return ended


def plan(ended: StudyOutcome) -> Plan | None:
    """The plan."""
    return ended.plan


def best_path(ended: StudyOutcome) -> Path | None:
    """The path that the ranking puts first."""
    if ended.plan is None:
        return None
    return next((path for path in ended.plan.paths if path.aim is Aim.TARGET), None)


def needle_set(ended: StudyOutcome) -> NeedleSet | None:
    """The needles together."""
    return None if ended.plan is None else ended.plan.needle_set


def dose(ended: StudyOutcome) -> DoseReport | None:
    """The dose."""
    return None if ended.plan is None else ended.plan.dose


def robustness(ended: StudyOutcome) -> Robustness | None:
    """The effects of placement errors."""
    return None if ended.plan is None else ended.plan.robustness


def most_touched(ended: StudyOutcome) -> Touch | None:
    """The structure that is most likely touched by a misplaced needle, over all needles."""
    spread = robustness(ended)
    touches = [touch for needle in spread.needles for touch in needle.touches] if spread else []
    return min(touches, key=lambda touch: (-touch.chance, touch.structure), default=None)


def status(ended: StudyOutcome) -> str:
    """How planning ended, or FAILED."""
    return FAILED if ended.plan is None else str(ended.plan.outcome.status)


def window_of_best(ended: StudyOutcome) -> str | None:
    """The name of the window through which the best path enters."""
    best, plan = best_path(ended), ended.plan
    if best is None or plan is None:
        return None
    return next((window.name for window in plan.windows if window.id == best.window), best.window)


def ranked_paths(plan: Plan) -> int:
    """How many paths to the target are ranked."""
    return sum(path.aim is Aim.TARGET for path in plan.paths)


def goals_met(report: DoseReport) -> bool:
    """Whether the dose meets all goals."""
    return all(goal.met for goal in report.goals)


def least_tolerance_deg(robustness: Robustness) -> float | None:
    """The smallest turn of any needle before it touches something."""
    return min((needle.tolerance_deg for needle in robustness.needles), default=None)


def joined(values: Sequence[str]) -> str:
    """Names in one cell."""
    return ", ".join(values)
