"""Results: plans, evaluations and replans: read by their sha256, listed, and removed."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor

from service.host.timestamp import rfc3339
from service.schemas.json.canonical import to_json
from service.schemas.plan.followup import EvaluationModel, ReplannedModel
from service.schemas.plan.model import PlanModel
from service.schemas.plan_summary import PlanSummary
from service.schemas.result_kinds import ResultKind
from service.web.http.etags import IF_MATCH, IF_NONE_MATCH, NOT_MODIFIED, refuse_outdated
from service.web.http.job_answers import kept_answer
from service.web.http.owner import owner_of
from service.web.http.pagination import DEFAULT_LIMIT, Cursor, PageLimit, cursor_after, page
from service.web.problem_answers import documented
from service.web.services import state_of

router = APIRouter(tags=["results"])


class PlainId(StringConvertor):
    """An id that ends before a colon: otherwise /plans/{plan_id}:replan would also be the address of a
    plan."""

    regex = "[^/:]+"


register_url_convertor("id", PlainId())


class ListedPlan(BaseModel):
    """A plan in a list: its address, and that of the case it was made from, which may be removed; `summary`
    is null where the plan's file was made by another version, or is damaged."""

    id: str
    address: str
    case: str
    created: str
    summary: PlanSummary | None


class PlansModel(BaseModel):
    """A page of plans, newest first; `next` is the address of the next one."""

    items: list[ListedPlan]
    next: str | None


_READ: dict[str, Any] = {
    "responses": NOT_MODIFIED | documented("not-found", "damaged"),
    "openapi_extra": {"parameters": [IF_NONE_MATCH]},
}
_REMOVED: dict[str, Any] = {
    "status_code": 204,
    "responses": documented("not-found", "conflict", "precondition-failed", "no-room"),
    "openapi_extra": {"parameters": [IF_MATCH]},
}


@router.get("/plans", response_model=PlansModel, responses=documented("invalid-request"))
async def list_plans(
    request: Request,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    case: Annotated[
        str | None,
        Query(
            pattern=r"^(/v1/cases/)?[0-9a-f]{64}$",
            description="Only plans of this case, by its id or its address.",
        ),
    ] = None,
) -> Response:
    """Plans, newest first, with what they are known by: target, main figures, and worst news."""
    state, owner = state_of(request), owner_of(request)
    case_id = None if case is None else case.rpartition("/")[2]
    holdings = await run_in_threadpool(
        state.library.listed, owner, ResultKind.PLAN, cursor, limit + 1, case_id
    )
    summaries = await run_in_threadpool(state.summaries.of_plans, holdings[:limit])
    items = [
        {
            "id": holding.id,
            "address": f"/v1/{ResultKind.PLAN}/{holding.id}",
            "case": f"/v1/cases/{holding.case_id}",
            "created": rfc3339(holding.created_s),
            "summary": to_json(summary),
        }
        for holding, summary in zip(holdings[:limit], summaries, strict=True)
    ]
    return page(request, items, cursor_after([holding.number for holding in holdings], limit))


@router.get("/plans/{plan_id:id}", response_model=PlanModel, **_READ)
async def get_plan(request: Request, plan_id: str) -> Response:
    """A plan, byte for byte as it was made."""
    return await kept_answer(request, ResultKind.PLAN, plan_id)


@router.get("/evaluations/{evaluation_id}", response_model=EvaluationModel, **_READ)
async def get_evaluation(request: Request, evaluation_id: str) -> Response:
    """An evaluation, byte for byte as it was made."""
    return await kept_answer(request, ResultKind.EVALUATION, evaluation_id)


@router.get("/replans/{replan_id}", response_model=ReplannedModel, **_READ)
async def get_replan(request: Request, replan_id: str) -> Response:
    """A replanning, byte for byte as it was made."""
    return await kept_answer(request, ResultKind.REPLAN, replan_id)


@router.delete("/plans/{plan_id:id}", **_REMOVED)
async def remove_plan(request: Request, plan_id: str) -> Response:
    """Remove a plan. What was made of it stays; files of a removed case that only it needed go."""
    return await _removed(request, ResultKind.PLAN, plan_id)


@router.delete("/evaluations/{evaluation_id}", **_REMOVED)
async def remove_evaluation(request: Request, evaluation_id: str) -> Response:
    """Remove an evaluation. The supplement in it is a plan of its own, and stays."""
    return await _removed(request, ResultKind.EVALUATION, evaluation_id)


@router.delete("/replans/{replan_id}", **_REMOVED)
async def remove_replan(request: Request, replan_id: str) -> Response:
    """Remove a replanning. The plan in it stays."""
    return await _removed(request, ResultKind.REPLAN, replan_id)


async def _removed(request: Request, kind: ResultKind, result_id: str) -> Response:
    refuse_outdated(request, f'"{result_id}"')
    library, owner = state_of(request).library, owner_of(request)
    await run_in_threadpool(library.remove_result, owner, kind, result_id)
    return Response(status_code=204)
