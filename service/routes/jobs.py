"""Jobs: asking after one, and withdrawing it."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from service.jobs import State
from service.parts import parts_of
from service.problems import ProblemModel, documented

router = APIRouter(prefix="/jobs", tags=["jobs"])


class ProgressModel(BaseModel):
    """The step of the work, and how far it has come, from 0 to 1."""

    phase: str
    fraction: float


class JobModel(BaseModel):
    """Where a job stands. `result` is the address of what it made, `plan` that of the plan which is it, or is
    in it; `problem` says why it failed."""

    id: str
    state: State
    case: str
    progress: ProgressModel | None
    cancel_requested: bool
    plan: str | None
    result: str | None
    problem: ProblemModel | None


_COMMON: dict[str, Any] = {"response_model": JobModel, "responses": documented("not-found")}


@router.get("/{job_id}", **_COMMON)
async def get_job(request: Request, job_id: str) -> Response:
    """Where a job stands."""
    return JSONResponse(parts_of(request).jobs.get(job_id).to_json())


@router.delete("/{job_id}", **_COMMON)
async def cancel_job(request: Request, job_id: str) -> Response:
    """Withdraw a job. A running one ends within moments; one that has ended stays as it is."""
    jobs = parts_of(request).jobs
    job = jobs.get(job_id)
    jobs.cancel(job)
    return JSONResponse(job.to_json())
