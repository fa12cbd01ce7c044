"""Job answers: a job is answered as 202 with its address, or with `Prefer: wait=n` by its result."""

import hashlib
import re
import time
import uuid
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from service.schemas.result_kinds import ResultKind
from service.storage.admission import Admission
from service.storage.job import Job, NewJob
from service.storage.job_states import FINAL, State
from service.web.http.etags import unless_known
from service.web.http.owner import owner_of
from service.web.problem_answers import MEDIA_TYPE, problem
from service.web.services import state_of

PREFER: dict[str, Any] = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "example": "wait=60",
    "description": "wait=n: answer with what is made, if it is made within n seconds (RFC 7240). "
    "Preference-Applied says how long was waited, which may be less.",
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "pattern": '^"?[!#-~]{1,200}"?$'},
    "description": "Names this request: sent again within a day, it is answered with the same job.",
}


def ordering(what: str) -> list[dict[str, Any]]:
    """The headers of requests for work, for OpenAPI. A key names one request, so each kind has its own
    example."""
    return [PREFER, IDEMPOTENCY_KEY | {"example": f'"{what}-1"'}]


RETRY_AFTER_S = 1
"""When a client should ask for a job's state [U]."""

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {
                "required": True,
                "schema": {"type": "string", "pattern": "^/v1/jobs/[0-9a-f]{32}$"},
            },
            "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "Seconds."},
        }
    }
}
"""The answer for an accepted job, for OpenAPI."""

_KEY = re.compile(r"[!#-~]{1,200}")


async def order(
    request: Request, kind: ResultKind, case_id: str, body: bytes, plan_id: str | None = None
) -> Response:
    """Accept a job and answer it. Raises Problem."""
    state = state_of(request)
    url = f"{request.method} {request.url.path}\n".encode()
    fingerprint = await run_in_threadpool(lambda: hashlib.sha256(url + body).hexdigest())
    new_job = NewJob(
        id=uuid.uuid4().hex,
        owner=owner_of(request),
        case_id=case_id,
        kind=kind,
        asked=body.decode(),
        plan_id=plan_id,
        key=_idempotency_key(request),
        fingerprint=fingerprint,
    )
    refuse_full = Admission(state.quota, state.reserve).of(new_job.owner)
    job = await run_in_threadpool(state.job_table.accept, new_job, refuse_full, state.library.is_lost)
    state.dispatcher.wake()
    return await _answer(request, job)


async def _answer(request: Request, job: Job) -> Response:
    """202 and the job, or 200 and its result if it ends within the preferred wait.

    If the job fails within that wait, its problem.
    """
    preferred_s = _preferred_wait_s(request)
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if preferred_s is not None:
        wait_s = min(preferred_s, int(state_of(request).settings.max_wait_s))
        # The applied wait, which may be shorter than the preferred one.
        headers["Preference-Applied"] = f"wait={wait_s}"
        job = await _ended(request, job, wait_s)
        if job.state is State.FAILED and job.problem is not None:
            return JSONResponse(job.problem, job.problem["status"], headers, MEDIA_TYPE)
        if job.state is State.DONE and job.result_id is not None:
            return await kept_answer(request, job.kind, job.result_id, headers)
    return JSONResponse(job.to_json(), 202, headers | {"Retry-After": str(RETRY_AFTER_S)})


async def _ended(request: Request, job: Job, wait_s: float) -> Job:
    """The job once it has ended, or as it is after `wait_s`."""
    state = state_of(request)
    until = time.monotonic() + wait_s
    while job.state not in FINAL and not state.notifier.closed:
        left_s = until - time.monotonic()
        if left_s <= 0:
            break
        await state.notifier.wait(job.id, job.last_event, left_s)
        job = await run_in_threadpool(state.job_table.get, job.id)
    return job


async def kept_answer(
    request: Request, kind: ResultKind, result_id: str, headers: dict[str, str] | None = None
) -> Response:
    """What was made, byte for byte. Raises Problem when it is not there, or damaged.

    A client that has it already gets 304 whatever became of the file: its copy is right.
    """
    library, owner = state_of(request).library, owner_of(request)
    etag = f'"{result_id}"'
    if headers is None:
        await run_in_threadpool(library.refuse_unheld_result, owner, kind, result_id)
        not_modified = unless_known(request, etag)
        if not_modified is not None:
            return not_modified
        headers = {}
    else:
        headers = headers | {"Content-Location": f"/v1/{kind}/{result_id}"}
    text = await run_in_threadpool(library.result, owner, kind, result_id)
    return Response(text, media_type="application/json", headers=headers | {"ETag": etag})


def _idempotency_key(request: Request) -> str | None:
    """The key, without the quotes of its draft standard. Raises Problem for an invalid key."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    key = header.strip().removeprefix('"').removesuffix('"')
    if not _KEY.fullmatch(key):
        detail = "Idempotency-Key must be 1 to 200 visible ASCII characters, none of them a quote."
        raise problem("bad-header", detail)
    return key


def _preferred_wait_s(request: Request) -> int | None:
    """The wait of the `Prefer` header. [s] A preference that cannot be read is ignored (RFC 7240)."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        match = re.fullmatch(r'\s*wait\s*=\s*"?([0-9]{1,6})"?\s*(;.*)?', preference, re.IGNORECASE)
        if match:
            return int(match[1])
    return None
