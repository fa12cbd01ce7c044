"""Kept plan: what is answered where a plan in the store cannot be read back."""

from service.problems import Problem, problem
from service.schemas.plan.file import Damaged, Unreadable


def unreadable_plan(error: Unreadable, plan_id: str) -> Problem:
    """The plan by its address, why it cannot be read, and the way out. A plan of another version is whole: it
    does not fit this one."""
    kind = "damaged" if isinstance(error, Damaged) else "conflict"
    detail = f"The plan /v1/plans/{plan_id} cannot be read back: {error.value}. {error.remedy}"
    return problem(kind, f"{detail} POST the same request to its case's plans, which writes it anew.")
