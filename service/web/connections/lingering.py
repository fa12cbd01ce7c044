"""LingeringTransport: a transport that is closed only once its client is done, where that still sends.

A system that is told to close a connection with something unread resets it, and what was written may be lost
on its way (RFC 9112, 9.6). So the sending side is closed, and what comes is thrown away, for a while.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """An asyncio transport. Its `close` asks whether the connection `lingers`, which then ends it."""

    def __init__(self, transport: asyncio.Transport, lingers: Callable[[], bool]) -> None:
        self._transport, self._lingers = transport, lingers
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is to be written."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Close, or linger; at the second time, close."""
        if self._is_closing or not self._lingers():
            self._transport.close()
            return
        self._is_closing = True
        # TLS closes both sides at once: its clients are told by a header alone.
        if self._transport.can_write_eof():
            self._transport.write_eof()
