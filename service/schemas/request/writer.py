"""Request writer: a request as JSON, as a plan states it: contract names, contract order, tables sorted by
name.

`service.schemas.request.model.PlanRequest` reads it back to an equal Request.
"""

from collections.abc import Mapping
from typing import Any

from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from service.schemas.json.canonical import record_to_json


def request_to_json(request: Request) -> dict[str, Any]:
    """The whole request, with every default in it."""
    written = record_to_json(
        request,
        target=_target(request.target),
        needle={"gauge": request.needle.gauge} | record_to_json(request.needle),
        clearance_mm=_clearances(request.clearance_mm),
    )
    weights = written.pop("weights")
    return written | ({"ranking": {"weights": weights}} if weights else {})


def _target(target: TargetRequest) -> dict[str, Any]:
    written = record_to_json(target)
    names = written.pop("structures")
    return {"structure": None if not names else names[0] if len(names) == 1 else names} | written


def _clearances(clearance_mm: Mapping[str, float]) -> dict[str, float]:
    named = {name: float(clearance_mm[name]) for name in sorted(clearance_mm)}
    return {"default": named.pop("default", 2.0)} | named
