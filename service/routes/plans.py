"""Plans: asking for one, waiting a little for it, and reading it again by its sha256."""

import asyncio
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from service.jobs import Job, State
from service.parts import parts_of
from service.plan_schema import PlanModel
from service.problems import Problem, documented, of_json, problem
from service.routes.body import media_type, small_body
from service.routes.jobs import JobModel
from service.schema import MAX_REQUEST_BYTES, PlanRequest
from service.strict_json import NotJson, Refused, read_model

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
    "parameters": [
        {
            "in": "header",
            "name": "Prefer",
            "schema": {"type": "string"},
            "description": "wait=n: answer with the plan itself if it is made within n seconds (RFC 7240).",
        }
    ],
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
    if media_type(request) != "application/json":
        raise problem("unsupported-media-type", "Send the request as application/json; {} is all defaults.")
    try:
        asked = read_model(PlanRequest, await small_body(request, MAX_REQUEST_BYTES), MAX_REQUEST_BYTES)
    except (NotJson, Refused) as error:
        raise of_json(error) from None
    wait_s = _preferred_wait_s(request)
    job = parts.jobs.submit(stored, asked.to_request())
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
        await asyncio.wait([asyncio.wrap_future(job.ended)], timeout=min(wait_s, parts.settings.max_wait_s))
        if job.state is State.FAILED and job.report is not None:
            raise Problem(job.report, headers)
        if job.state is State.DONE:
            return await _plan_answer(request, job, headers)
    return JSONResponse(job.to_json(), 202, headers)


@router.get("/plans/{plan_id}", response_model=PlanModel, responses=documented("not-found"))
async def get_plan(request: Request, plan_id: str) -> Response:
    """A plan, byte for byte as it was made."""
    text = await run_in_threadpool(parts_of(request).store.plan, plan_id)
    return Response(text, media_type="application/json", headers={"ETag": f'"{plan_id}"'})


async def _plan_answer(request: Request, job: Job, headers: dict[str, str]) -> Response:
    assert job.plan_id is not None
    text = await run_in_threadpool(parts_of(request).store.plan, job.plan_id)
    more = {"Content-Location": f"/v1/plans/{job.plan_id}", "ETag": f'"{job.plan_id}"'}
    return Response(text, media_type="application/json", headers=headers | more)


def _preferred_wait_s(request: Request) -> int | None:
    """The wait that `Prefer` asks for. [s] A preference that cannot be read is ignored (RFC 7240)."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        found = re.fullmatch(r'\s*wait\s*=\s*"?([0-9]{1,6})"?\s*(;.*)?', preference, re.IGNORECASE)
        if found:
            return int(found[1])
    return None
