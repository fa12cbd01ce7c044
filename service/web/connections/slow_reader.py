"""Slow reader guard: ends a connection whose client does not read what is written to it.

Written data is in this process, then in the system's send buffer (megabytes of it), until the client's system
acknowledges it. Only the acknowledgements show steadily that somebody reads: Linux refills a send buffer by a
third at a time, and TLS has a buffer of its own in between.
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
"""A client's system may acknowledge in steps, each up to this size: at most half of it on loopback, whose
segments have 64 KiB (RFC 9293, 3.8.6.2.2: windows open by whole segments) [U]."""

_ACKNOWLEDGED_AT = 120
"""Offset of `tcpi_bytes_acked` in Linux's `struct tcp_info`, 64 bits, since 4.1 (linux/tcp.h, RFC 4898)."""


@dataclass(frozen=True)
class ClientTimeouts:
    """Time limits for a slow client."""

    head_s: float
    idle_s: float
    bytes_per_s: float


def acknowledged(transport: asyncio.Transport) -> int:
    """A number that grows by the bytes that the client has taken."""
    if sys.platform == "linux":
        info = _socket(transport).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED_AT + 8)
        if len(info) == _ACKNOWLEDGED_AT + 8:
            return int.from_bytes(info[_ACKNOWLEDGED_AT:], sys.byteorder)
    return -transport.get_write_buffer_size()


def is_all_read(transport: asyncio.Transport) -> bool:
    """Whether all written data has arrived."""
    waiting: int = transport.get_write_buffer_size()
    if sys.platform == "linux":
        answer = fcntl.ioctl(_socket(transport).fileno(), termios.TIOCOUTQ, bytes(4))
        waiting += struct.unpack("i", answer)[0]
    return waiting == 0


def _socket(transport: asyncio.Transport) -> Any:
    """As asyncio shows it."""
    return transport.get_extra_info("socket")


class SlowReaderGuard:
    """Watches the written data of one connection, from `begin` until all of it is read.

    A client has `idle_s` plus the time of one step at `bytes_per_s`. What it takes adds more time, but never
    more than that is saved up.
    """

    def __init__(self, transport: asyncio.Transport, timeouts: ClientTimeouts) -> None:
        self._transport, self._timeouts = transport, timeouts
        self._of_look = timeouts.idle_s * timeouts.bytes_per_s
        self._most = self._of_look + STEP_BYTES
        self._credit, self._seen = 0.0, 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Some written data waits to be read."""
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
        acknowledged_bytes = acknowledged(self._transport)
        self._credit = min(self._most, self._credit + acknowledged_bytes - self._seen - self._of_look)
        self._seen = acknowledged_bytes
        if self._credit <= 0.0:
            self._transport.abort()
        else:
            self._later()
