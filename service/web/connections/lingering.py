"""Lingering: a transport that is closed only after its client has stopped sending.

A system that closes a connection with unread data resets it, and the written answer may be lost on its way
(RFC 9112, 9.6). So the sending side is closed first, and incoming data is discarded for a while.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """An asyncio transport. Its `close` asks `lingers`; if that is true, the connection ends it later."""

    def __init__(self, transport: asyncio.Transport, lingers: Callable[[], bool]) -> None:
        self._transport, self._lingers = transport, lingers
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Close, or linger; a second call closes."""
        if self._is_closing or not self._lingers():
            self._transport.close()
            return
        self._is_closing = True
        # TLS closes both sides at once: its clients learn it only from a header.
        if self._transport.can_write_eof():
            self._transport.write_eof()
