"""Plan as JSON: one text for one plan, so that equal work gives equal bytes.

Keys are in the contract's order; the text is that of `service.schemas.json.canonical`. `plan_sha256` is the
sha256 of the same text without the `plan_sha256` line.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anatomy.errors import AnatomyError
from anatomy.structures import InputDigest
from planner.records.plan import SCHEMA, Plan
from service.schemas.json.canonical import record_to_json, text_of, to_json
from service.schemas.json.messages import shown
from service.schemas.json.records import record_of
from service.schemas.json.sealed import seal_of
from service.schemas.json.strict import FieldError, NotJson, Refused, parse, read_model
from service.schemas.plan.model import PlanModel
from service.schemas.request.writer import request_to_json

MAX_PLAN_BYTES = 100_000_000
"""Larger than a plan with a thousand paths of a hundred crossings and seeds each."""


_SEAL_LINE = 2
"""The number of the hash's line in a plan's text, counted from 0: after the brace and the schema."""

PLAN_AGAIN = "Make the plan again."

MAKE_AGAIN = "Bring the file back from a backup, or make the plan again."


class UnreadablePlanFile(AnatomyError):
    """A plan that was written by this software and cannot be read back."""


class DamagedPlanFile(UnreadablePlanFile):
    """A plan whose file differs from what was written."""


@dataclass(frozen=True)
class PlanFile:
    """A plan read back: the hash that it claims, and the hash of its content."""

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


def is_plan_of(sha256: str, text: bytes) -> bool:
    """Whether a text is, byte for byte, the plan with that hash, of any version."""
    return seal_of("plan_sha256", text, _SEAL_LINE) == sha256


def write_plan(plan: Plan) -> bytes:
    """The text of the plan. Raises ValueError for NaN or infinity in the plan."""
    return text_of(plan_to_json(plan))


def read_plan(data: bytes) -> PlanFile:
    """Read a plan's text back. Raises strict_json.NotJson or strict_json.Refused; a plan of another version
    is refused for that reason only, whatever its other fields."""
    try:
        model = read_model(PlanModel, data, MAX_PLAN_BYTES)
    except Refused:
        made_by = _another_version(data)
        if made_by is None:
            raise
        raise Refused((FieldError("/schema", f"The plan was {made_by}. {PLAN_AGAIN}"),)) from None
    plan = record_of(model)
    return PlanFile(plan, model.plan_sha256, plan_sha256(plan))


def read_kept_plan(data: bytes, plan_id: str) -> Plan:
    """The plan stored under its hash. Raises UnreadablePlanFile."""
    try:
        file = read_plan(data)
    except (NotJson, Refused) as error:
        raise unreadable(data, error) from None
    if file.content_sha256 != plan_id:
        raise DamagedPlanFile(
            "plan", "its content is not what its name says: the file is damaged", MAKE_AGAIN
        )
    return file.plan


def unreadable(data: bytes, error: NotJson | Refused) -> UnreadablePlanFile:
    """The error for a plan that cannot be read back: another version if its schema says so, otherwise
    damaged."""
    made_by = _another_version(data)
    if made_by is not None:
        return UnreadablePlanFile("plan", f"it was {made_by}", PLAN_AGAIN)
    return DamagedPlanFile("plan", "its file is damaged", f"{error} {MAKE_AGAIN}")


def _another_version(data: bytes) -> str | None:
    """The other version that made a plan, by its schema; None if its schema does not name one."""
    try:
        content = parse(data)
    except NotJson:
        return None
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str) or schema == SCHEMA:
        return None
    return f"made by another version of this software: {shown(schema)}, where this one has {shown(SCHEMA)}"


def inputs_to_json(inputs: Sequence[InputDigest]) -> list[dict[str, Any]]:
    """Input files as JSON values; only surfaces have `axes`."""
    return [{key: value for key, value in to_json(file).items() if value is not None} for file in inputs]


def _content(plan: Plan) -> dict[str, Any]:
    return record_to_json(
        plan,
        inputs=inputs_to_json(plan.inputs),
        request=request_to_json(plan.request),
        roles=dict(plan.roles),
    )
