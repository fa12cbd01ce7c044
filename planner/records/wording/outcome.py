"""Wording of the outcome: how planning ended, in a sentence that a clinician can act on, and what the search
claims."""

from planner.records.paths import Aim
from planner.records.plan import Outcome, Plan, Status
from planner.records.wording.outcome_message import message_of


def outcome(plan: Plan) -> Outcome:
    """The status of a plan and its sentence, from all other parts of the plan. Needles already in place do
    not count as paths found: goals that they do not reach, no path reaches."""
    dose = plan.dose
    met = plan.request.prescription is None or (dose is not None and all(goal.met for goal in dose.goals))
    by_goals = Status.PLANNED if met else Status.GOALS_NOT_MET
    unfinished = Status.NO_PATH if plan.search.complete else Status.TIMED_OUT
    planned = any(path.aim is not Aim.GIVEN for path in plan.paths) or (dose is not None and met)
    return Outcome(by_goals if planned else unfinished, message_of(plan))
