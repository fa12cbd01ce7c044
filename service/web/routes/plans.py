"""Plans: requesting a plan, and waiting for it if preferred."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.schemas.plan.model import PlanModel
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest
from service.schemas.result_kinds import ResultKind
from service.web.http.body import json_body
from service.web.http.job_answers import order
from service.web.http.owner import owner_of
from service.web.routes.jobs import making
from service.web.services import state_of

router = APIRouter(tags=["plans"])

_EXAMPLE = {"target": {"structure": "node_4R"}, "search": {"covering_radius_mm": 2.0}}

_LINKS = {
    operation: {"operationId": operation, "parameters": {"plan_id": "$response.body#/plan_sha256"}}
    for operation in ("get_plan", "evaluate_implant", "replan", "remove_plan")
}


@router.post(
    "/cases/{case_id}/plans",
    **making("plan", body=PlanRequest, example=_EXAMPLE, result=PlanModel, links=_LINKS),
)
async def add_plan(request: Request, case_id: str) -> Response:
    """Plan a case: 202 and a job to ask after, or the plan itself under `Prefer: wait=n`."""
    await run_in_threadpool(state_of(request).library.case, owner_of(request), case_id)
    body, _ = await json_body(request, PlanRequest, MAX_REQUEST_BYTES, "{} is all defaults")
    return await order(request, ResultKind.PLAN, case_id, body)
