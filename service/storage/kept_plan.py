"""Kept plan: the error of a plan in the store that cannot be read back."""

from service.schemas.plan.file import DamagedPlanFile, UnreadablePlanFile
from service.storage.errors import UnreadablePlan


def unreadable_plan(error: UnreadablePlanFile, plan_id: str) -> UnreadablePlan:
    """The plan by its id, why it cannot be read, and the way out. A plan of another version is whole: it does
    not fit this one."""
    return UnreadablePlan(plan_id, error.value, error.remedy, isinstance(error, DamagedPlanFile))
