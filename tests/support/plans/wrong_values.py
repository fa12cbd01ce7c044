"""A plan's JSON with one wrong value, and the pointers that its refusal names."""

import json
from typing import Any

import pytest

from planner.records.plan import Plan
from service.schemas.json.strict import Refused
from service.schemas.plan.file import read_plan, write_plan


def pointers_refused(plan: Plan, pointer: str, value: Any) -> list[str]:
    """The pointers in the refusal of the plan's JSON with `value` at `pointer`."""
    document = json.loads(write_plan(plan))
    *folders, last = [int(part) if part.isdigit() else part for part in pointer[1:].split("/")]
    inner: Any = document
    for part in folders:
        inner = inner[part]
    inner[last] = value
    with pytest.raises(Refused) as refusal:
        read_plan(json.dumps(document).encode())
    return [error.pointer for error in refusal.value.errors]
