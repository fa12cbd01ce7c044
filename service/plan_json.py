"""Plan as JSON: one text for one plan, so that equal work gives equal bytes.

The text is UTF-8, indented by one space, keys in the contract's order, floats in Python's shortest form
that reads back exactly, a newline at the end. `plan_sha256` is the sha256 of the same text without the
`plan_sha256` line.
"""

import hashlib
import json
import numbers
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

from planner.records import Plan
from service.plan_schema import PlanModel
from service.schema import request_to_json
from service.strict_json import read_model

MAX_PLAN_BYTES = 100_000_000
"""A thousand paths of a hundred crossings and seeds each are shorter."""


@dataclass(frozen=True)
class PlanFile:
    """A plan read back: what hash it claims, and what hash its content has."""

    plan: Plan
    claimed_sha256: str
    content_sha256: str


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON object with its `plan_sha256`. Raises TypeError for a value that JSON lacks."""
    content = _content(plan)
    head = {"schema": content.pop("schema"), "plan_sha256": plan_sha256(plan)}
    return head | content


def plan_sha256(plan: Plan) -> str:
    """The plan's own hash, in hex. Raises ValueError for NaN or infinity in the plan."""
    return hashlib.sha256(_text(_content(plan))).hexdigest()


def write_plan(plan: Plan) -> bytes:
    """The plan's one text. Raises ValueError for NaN or infinity in the plan."""
    return _text(plan_to_json(plan))


def read_plan(data: bytes) -> PlanFile:
    """Read a plan's text back. Raises strict_json.NotJson or strict_json.Refused."""
    model = read_model(PlanModel, data, MAX_PLAN_BYTES)
    plan = model.to_record()
    return PlanFile(plan, model.plan_sha256, plan_sha256(plan))


def _content(plan: Plan) -> dict[str, Any]:
    return {
        "schema": plan.schema,
        "software": plan.software,
        "inputs": _plain(plan.inputs),
        "frame": plan.frame,
        "request": request_to_json(plan.request),
        "roles": dict(plan.roles),
        "skin_source": plan.skin_source,
        "notes": list(plan.notes),
        "outcome": _plain(plan.outcome),
        "search": _plain(plan.search),
        "paths": _plain(plan.paths),
        "windows": _plain(plan.windows),
        "blocked_by": _plain(plan.blocked_by),
        "missing_structures": list(plan.missing_structures),
        "nearest_miss": _plain(plan.nearest_miss),
        "verification": _plain(plan.verification),
    }


def _plain(value: Any) -> Any:
    """Records to JSON values, numpy's numbers to Python's."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, StrEnum | str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a plan holds a {type(value).__name__}, which JSON has no form for")


def _text(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
