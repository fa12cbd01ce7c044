"""Body: a request's media type, and a small body read within a limit."""

from starlette.requests import ClientDisconnect, Request

from service.problems import problem


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
