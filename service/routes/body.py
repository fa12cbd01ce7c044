"""Body: a request's media type, and a small body, or one of strict JSON, read within a limit."""

from starlette.requests import ClientDisconnect, Request

from service.problems import of_json, problem
from service.strict_json import Model, NotJson, Refused, read_model


def media_type(request: Request) -> str:
    """The body's media type, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def small_body(request: Request, max_bytes: int) -> bytes:
    """The body. Raises Problem as soon as it is longer than `max_bytes`, or when it breaks off."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise problem("too-large", f"The body is longer than {max_bytes} bytes.")
    except ClientDisconnect:
        raise problem("malformed-json", "The body broke off. Send it again.") from None
    return bytes(body)


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
