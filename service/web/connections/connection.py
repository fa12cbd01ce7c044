"""Connection: uvicorn's protocols, with time limits for slow clients.

    a head      from the connection's first moment, or the next request's first byte, for `head_s`
    an answer   as long as it is read at `bytes_per_s`, in steps (service.web.connections.slow_reader)

Bodies have their limits in `service.web.http.body`, which knows their owner. If a request was answered before
its body arrived, the body is discarded for `head_s` at most. A connection that exceeds a limit is closed
without an answer; so is one whose client sends nothing more after an answer that it did not read.
"""

import asyncio
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from service.web.connections.bounded_reads import BoundedReads
from service.web.connections.connection_limit import ConnectionSlot
from service.web.connections.lingering import LingeringTransport
from service.web.connections.listener import Listener
from service.web.connections.slow_reader import ClientTimeouts, SlowReaderGuard, is_all_read


class HttpConnection(H11Protocol, BoundedReads):
    """HTTP, with a slot of the connection limit."""

    _raw: asyncio.Transport
    _slow_reader: SlowReaderGuard

    def __init__(self, listener: Listener, timeouts: ClientTimeouts, **options: Any) -> None:
        super().__init__(**options)
        self.app = self._closing(self.app)
        self._listener, self._timeouts = listener, timeouts
        self._slot: ConnectionSlot | None = None
        self._head: asyncio.TimerHandle | None = None
        self._is_upgraded = self._is_lingering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection: the head of a request is awaited."""
        super().connection_made(transport)
        self._raw = transport
        self.transport = LingeringTransport(transport, self._linger)  # type: ignore[assignment]
        self._slow_reader = SlowReaderGuard(transport, self._timeouts)
        self._slot = self._listener.slot_of(transport.get_extra_info("socket").fileno())
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Part of a head, or of a body."""
        if self._is_lingering:
            return
        super().data_received(data)
        self._look()
        if self._head is None and not self._is_answering and not self._is_upgraded:
            self._await_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From here on the WebSocket protocol handles the connection."""
        self._is_upgraded = True
        self._slow_reader.end()
        self.transport = self._raw
        self._look()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """An answer was written, and perhaps the next one has begun."""
        super().on_response_complete()
        self._end_unread_at_last()
        self._look()

    def timeout_keep_alive_handler(self) -> None:
        """No request came after the last answer."""
        # Over TLS, unsent data would be lost soon after the close.
        if not self.transport.is_closing() and not is_all_read(self._raw):
            self._slow_reader.begin()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().timeout_keep_alive_handler()
        self._end_unread_at_last()

    def eof_received(self) -> None:
        """The client sends no more, or gives its slot to another."""
        super().eof_received()
        self._slow_reader.begin()

    def pause_writing(self) -> None:
        """The client reads more slowly than the answer is written."""
        super().pause_writing()
        self._slow_reader.begin()
        self._look()

    def resume_writing(self) -> None:
        """The client has read most of the answer."""
        super().resume_writing()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end_head()
        self._slow_reader.end()
        super().connection_lost(exc)

    def _closing(self, app: ASGIApp) -> ASGIApp:
        """Adds `Connection: close` to an answer that comes before the whole body."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start" and self.conn.their_state is h11.SEND_BODY:
                    message = {**message, "headers": [*message.get("headers", ()), CLOSE_HEADER]}
                await send(message)

            await app(scope, receive, send_on)

        return answer

    def _linger(self) -> bool:
        """Whether the client still sends a body, or something that is not HTTP: then its data is
        discarded."""
        if self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            return False
        self._is_lingering = True
        self.flow.resume_reading()
        self._end_head()
        self._await_head()
        return True

    def _end_unread_at_last(self) -> None:
        """A connection closes once everything is read, which may be never."""
        if self.transport.is_closing():
            self._slow_reader.begin()

    @property
    def _is_answering(self) -> bool:
        return not self._is_lingering and self.cycle is not None and not self.cycle.response_complete

    def _look(self) -> None:
        """Record whether the connection waits for its client."""
        waits_for_reader = self.flow.write_paused and not self._is_lingering
        if self._is_answering or self._is_upgraded or waits_for_reader:
            self._end_head()
        if self._slot is None or self._listener.limit is None:
            return
        if waits_for_reader:
            self._listener.limit.wait_for_reader(self._slot)
        elif self._is_answering or self._is_upgraded:
            self._listener.limit.busy(self._slot)
        elif self.cycle is not None:
            self._listener.limit.rest(self._slot)

    def _await_head(self) -> None:
        # Aborted, not closed: the client need not read what was sent to it.
        self._head = self.loop.call_later(self._timeouts.head_s, self._raw.abort)

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class SocketConnection(WebSocketsSansIOProtocol, BoundedReads):
    """A WebSocket, with the slot of the request that opened it."""

    _slow_reader: SlowReaderGuard

    def __init__(self, listener: Listener, timeouts: ClientTimeouts, **options: Any) -> None:
        super().__init__(**options)
        self._listener, self._timeouts = listener, timeouts
        self._slot: ConnectionSlot | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection whose request was an upgrade."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._slow_reader = SlowReaderGuard(transport, self._timeouts)
        self._slot = self._listener.slot_of(transport.get_extra_info("socket").fileno())

    def pause_writing(self) -> None:
        """The client reads more slowly than messages are written."""
        super().pause_writing()
        self._slow_reader.begin()
        if self._slot is not None and self._listener.limit is not None:
            self._listener.limit.wait_for_reader(self._slot)

    def resume_writing(self) -> None:
        """The client has read most of the messages."""
        super().resume_writing()
        if self._slot is not None and self._listener.limit is not None:
            self._listener.limit.busy(self._slot)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._slow_reader.end()
        super().connection_lost(exc)
