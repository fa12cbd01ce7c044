"""A plan's JSON with one wrong value, and where reading it says that the fault is."""

import json
from typing import Any

import pytest

from planner.records.plan import Plan
from service.schemas.json.strict import Refused
from service.schemas.plan.file import read_plan, write_plan


def pointers_refused(plan: Plan, where: str, value: Any) -> list[str]:
    """The pointers at which the plan is refused that has `value` at the JSON pointer `where`."""
    document = json.loads(write_plan(plan))
    *folders, last = [int(part) if part.isdigit() else part for part in where[1:].split("/")]
    inner: Any = document
    for part in folders:
        inner = inner[part]
    inner[last] = value
    with pytest.raises(Refused) as refused:
        read_plan(json.dumps(document).encode())
    return [error.pointer for error in refused.value.errors]
