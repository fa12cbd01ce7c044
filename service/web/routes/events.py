"""Events: what happens to a job, as server-sent events, from the last one that the client has."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from service.jobs.errors import NoSuchJob
from service.storage.errors import Unavailable
from service.storage.job import Event, Job
from service.storage.job_states import FINAL, State
from service.web.problem_answers import documented, problem
from service.web.routes.jobs import own_job
from service.web.services import AppState, state_of

router = APIRouter(prefix="/jobs", tags=["jobs"])

HEARTBEAT_S = 15.0
"""A stream without events sends a comment this often, so that no proxy closes it [U]."""

RETRY_MS = 1000
"""When a client with a broken stream should reconnect [U]."""

_DESCRIBED: dict[str, Any] = {
    "parameters": [
        {
            "in": "header",
            "name": "Last-Event-ID",
            "schema": {"type": "string", "pattern": "^[0-9]{0,9}$"},
            "example": "2",
            "description": "The last event that was received; those after it are sent.",
        }
    ]
}

_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"enum": ["progress", *State]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "type": "object",
                "required": ["state", "progress"],
                "properties": {
                    "state": {"$ref": "#/components/schemas/State"},
                    "progress": {"anyOf": [{"$ref": "#/components/schemas/ProgressModel"}, {"type": "null"}]},
                },
            },
        },
        "retry": {"type": "integer"},
    },
}
"""One event of the stream, in the form that FastAPI uses for its own, and OpenAPI 3.2 for all."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events named `progress`, or as the state that was reached; data is JSON: state and "
        "progress, of the last event the whole job.",
        "content": {"text/event-stream": {"itemSchema": _EVENT}},
    },
    204: {"description": "The job has ended, and the client has all its events."},
}


@router.get(
    "/{job_id}/events",
    responses=_STREAM | documented("bad-header", "not-found"),
    response_class=StreamingResponse,
    openapi_extra=_DESCRIBED,
)
async def job_events(request: Request, job_id: str) -> Response:
    """Everything that happens to a job until it ends, as server-sent events with ids."""
    job = await own_job(request, job_id)
    after = _last_seen(request)
    if job.state in FINAL and after >= job.last_event:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(state_of(request), job, after), 200, headers, "text/event-stream")


async def _stream(state: AppState, job: Job, after: int) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    while not state.notifier.closed:
        try:
            events = await run_in_threadpool(state.job_table.events, job.id, after)
            for event in events:
                after = event.number
                if event.state in FINAL:
                    ended = await run_in_threadpool(state.job_table.get, job.id)
                    yield _written(event, ended.to_json())
                    return
                yield _written(event, event.to_json())
        except Unavailable:
            # The client reconnects, and states the last event that it has seen.
            return
        if not events:
            if await _is_over(state, job):
                return
            yield ": nothing new\n\n"
        await state.notifier.wait(job.id, after, HEARTBEAT_S)


async def _is_over(state: AppState, job: Job) -> bool:
    """Whether no more events will come: the job has ended, though the client claims to have seen more, or was
    deleted."""
    try:
        return (await run_in_threadpool(state.job_table.get, job.id)).state in FINAL
    except (NoSuchJob, Unavailable):
        return True


def _written(event: Event, data: dict[str, Any]) -> str:
    name = "progress" if event.phase is not None and event.state not in FINAL else str(event.state)
    return f"id: {event.number}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _last_seen(request: Request) -> int:
    header = request.headers.get("last-event-id", "").strip()
    if header == "":
        return 0
    if not (header.isascii() and header.isdigit() and len(header) <= 9):
        raise problem("bad-header", "Last-Event-ID must be the id of an event: a whole number.")
    return int(header)
