"""Revocation: open connections of a key end when it is revoked: WebSockets, event streams, waiting requests.

Keys are checked again as long as anything is open. Messages of the app for an ended request are dropped, and
the app is told that the client has gone.
"""

import asyncio
import logging
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.middleware.keys import Key, Keys, KeysError
from service.web.problem_answers import answer, problem

_log = logging.getLogger("seedpath.auth")

CHECK_KEYS_EVERY_S = 0.5
"""Time between two checks: the longest time that something stays open after its key was revoked [U]."""

REVOKED = "The key was revoked. Ask with another."


class Revocation:
    """Everything that is open under a key in this server."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._open: set[_Open] = set()
        self._looking: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def serve(self, app: ASGIApp, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` answer a request as long as its key is valid."""
        connection = _Open(key, scope, receive, send)
        self._open.add(connection)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            await app(scope, connection.receive, connection.send)
        finally:
            self._open.discard(connection)

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(CHECK_KEYS_EVERY_S)
            bad = {key for key in {connection.key for connection in self._open} if not self._is_good(key)}
            for connection in [connection for connection in self._open if connection.key in bad]:
                self._open.discard(connection)
                # Each in its own task: a client that does not read delays nobody else's end.
                task = asyncio.get_running_loop().create_task(connection.end())
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    def _is_good(self, key: Key) -> bool:
        try:
            return self._keys.is_good(key)
        except (KeysError, OSError) as error:
            # As in the authentication middleware: keys that cannot be read admit nobody.
            _log.error("the keys cannot be read: %s", error)
            return False


class _Open:
    """One request that is being answered."""

    def __init__(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        self.key = key
        self._scope, self._receive, self._send = scope, receive, send
        self._is_socket = scope["type"] == "websocket"
        # One message at a time, so that an end never comes in the middle of another.
        self._sending = asyncio.Lock()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun = self._endless = self._over = False

    async def receive(self) -> Message:
        """The next message from the client, or that it has gone."""
        receiving = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((receiving, self._ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not receiving.done():
                receiving.cancel()
        if self._ended.done():
            return (
                {"type": "websocket.disconnect", "code": 1008}
                if self._is_socket
                else {"type": "http.disconnect"}
            )
        message = receiving.result()
        self._over = self._over or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on, unless the request was ended. An answer of known length is completed."""
        async with self._sending:
            if self._ended.done() and not (self._begun and not self._endless):
                return
            self._note(message)
            await self._send(message)

    def _note(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                self._begun = True
                self._endless = "content-length" not in Headers(raw=message["headers"])
            case "http.response.body":
                self._over = not message.get("more_body", False)
            case "websocket.close":
                self._over = True

    async def end(self) -> None:
        """End the request as its protocol requires."""
        self._ended.set_result(None)
        async with self._sending:
            if self._over:
                return
            try:
                if self._is_socket:
                    await self._send({"type": "websocket.close", "code": 1008, "reason": REVOKED})
                elif not self._begun:
                    refusal: Any = answer(problem("no-key", REVOKED).report, {"WWW-Authenticate": "Bearer"})
                    await refusal(self._scope, self._receive, self._send)
                elif self._endless:
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            except OSError:
                # The client has already gone.
                return
