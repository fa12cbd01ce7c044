"""Plan as JSON: one text for one plan, so that equal work gives equal bytes.

Keys are in the contract's order; the text is that of `service.plain_json`. `plan_sha256` is the sha256 of the
same text without the `plan_sha256` line.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anatomy.structures import InputDigest
from planner.records import Plan
from service.plain_json import text_of, to_json
from service.plan_schema import PlanModel
from service.request_json import request_to_json
from service.strict_json import NotJson, Refused, read_model

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
    return hashlib.sha256(text_of(_content(plan))).hexdigest()


def write_plan(plan: Plan) -> bytes:
    """The plan's one text. Raises ValueError for NaN or infinity in the plan."""
    return text_of(plan_to_json(plan))


def read_plan(data: bytes) -> PlanFile:
    """Read a plan's text back. Raises strict_json.NotJson or strict_json.Refused."""
    model = read_model(PlanModel, data, MAX_PLAN_BYTES)
    plan = model.to_record()
    return PlanFile(plan, model.plan_sha256, plan_sha256(plan))


def read_kept_plan(data: bytes, plan_id: str) -> Plan | None:
    """The plan that was kept under its hash; None where the text is not that plan's, or cannot be read."""
    try:
        file = read_plan(data)
    except (NotJson, Refused):
        return None
    return file.plan if file.content_sha256 == plan_id else None


def inputs_to_json(inputs: Sequence[InputDigest]) -> list[dict[str, Any]]:
    """Input files as JSON values; `axes` stands with surfaces only."""
    return [{key: value for key, value in to_json(file).items() if value is not None} for file in inputs]


def _content(plan: Plan) -> dict[str, Any]:
    return {
        "schema": plan.schema,
        "software": plan.software,
        "inputs": inputs_to_json(plan.inputs),
        "frame": plan.frame,
        "request": request_to_json(plan.request),
        "roles": dict(plan.roles),
        "skin_source": plan.skin_source,
        "notes": list(plan.notes),
        "outcome": to_json(plan.outcome),
        "search": to_json(plan.search),
        "paths": to_json(plan.paths),
        "windows": to_json(plan.windows),
        "blocked_by": to_json(plan.blocked_by),
        "missing_structures": list(plan.missing_structures),
        "nearest_miss": to_json(plan.nearest_miss),
        "needle_set": to_json(plan.needle_set),
        "dose": to_json(plan.dose),
        "robustness": to_json(plan.robustness),
        "verification": to_json(plan.verification),
    }
