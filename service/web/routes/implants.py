"""Implants: evaluations after an implant, and replans while needles are in."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from planner.records.plan import Plan
from service.schemas.in_patient import MAX_FOUND_BYTES, EvaluateBody, ReplanBody
from service.schemas.plan.file import UnreadablePlanFile, read_kept_plan
from service.schemas.plan.followup import EvaluationModel, ReplannedModel
from service.schemas.result_kinds import ResultKind
from service.storage.case_of_plan import case_of_plan
from service.storage.kept_plan import unreadable_plan
from service.storage.library import Library
from service.web.http.body import json_body
from service.web.http.job_answers import order
from service.web.http.owner import owner_of
from service.web.problem_answers import problem
from service.web.routes.jobs import making
from service.web.services import state_of

router = APIRouter(tags=["implants"])

_FOUND = {"seeds": [{"position_mm": [-12.5, 4.0, 210.0], "axis": None}]}
_MEASURED = {
    "needles": [{"path_id": None, "entry_mm": [-40.0, -95.0, 215.0], "tip_mm": [-12.5, 8.0, 210.0]}],
    "seeds": [],
}


@router.post(
    "/plans/{plan_id}:evaluate-implant",
    **making("evaluation", body=EvaluateBody, example=_FOUND, result=EvaluationModel, also=("conflict",)),
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
    **making("replanning", body=ReplanBody, example=_MEASURED, result=ReplannedModel, also=("conflict",)),
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
    """A stored plan that an implant can be compared with. Raises Problem."""
    text = library.result(owner, ResultKind.PLAN, plan_id)
    try:
        plan = read_kept_plan(text, plan_id)
    except UnreadablePlanFile as error:
        raise unreadable_plan(error, plan_id) from None
    if plan.request.prescription is None:
        raise problem(
            "conflict", "The plan has no prescription, so there is no dose. Make a plan with a prescription."
        )
    return plan
