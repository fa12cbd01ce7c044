"""SlowReaderGuard: ends a connection whose client does not read what is written to it.

What is written lies in this process, then in the system's send buffer, megabytes of it, until the client's
system acknowledges it. Of these, the last alone tells steadily that somebody reads: Linux moves a send buffer
on by a third at a time, and TLS has a buffer of its own between the two.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from dataclasses import dataclass
from typing import Any

STEP_BYTES = 128 << 10
"""A client's system may acknowledge what is read in steps, each within this: of half or less on loopback,
whose segments are of 64 KiB (RFC 9293, 3.8.6.2.2: windows open by whole segments) [U]."""

_ACKNOWLEDGED_AT = 120
"""Where `tcpi_bytes_acked` stands in Linux' `struct tcp_info`, 64 bits, since 4.1 (linux/tcp.h, RFC 4898)."""


@dataclass(frozen=True)
class ClientTimeouts:
    """How long a client is waited for."""

    head_s: float
    idle_s: float
    bytes_per_s: float


def acknowledged(transport: asyncio.Transport) -> int:
    """A number that grows by as many bytes as the client has taken."""
    if sys.platform == "linux":
        taken = _socket(transport).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED_AT + 8)
        if len(taken) == _ACKNOWLEDGED_AT + 8:
            return int.from_bytes(taken[_ACKNOWLEDGED_AT:], sys.byteorder)
    return -transport.get_write_buffer_size()


def is_all_read(transport: asyncio.Transport) -> bool:
    """Whether nothing that was written is still on its way."""
    waiting: int = transport.get_write_buffer_size()
    if sys.platform == "linux":
        answer = fcntl.ioctl(_socket(transport).fileno(), termios.TIOCOUTQ, bytes(4))
        waiting += struct.unpack("i", answer)[0]
    return waiting == 0


def _socket(transport: asyncio.Transport) -> Any:
    """As asyncio shows it."""
    return transport.get_extra_info("socket")


class SlowReaderGuard:
    """Looks after what is written on one connection, from `begin` until all of it is read.

    A client has `idle_s` and what a step takes at `bytes_per_s`, and as much longer as what it takes is
    worth, of which no more than that is kept.
    """

    def __init__(self, transport: asyncio.Transport, timeouts: ClientTimeouts) -> None:
        self._transport, self._timeouts = transport, timeouts
        self._of_look = timeouts.idle_s * timeouts.bytes_per_s
        self._most = self._of_look + STEP_BYTES
        self._credit, self._seen = 0.0, 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Something waits to be read."""
        if self._timer is None:
            self._credit, self._seen = self._most, acknowledged(self._transport)
            self._later()

    def end(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._timeouts.idle_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if is_all_read(self._transport):
            return
        seen = acknowledged(self._transport)
        self._credit = min(self._most, self._credit + seen - self._seen - self._of_look)
        self._seen = seen
        if self._credit <= 0.0:
            self._transport.abort()
        else:
            self._later()
