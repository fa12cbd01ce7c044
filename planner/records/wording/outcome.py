"""Outcome: how planning ended, said so that a clinician can act on it, and what the search may claim."""

from planner.records.paths import Aim
from planner.records.plan import Outcome, Plan, Status
from planner.records.wording.outcome_message import message_of


def outcome(plan: Plan) -> Outcome:
    """The status of a plan and its sentence, from all that the plan holds but an outcome. Needles that are in
    already are no path found: what they do not reach, no path does."""
    dose = plan.dose
    met = plan.request.prescription is None or (dose is not None and all(goal.met for goal in dose.goals))
    by_goals = Status.PLANNED if met else Status.GOALS_NOT_MET
    unfinished = Status.NO_PATH if plan.search.complete else Status.TIMED_OUT
    planned = any(path.aim is not Aim.GIVEN for path in plan.paths) or (dose is not None and met)
    return Outcome(by_goals if planned else unfinished, message_of(plan))
