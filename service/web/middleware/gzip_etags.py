"""Gzip middleware: answers are compressed for clients that accept it, and then have their own ETag (RFC 9110,
8.8.3).

    plain "5e5e..."        compressed "5e5e...-gzip"

Both are strong: each names certain bytes, and a client that has read either may require it by If-Match.
`Vary` says that there are two, on every answer with a tag; also on a 304, which must have the headers of its
200 (15.4.5).
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FROM_BYTES, LEVEL = 1000, 3
"""Smaller answers fit a packet anyway; a higher level delays everybody for little gain [U]."""

SUFFIX = "-gzip"
"""Suffix of the tag of a compressed answer. No other tag ends so."""


class GzipMiddleware:
    """ASGI middleware around the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = GZipMiddleware(app, FROM_BYTES, LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, compressed if the client accepts it."""

        async def send_told_apart(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag")
                if tag is not None:
                    if "accept-encoding" not in headers.get("vary", "").lower():
                        headers.add_vary_header("Accept-Encoding")
                    if headers.get("content-encoding") == "gzip":
                        headers["etag"] = f'{tag[:-1]}{SUFFIX}"'
            await send(message)

        await self._app(scope, receive, send_told_apart)
