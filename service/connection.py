"""Connection: uvicorn's protocols, with bounds on how long a client is waited for.

    a head      from the connection's first moment, or the next request's first byte, for `head_s`
    an answer   as long as it is read: within each `idle_s`, some of it at `bytes_per_s` at the least

Bodies have theirs in `service.routes.body`, which knows who sends them. What is closed by a bound is closed
without a word, and so is a connection whose client says nothing more after an answer that it did not read.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from service.door import Door
from service.places import Place


@dataclass(frozen=True)
class Bounds:
    """How long a client is waited for."""

    head_s: float
    idle_s: float
    bytes_per_s: float


class _Unread:
    """Ends a connection whose client does not read what is sent to it."""

    def __init__(self, transport: asyncio.Transport, bounds: Bounds) -> None:
        self._transport, self._bounds = transport, bounds
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Something waits to be read."""
        if self._timer is None:
            self._left = self._transport.get_write_buffer_size()
            self._later()

    def end(self) -> None:
        """Nothing waits, or nobody does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._bounds.idle_s, self._look)

    def _look(self) -> None:
        left = self._transport.get_write_buffer_size()
        if left > self._left - self._bounds.idle_s * self._bounds.bytes_per_s:
            self._timer = None
            self._transport.abort()
            return
        self._left = left
        self._later()


class HttpConnection(H11Protocol):
    """HTTP, with a place at the door."""

    def __init__(self, door: Door, bounds: Bounds, **given: Any) -> None:
        super().__init__(**given)
        self._door, self._bounds = door, bounds
        self._place: Place | None = None
        self._unread: _Unread | None = None
        self._head: asyncio.TimerHandle | None = None
        self._is_upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection, of which the head of a request is awaited."""
        super().connection_made(transport)
        self._unread = _Unread(transport, self._bounds)
        self._place = self._door.place_of(transport.get_extra_info("socket").fileno())
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Some of a head, or of a body."""
        super().data_received(data)
        self._look()
        if self._head is None and not self._is_answering and not self._is_upgraded:
            self._await_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From here on it is a WebSocket's."""
        self._is_upgraded = True
        super().handle_websocket_upgrade(event)
        self._look()

    def on_response_complete(self) -> None:
        """An answer is written, and perhaps the next one has begun."""
        super().on_response_complete()
        self._end_unread_at_last()
        self._look()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came after the last answer."""
        super().timeout_keep_alive_handler()
        self._end_unread_at_last()

    def eof_received(self) -> None:
        """The client says no more, or gives way to another."""
        super().eof_received()
        if self._unread is not None:
            self._unread.begin()

    def _end_unread_at_last(self) -> None:
        """A connection closes once all is read, which may be never."""
        if self.transport.is_closing() and self._unread is not None:
            self._unread.begin()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        if self._unread is not None:
            self._unread.begin()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        super().resume_writing()
        if self._unread is not None and not self.transport.is_closing():
            self._unread.end()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end_head()
        if self._unread is not None:
            self._unread.end()
        super().connection_lost(exc)

    @property
    def _is_answering(self) -> bool:
        # An answer is complete once it is written, however much of it is still to be sent.
        return self.cycle is not None and (not self.cycle.response_complete or self.flow.write_paused)

    def _look(self) -> None:
        """Note whether it is the client that is waited for."""
        is_busy = self._is_answering or self._is_upgraded
        if is_busy:
            self._end_head()
        if self._place is None or self._door.places is None:
            return
        if is_busy:
            self._door.places.busy(self._place)
        elif self.cycle is not None:
            self._door.places.rest(self._place)

    def _await_head(self) -> None:
        # Aborted, not closed: nothing that was said to it need be read.
        self._head = self.loop.call_later(self._bounds.head_s, self.transport.abort)

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class SocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket."""

    def __init__(self, bounds: Bounds, **given: Any) -> None:
        super().__init__(**given)
        self._bounds = bounds
        self._unread: _Unread | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection whose request was an upgrade."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._unread = _Unread(transport, self._bounds)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        if self._unread is not None:
            self._unread.begin()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._unread is not None:
            self._unread.end()
        super().connection_lost(exc)
