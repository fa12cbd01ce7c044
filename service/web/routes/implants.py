"""Implants: evaluations after an implant, and replans while needles are in."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from planner.records.plan import Plan
from service.schemas.in_patient import MAX_FOUND_BYTES, EvaluateBody, ReplanBody
from service.schemas.plan.file import Unreadable, read_kept_plan
from service.schemas.plan.followup import EvaluationModel, ReplannedModel
from service.schemas.result_kinds import ResultKind
from service.storage.case_of_plan import case_of_plan
from service.storage.kept_plan import unreadable_plan
from service.storage.library import Library
from service.web.http.body import json_body, stated
from service.web.http.job_answers import ACCEPTED, order, ordering
from service.web.http.owner import owner_of
from service.web.problem_answers import documented, problem
from service.web.routes.jobs import JobModel
from service.web.services import state_of

router = APIRouter(tags=["implants"])

_MAY_BE = documented(
    "malformed-json",
    "not-found",
    "damaged",
    "too-slow",
    "conflict",
    "too-large",
    "unsupported-media-type",
    "bad-header",
    "invalid-request",
    "unusable-input",
    "key-reused",
    "limit-reached",
    "busy",
    "no-room",
)


def _in_time(model: type, what: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": f"The {what}, made within the wait that was preferred."}}


_FOUND = {"seeds": [{"position_mm": [-12.5, 4.0, 210.0], "axis": None}]}
_MEASURED = {
    "needles": [{"path_id": None, "entry_mm": [-40.0, -95.0, 215.0], "tip_mm": [-12.5, 8.0, 210.0]}],
    "seeds": [],
}


@router.post(
    "/plans/{plan_id}:evaluate-implant",
    status_code=202,
    response_model=JobModel,
    openapi_extra=stated(EvaluateBody, _FOUND) | {"parameters": ordering("evaluation")},
    responses=ACCEPTED | _in_time(EvaluationModel, "evaluation") | _MAY_BE,
)
async def evaluate_implant(request: Request, plan_id: str) -> Response:
    """Hold the seeds found after an implant against its plan, and plan what is lacking."""
    library, owner = state_of(request).library, owner_of(request)
    plan = await run_in_threadpool(_plan, library, owner, plan_id)
    hint = 'as {"seeds": [{"position_mm": [x, y, z], "axis": null}]}'
    body, parsed = await json_body(request, EvaluateBody, MAX_FOUND_BYTES, hint)
    stored = await run_in_threadpool(case_of_plan, library, owner, plan, plan_id, parsed.case)
    return await order(request, ResultKind.EVALUATION, stored.record["id"], body, plan_id)


@router.post(
    "/plans/{plan_id}:replan",
    status_code=202,
    response_model=JobModel,
    openapi_extra=stated(ReplanBody, _MEASURED) | {"parameters": ordering("replanning")},
    responses=ACCEPTED | _in_time(ReplannedModel, "replanning") | _MAY_BE,
)
async def replan(request: Request, plan_id: str) -> Response:
    """Plan again around needles as they were measured, and seeds that were dropped already."""
    library, owner = state_of(request).library, owner_of(request)
    plan = await run_in_threadpool(_plan, library, owner, plan_id)
    if plan.needle_set is None or plan.dose is None:
        raise problem(
            "conflict",
            "The plan has no needle set, as its outcome says: there is nothing to keep or to change.",
        )
    hint = 'as {"needles": [{"path_id": null, "entry_mm": [x, y, z], "tip_mm": [x, y, z]}]}'
    body, parsed = await json_body(request, ReplanBody, MAX_FOUND_BYTES, hint)
    stored = await run_in_threadpool(case_of_plan, library, owner, plan, plan_id, parsed.case)
    return await order(request, ResultKind.REPLAN, stored.record["id"], body, plan_id)


def _plan(library: Library, owner: str, plan_id: str) -> Plan:
    """A stored plan that an implant can be held against. Raises Problem."""
    text = library.result(owner, ResultKind.PLAN, plan_id)
    try:
        plan = read_kept_plan(text, plan_id)
    except Unreadable as error:
        raise unreadable_plan(error, plan_id) from None
    if plan.request.prescription is None:
        raise problem(
            "conflict", "The plan has no prescription, so there is no dose. Make a plan with a prescription."
        )
    return plan
