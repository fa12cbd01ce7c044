"""Jobs: reading, listing and cancelling them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from service.schemas.result_kinds import ResultKind
from service.storage.job import Job
from service.storage.job_states import State
from service.web.http.body import stated
from service.web.http.etags import IF_MATCH, IF_NONE_MATCH, NOT_MODIFIED, refuse_outdated, unless_known
from service.web.http.job_answers import ACCEPTED, ordering
from service.web.http.owner import owner_of
from service.web.http.pagination import DEFAULT_LIMIT, Cursor, PageLimit, cursor_after, page
from service.web.problem_answers import OF_A_BODY, OF_A_CASE, ProblemModel, documented
from service.web.services import state_of

router = APIRouter(prefix="/jobs", tags=["jobs"])


class ProgressModel(BaseModel):
    """The step of the work; how far the whole has come, from 0 to 1, which falls only where work that was
    lost begins again; and the seconds that the rest takes at the pace so far, as of when this was noted: null
    while too little is done to tell."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"phase": "search", "fraction": 0.4, "left_s": 21.5}]}
    )

    phase: str
    fraction: float
    left_s: Annotated[float, Field(ge=0)] | None


class JobModel(BaseModel):
    """Where a job stands. `attempt` counts how often it was begun, `result` is the address of what it made,
    `plan` that of the plan which is it, or is in it; `problem` says why it failed."""

    id: str
    kind: ResultKind
    state: State
    case: str
    progress: ProgressModel | None
    attempt: int
    created: str
    ended: str | None
    plan: str | None
    result: str | None
    problem: ProblemModel | None


def making(
    what: str,
    *,
    body: type[BaseModel],
    example: dict[str, Any],
    result: type,
    links: dict[str, Any] | None = None,
    also: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The arguments of a route whose job makes a `what`: 202 and the job, or the `result` within the wait
    that is preferred, with `links`. Besides problems of every such route, it may answer those of `also`."""
    in_time = {"model": result, "description": f"The {what}, made within the wait that was preferred."}
    problems = ("bad-header", "key-reused", "limit-reached", "busy", "no-room")
    return {
        "status_code": 202,
        "response_model": JobModel,
        "openapi_extra": stated(body, example) | {"parameters": ordering(what)},
        "responses": ACCEPTED
        | {200: in_time | ({} if links is None else {"links": links})}
        | documented(*OF_A_BODY, *OF_A_CASE, *also, *problems),
    }


class JobsModel(BaseModel):
    """A page of jobs, newest first; `next` is the address of the next one."""

    items: list[JobModel]
    next: str | None


@router.get("", response_model=JobsModel, responses=documented("invalid-request"))
async def list_jobs(
    request: Request,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
) -> Response:
    """Jobs, newest first. Those that ended long ago are forgotten; what they made stays."""
    listed = state_of(request).job_table.listed
    jobs = await run_in_threadpool(listed, owner_of(request), state, cursor, limit + 1)
    numbers = [job.number for job in jobs]
    return page(request, [job.to_json() for job in jobs[:limit]], cursor_after(numbers, limit))


@router.get(
    "/{job_id}",
    response_model=JobModel,
    responses=NOT_MODIFIED | documented("not-found"),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_job(request: Request, job_id: str) -> Response:
    """Where a job stands."""
    job = await own_job(request, job_id)
    return unless_known(request, _etag(job)) or _answer(job)


@router.delete(
    "/{job_id}",
    response_model=JobModel,
    responses=documented("not-found", "precondition-failed", "no-room"),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def cancel_job(request: Request, job_id: str) -> Response:
    """Withdraw a job: at once, whatever it is at. One that has ended stays as it is."""
    job = await own_job(request, job_id)
    refuse_outdated(request, _etag(job))
    # The condition of If-Match is checked again where the job is changed.
    only = job.last_event if "if-match" in request.headers else None
    withdrawn = await run_in_threadpool(state_of(request).job_table.cancel, job.id, only)
    job = await own_job(request, job_id)
    if not withdrawn:
        refuse_outdated(request, _etag(job))
    return _answer(job)


async def own_job(request: Request, job_id: str) -> Job:
    """A job of the caller's owner. Raises NoSuchJob."""
    return await run_in_threadpool(state_of(request).job_table.get, job_id, owner_of(request))


def _etag(job: Job) -> str:
    return f'"{job.last_event}"'


def _answer(job: Job) -> JSONResponse:
    content: dict[str, Any] = job.to_json()
    return JSONResponse(content, headers={"ETag": _etag(job)})
