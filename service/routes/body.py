"""Body: a request's media type, and a small body, or one of strict JSON, read within a limit."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request

from service.parts import parts_of
from service.problems import Problem, of_json, problem
from service.strict_json import Model, NotJson, Refused, read_model


def media_type(request: Request) -> str:
    """The body's media type, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def chunks(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it arrives. Raises Problem when it stands still, and ClientDisconnect."""
    idle_s = parts_of(request).settings.body_idle_s
    stream = aiter(request.stream())
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), idle_s)
        except StopAsyncIteration:
            return
        except TimeoutError:
            detail = f"Nothing of the body arrived for {idle_s:g} s. Send it again, without a pause."
            raise Problem(problem("too-slow", detail).report, {"Connection": "close"}) from None


async def small_body(request: Request, max_bytes: int) -> bytes:
    """The body. Raises Problem as soon as it is longer than `max_bytes`, or when it breaks off."""
    body = bytearray()
    try:
        async for chunk in chunks(request):
            body += chunk
            if len(body) > max_bytes:
                raise problem("too-large", f"The body is longer than {max_bytes} bytes.")
    except ClientDisconnect:
        raise problem("malformed-json", "The body broke off. Send it again.") from None
    return bytes(body)


def stated(model: type[BaseModel], example: Any) -> dict[str, Any]:
    """How OpenAPI states a body of strict JSON that `json_body` reads."""
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
        return body, read_model(model, body, max_bytes)
    except (NotJson, Refused) as error:
        raise of_json(error) from None
