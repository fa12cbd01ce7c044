"""Channel: whole messages over a socket, between a sandbox and its parent.

The parent's side sends and receives as much as is possible at the moment: it never waits for a process that
stalls in the middle of a message. Messages are pickled, preceded by their length in eight bytes.
"""

import contextlib
import pickle
import select
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!Q")

_CHUNK_BYTES = 1 << 20


class Channel:
    """The parent's side, which never waits."""

    def __init__(self, ours: socket.socket) -> None:
        ours.setblocking(False)
        self._socket = ours
        self._sending = memoryview(b"")
        self._received = bytearray()

    def send(self, message: Any) -> None:
        """Queue a message; the next calls of `turn` send it. Raises what pickling raises."""
        self._sending = memoryview(bytes(self._sending) + _framed(message))

    def turn(self, most_s: float) -> Any | None:
        """Send and receive what is possible within `most_s`. Returns a complete message, or None.

        Raises EOFError and OSError where the other side is gone.
        """
        if not self._is_whole():
            self._pass_on(most_s)
        return self._next() if self._is_whole() else None

    def is_gone(self) -> bool:
        """Whether the other side, which has nothing to send, is gone."""
        return bool(self._polled(select.POLLIN, 0.0))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _pass_on(self, most_s: float) -> None:
        events = select.POLLIN | (select.POLLOUT if self._sending else 0)
        ready = self._polled(events, most_s)
        # The socket may no longer be ready: then the next call sends and receives.
        with contextlib.suppress(BlockingIOError):
            if ready & select.POLLOUT:
                count = self._socket.send(self._sending[:_CHUNK_BYTES])
                self._sending = self._sending[count:]
            if ready & ~select.POLLOUT:
                received = self._socket.recv(_CHUNK_BYTES)
                if not received:
                    raise EOFError
                self._received += received

    def _polled(self, events: int, most_s: float) -> int:
        poll = select.poll()
        poll.register(self._socket, events)
        return next((event for _, event in poll.poll(1000.0 * most_s)), 0)

    @property
    def _end(self) -> int:
        """Where the first received message ends."""
        (length,) = _LENGTH.unpack_from(self._received)
        return _LENGTH.size + int(length)

    def _is_whole(self) -> bool:
        return len(self._received) >= _LENGTH.size and len(self._received) >= self._end

    def _next(self) -> Any:
        end = self._end
        message = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        return pickle.loads(message)


def write(theirs: socket.socket, message: Any) -> None:
    """Send a whole message, from the side that may wait. Raises OSError, and what pickling raises."""
    theirs.sendall(_framed(message))


def read(theirs: socket.socket) -> bytearray:
    """Wait for a message; it is still pickled. Raises EOFError and OSError where the other side is gone."""
    return _exactly(theirs, _LENGTH.unpack(_exactly(theirs, _LENGTH.size))[0])


def _exactly(theirs: socket.socket, count: int) -> bytearray:
    received = bytearray(count)
    unfilled = memoryview(received)
    while unfilled:
        byte_count = theirs.recv_into(unfilled)
        if byte_count == 0:
            raise EOFError
        unfilled = unfilled[byte_count:]
    return received


def _framed(message: Any) -> bytes:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content
