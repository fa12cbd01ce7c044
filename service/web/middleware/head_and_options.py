"""HEAD and OPTIONS: methods that an address offers besides those of its routes: HEAD where there is GET,
OPTIONS, and all of them in `Allow`.

A route knows only its own methods, while several routes may share an address: each method is tried on all
routes.
"""

import asyncio

from starlette.responses import Response
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTED = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""HeadAndOptionsMiddleware that routes may have."""


class HeadAndOptionsMiddleware:
    """ASGI middleware around an app with this router."""

    def __init__(self, app: ASGIApp, router: Router) -> None:
        self._app, self._router = app, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, HEAD as GET; answer OPTIONS."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "OPTIONS" and (offered := self._offered(scope)):
            await Response(status_code=204, headers={"Allow": offered})(scope, receive, send)
            return

        async def send_with_allow(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                others = [(name, value) for name, value in message["headers"] if name.lower() != b"allow"]
                message = {**message, "headers": [*others, (b"allow", self._offered(scope).encode())]}
            await send(message)

        if method == "HEAD":
            await self._head(scope, receive, send_with_allow)
        else:
            await self._app(scope, receive, send_with_allow)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What GET answers, without its body. An endless stream is told that its client has left."""
        answered = asyncio.Event()

        async def send_head(message: Message) -> None:
            if answered.is_set():
                return
            if message["type"] == "http.response.body":
                answered.set()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        async def receive_until_answered() -> Message:
            receiving = asyncio.ensure_future(receive())
            answering = asyncio.ensure_future(answered.wait())
            try:
                await asyncio.wait((receiving, answering), return_when=asyncio.FIRST_COMPLETED)
                return receiving.result() if receiving.done() else {"type": "http.disconnect"}
            finally:
                receiving.cancel()
                answering.cancel()

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive_until_answered, send_head)
        finally:
            # The metrics count requests by their route.
            scope["route"] = as_get.get("route")

    def _offered(self, scope: Scope) -> str:
        """The methods of the request's address, for `Allow`; "" if there are none."""
        methods = [
            method
            for method in ROUTED
            if any(
                route.matches({**scope, "method": method})[0] is Match.FULL for route in self._router.routes
            )
        ]
        if "GET" in methods:
            methods.insert(1, "HEAD")
        return ", ".join([*methods, "OPTIONS"] if methods else [])
