"""Body: a request's media type, and a small body, or one of strict JSON, read within a limit."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request

from service.schemas.json.strict import Model, NotJson, Refused, read_model
from service.web.http.owner import held_by, owner_of
from service.web.problem_answers import json_problem, problem
from service.web.services import state_of


def media_type(request: Request) -> str:
    """The body's media type, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class BodyTimeout:
    """Time limit of a body: `idle_s` for each next part, and in all `idle_s` plus what the received bytes
    take at the lowest rate."""

    idle_s: float
    bytes_per_s: float
    waited_s: float = 0.0
    received: int = 0

    @property
    def left_s(self) -> float:
        """How long to wait for the next part."""
        return max(0.0, min(self.idle_s, self.idle_s + self.received / self.bytes_per_s - self.waited_s))

    def note(self, seconds: float, received: int) -> None:
        """Record `received` bytes after `seconds`."""
        self.waited_s += seconds
        self.received += received

    @property
    def refusal(self) -> str:
        """The message when the time is over."""
        return (
            f"The body paused for {self.idle_s:g} s, or was slower than {self.bytes_per_s:g} bytes/s. "
            "Send it again, without a pause."
        )


async def chunks(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it arrives. Raises Problem if it pauses too long or is too slow, and ClientDisconnect."""
    timeout = BodyTimeout(state_of(request).settings.body_idle_s, state_of(request).settings.body_bytes_per_s)
    stream = aiter(request.stream())
    while True:
        began = time.monotonic()
        try:
            chunk = await asyncio.wait_for(anext(stream), timeout.left_s)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise problem("too-slow", timeout.refusal) from None
        # The time that the service spends on a chunk does not count.
        timeout.note(time.monotonic() - began, len(chunk))
        yield chunk


async def small_body(request: Request, max_bytes: int) -> bytes:
    """The body, which stays in memory until the request ends. Raises Problem as soon as it is longer than
    `max_bytes`, if its owner has too much under way, and if it is incomplete."""
    body, held_bytes = bytearray(), held_by(request)
    try:
        async for chunk in chunks(request):
            held_bytes.hold(len(chunk))
            body += chunk
            if len(body) > max_bytes:
                raise problem("too-large", f"The body is longer than {max_bytes} bytes.")
    except ClientDisconnect:
        raise problem("malformed-json", "The body broke off. Send it again.") from None
    return bytes(body)


def stated(model: type[BaseModel], example: Any) -> dict[str, Any]:
    """The OpenAPI description of a body of strict JSON that `json_body` reads."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def json_body(request: Request, model: type[Model], max_bytes: int, hint: str) -> tuple[bytes, Model]:
    """The body, and what it means as strict JSON.

    Raises Problem for another media type, what is no JSON, and wrong fields.
    """
    if media_type(request) != "application/json":
        raise problem("unsupported-media-type", f"Send the body as application/json; {hint}.")
    try:
        body = await small_body(request, max_bytes)
        reader = partial(read_model, model, max_bytes=max_bytes)
        return body, await state_of(request).large_json.read(owner_of(request), body, reader)
    except (NotJson, Refused) as error:
        raise json_problem(error) from None
