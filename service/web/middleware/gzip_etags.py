"""GzipMiddleware: answers are gzipped for who takes them so, and then have an ETag of their own (RFC 9110,
8.8.3).

    plain "5e5e..."        packed "5e5e...-gzip"

Both are strong: each names certain bytes, and who has read either may insist on it by If-Match. That there
are two is said by `Vary` on whatever has a tag, on a 304 too, which must say what its 200 says (15.4.5).
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FROM_BYTES, LEVEL = 1000, 3
"""What is smaller fits a packet anyway; a higher level holds everybody up for little [U]."""

SUFFIX = "-gzip"
"""Of the tag of what was packed. No tag ends so by itself."""


class GzipMiddleware:
    """ASGI middleware around the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = GZipMiddleware(app, FROM_BYTES, LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app answer, packed where the client takes it."""

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
