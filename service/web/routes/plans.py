"""Plans: requesting a plan, and waiting for it if preferred."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.schemas.plan.model import PlanModel
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest
from service.schemas.result_kinds import ResultKind
from service.web.http.body import json_body, stated
from service.web.http.job_answers import ACCEPTED, order, ordering
from service.web.http.owner import owner_of
from service.web.problem_answers import documented
from service.web.routes.jobs import JobModel
from service.web.services import state_of

router = APIRouter(tags=["plans"])

_EXAMPLE = {"target": {"structure": "node_4R"}, "search": {"covering_radius_mm": 2.0}}

_IN_TIME: dict[int | str, dict[str, Any]] = {
    200: {
        "model": PlanModel,
        "description": "The plan, made within the wait that was preferred.",
        "links": {
            operation: {"operationId": operation, "parameters": {"plan_id": "$response.body#/plan_sha256"}}
            for operation in ("get_plan", "evaluate_implant", "replan", "remove_plan")
        },
    }
}


@router.post(
    "/cases/{case_id}/plans",
    status_code=202,
    response_model=JobModel,
    openapi_extra=stated(PlanRequest, _EXAMPLE) | {"parameters": ordering("plan")},
    responses=ACCEPTED
    | _IN_TIME
    | documented(
        "malformed-json",
        "not-found",
        "damaged",
        "too-slow",
        "too-large",
        "unsupported-media-type",
        "bad-header",
        "invalid-request",
        "unusable-input",
        "key-reused",
        "limit-reached",
        "busy",
        "no-room",
    ),
)
async def add_plan(request: Request, case_id: str) -> Response:
    """Plan a case: 202 and a job to ask after, or the plan itself under `Prefer: wait=n`."""
    await run_in_threadpool(state_of(request).library.case, owner_of(request), case_id)
    body, _ = await json_body(request, PlanRequest, MAX_REQUEST_BYTES, "{} is all defaults")
    return await order(request, ResultKind.PLAN, case_id, body)
