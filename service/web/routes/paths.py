"""Paths: needles that a user moves, appraised at once, over HTTP or a WebSocket."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from service.host.errors import ServiceError
from service.schemas.appraisal import MAX_NEEDLES_BYTES, AppraisalsModel, NeedlesBody, NeedlesMessage
from service.schemas.json.strict import NotJson, Refused, parsed, validated
from service.schemas.request.model import PlanRequest
from service.settings import MIB
from service.storage.errors import NotHeld
from service.web.http.body import json_body, stated
from service.web.http.owner import held_by, owner_of
from service.web.middleware.rate_limit import too_many
from service.web.problem_answers import OF_A_BODY, OF_A_CASE, Problem, documented, json_problem, problem_of
from service.web.services import state_of

router = APIRouter(prefix="/cases", tags=["paths"])

PROTOCOL = "seedpath.v1"
"""The WebSocket's subprotocol, for browsers that send a key as another one."""

CACHE_KEY_FIELDS = {"target", "needle", "clearance_mm", "roles", "pose", "seeds", "search"}
"""What an appraisal depends on: of the seeds their length, of the search its field resolution."""

HELD_BY_SOCKET_BYTES = 4 * MIB
"""What a socket may keep in memory: the message that is being answered, the next one, which is received
meanwhile, the beginning of one more, and room for a text of wide characters, with up to four bytes for
each."""

LONGEST_PAUSE_S = 1.0
"""Longest pause after a message that came too soon: the longest delay in noticing a closed socket [U]."""

MOST_OF_REASON = 120
"""Characters of a reason for closing: a control frame has up to 123 bytes of it (RFC 6455, 5.5)."""

_EXAMPLE = {
    "paths": [{"entry_mm": [20.0, -120.0, 10.0], "tip_mm": [-12.0, -20.0, 12.0], "aim": "ptv"}],
    "request": {"target": {"structure": "node_4R"}},
}


@router.post(
    "/{case_id}/paths:evaluate",
    response_model=AppraisalsModel,
    openapi_extra=stated(NeedlesBody, _EXAMPLE),
    responses=documented(*OF_A_BODY, *OF_A_CASE, "limit-reached"),
)
async def evaluate_paths(request: Request, case_id: str) -> Response:
    """Appraise needles: where each runs, what it comes near, and whether it is safe."""
    state = state_of(request)
    stored = await run_in_threadpool(state.library.case, owner_of(request), case_id)
    hint = 'as {"paths": [{"entry_mm": [x, y, z], "tip_mm": [x, y, z]}]}'
    _, body = await json_body(request, NeedlesBody, MAX_NEEDLES_BYTES, hint)
    matters = cache_key(body.request)
    answer = await state.appraisers.appraised(owner_of(request), stored, matters, body)
    return Response(answer, media_type="application/json")


@router.websocket("/{case_id}/paths")
async def paths_socket(socket: WebSocket, case_id: str) -> None:
    """The same over a WebSocket: one answer for each message, in order. Each counts as a request does."""
    state, owner = state_of(socket), owner_of(socket)
    protocol = PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", []) else None
    try:
        stored = await run_in_threadpool(state.library.case, owner, case_id)
    except ServiceError as error:
        if not isinstance(error, NotHeld):
            # A reason for closing has no room for a remedy.
            await socket.accept(protocol)
            await _send_problem(socket, None, error)
        await socket.close(1008, problem_of(error).report.detail[:MOST_OF_REASON])
        return
    try:
        held_by(socket).hold(HELD_BY_SOCKET_BYTES)
    except Problem as refused:
        await socket.close(1013, refused.report.detail)
        return
    await socket.accept(protocol)
    reader = state.large_json.read
    request = PlanRequest()
    while (content := await _received(socket)) is not None:
        id: Any = None
        wait_s = state.rate_limiter.spend(owner)
        try:
            if wait_s is not None:
                id = await reader(owner, content, _id_in)
                raise too_many(wait_s)
            id, message = await reader(owner, content, _message_in)
            if isinstance(message, Refused):
                raise message
            current_request = message.request if "request" in message.model_fields_set else request
            answer = await state.appraisers.appraised(owner, stored, cache_key(current_request), message)
            request = current_request
            # The answer is JSON already, an object: the id becomes its first member.
            await socket.send_text(f'{{"id":{json.dumps(id)},{answer.decode()[1:]}')
        except (NotJson, Refused) as error:
            await _send_problem(socket, id, json_problem(error))
        except ServiceError as error:
            await _send_problem(socket, id, error)
        if wait_s is not None:
            # The next message is not read sooner, because a refusal also takes time.
            await asyncio.sleep(min(wait_s, LONGEST_PAUSE_S))


async def _received(socket: WebSocket) -> bytes | None:
    """The next message, text or bytes; None when the client has gone."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    payload: bytes = message.get("bytes") or (message.get("text") or "").encode()
    return payload


def _message_in(content: bytes) -> tuple[Any, NeedlesMessage | Refused]:
    """The message, or what is wrong with it, and its id, because a refusal also states which message it
    answers. Raises NotJson."""
    text, document = parsed(content, MAX_NEEDLES_BYTES)
    try:
        return _id_of(document), validated(NeedlesMessage, text, document)
    except Refused as refused:
        return _id_of(document), refused


def _id_in(content: bytes) -> Any:
    """The message's id alone. Raises NotJson."""
    return _id_of(parsed(content, MAX_NEEDLES_BYTES)[1])


def _id_of(document: Any) -> Any:
    id = document.get("id") if isinstance(document, dict) else None
    return id if isinstance(id, int | str) and len(str(id)) <= 100 else None


async def _send_problem(socket: WebSocket, id: Any, error: ServiceError) -> None:
    answer = {"id": id, "problem": problem_of(error).report.to_json()}
    await socket.send_text(json.dumps(answer, ensure_ascii=False))


def cache_key(request: BaseModel) -> bytes:
    """One text for one request, however it was written, so that its scene is found in the cache."""
    return request.model_dump_json(by_alias=True, include=CACHE_KEY_FIELDS).encode()
