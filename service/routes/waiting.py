"""Waiting: a job is answered as 202 with its address, or under `Prefer: wait=n` with what it made."""

import asyncio
import re
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from service.jobs import Job, State
from service.made import Kind
from service.parts import parts_of
from service.problems import Problem

PREFER: dict[str, Any] = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "description": "wait=n: answer with what is made, if it is made within n seconds (RFC 7240).",
}
"""The header, for OpenAPI."""


async def job_answer(request: Request, job: Job) -> Response:
    """202 and the job, or 200 and what it made within the wait that is preferred.

    Raises Problem where the job failed within that wait.
    """
    wait_s = _preferred_wait_s(request)
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
        longest_s = parts_of(request).settings.max_wait_s
        await asyncio.wait([asyncio.wrap_future(job.ended)], timeout=min(wait_s, longest_s))
        if job.state is State.FAILED and job.report is not None:
            raise Problem(job.report, headers)
        if job.state is State.DONE and job.result is not None:
            return await kept_answer(request, job.result.kind, job.result.id, headers)
    return JSONResponse(job.to_json(), 202, headers)


async def kept_answer(
    request: Request, kind: Kind, result_id: str, headers: dict[str, str] | None = None
) -> Response:
    """What was made, byte for byte. Raises Problem when it is not there."""
    text = await run_in_threadpool(parts_of(request).store.kept, kind, result_id)
    more = {"ETag": f'"{result_id}"'}
    if headers is not None:
        more = headers | {"Content-Location": f"/v1/{kind}/{result_id}"} | more
    return Response(text, media_type="application/json", headers=more)


def _preferred_wait_s(request: Request) -> int | None:
    """The wait that `Prefer` asks for. [s] A preference that cannot be read is ignored (RFC 7240)."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        found = re.fullmatch(r'\s*wait\s*=\s*"?([0-9]{1,6})"?\s*(;.*)?', preference, re.IGNORECASE)
        if found:
            return int(found[1])
    return None
