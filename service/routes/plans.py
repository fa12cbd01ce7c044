"""Plans: asking for one, waiting a little for it, and reading it again by its sha256."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.made import Kind
from service.parts import parts_of
from service.plan_schema import PlanModel
from service.problems import documented
from service.routes.body import json_body
from service.routes.jobs import JobModel
from service.routes.waiting import PREFER, job_answer, kept_answer
from service.schema import MAX_REQUEST_BYTES, PlanRequest
from service.tasks import plan_task

router = APIRouter(tags=["plans"])

_REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/PlanRequest"},
                "example": {"target": {"structure": "node_4R"}, "search": {"covering_radius_mm": 2.0}},
            }
        },
    },
    "parameters": [PREFER],
}


_IN_TIME: dict[int | str, dict[str, Any]] = {
    200: {"model": PlanModel, "description": "The plan, made within the wait that was preferred."}
}


@router.post(
    "/cases/{case_id}/plans",
    status_code=202,
    response_model=JobModel,
    openapi_extra=_REQUEST,
    responses=_IN_TIME
    | documented(
        "malformed-json",
        "not-found",
        "too-large",
        "unsupported-media-type",
        "invalid-request",
        "unusable-input",
        "failed",
        "busy",
    ),
)
async def add_plan(request: Request, case_id: str) -> Response:
    """Plan a case: 202 and a job to ask after, or the plan itself under `Prefer: wait=n`."""
    parts = parts_of(request)
    stored = parts.store.case(case_id)
    asked = await json_body(request, PlanRequest, MAX_REQUEST_BYTES, "{} is all defaults")
    job = parts.jobs.submit(stored, plan_task, parts.make_plan, stored.case, asked.to_request())
    return await job_answer(request, job)


@router.get("/plans/{plan_id}", response_model=PlanModel, responses=documented("not-found"))
async def get_plan(request: Request, plan_id: str) -> Response:
    """A plan, byte for byte as it was made."""
    return await kept_answer(request, Kind.PLAN, plan_id)
