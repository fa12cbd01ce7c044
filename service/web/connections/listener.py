"""Listener: the socket that listens. Each connection has a slot from its first moment to its last, whatever
is spoken over it, so that there are always fewer of them than file descriptors.
"""

import contextlib
import errno
import logging
import os
import socket
import time
import weakref
from typing import Any

from service.web.connections.connection_limit import ConnectionLimit, ConnectionSlot

_log = logging.getLogger("seedpath.listener")

REST_S = 1.0
"""How long nothing is accepted where the system has no room for more: as asyncio rests."""

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
"""What an operating system says where a process, or the whole system, has no file descriptor left."""

NO_RESOURCES = (*NO_DESCRIPTORS, errno.ENOBUFS, errno.ENOMEM)


class AcceptedConnection(socket.socket):
    """A connection that was accepted. It knows when it is closed, and whoever closes it."""

    at_end: "weakref.finalize[Any, Any] | None" = None

    def close(self) -> None:
        """Close it, and give its slot back."""
        super().close()
        if self.at_end is not None:
            self.at_end()


class Listener(socket.socket):
    """A socket that listens, and accepts as many connections as there are limit for. It is used by an event
    loop, which calls `accept` until that would block."""

    limit: ConnectionLimit | None = None

    def __init__(self, listening: socket.socket) -> None:
        kind = (listening.family, listening.type, listening.proto)
        super().__init__(*kind, fileno=listening.detach())
        self._at: dict[int, ConnectionSlot] = {}
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        self._closed_until_s = 0.0
        self._waits = False

    def slot_of(self, descriptor: int) -> ConnectionSlot | None:
        """The slot of the connection that has this file descriptor."""
        return self._at.get(descriptor)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that has a slot; who has none is turned away. Raises BlockingIOError."""
        if self._waits or time.monotonic() < self._closed_until_s:
            # Who gives way does so in the loop's next turn: there are never more at a time than limit.
            self._waits = False
            raise BlockingIOError
        try:
            accepted, address = super().accept()
        except OSError as error:
            if error.errno in NO_RESOURCES:
                self._turn_away_unseen(error)
            raise
        connection = AcceptedConnection(self.family, self.type, self.proto, fileno=accepted.detach())
        if self.limit is not None and not self._is_seated(connection, str(address[0]), self.limit):
            connection.close()
            _log.warning("a connection was turned away: all %d limit are taken", self.limit.most)
            # One for each turn of the loop, so that a crowd holds nobody up.
            raise BlockingIOError
        return connection, address

    def close(self) -> None:
        """Listen no more."""
        super().close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _is_seated(self, connection: AcceptedConnection, address: str, limit: ConnectionLimit) -> bool:
        gone = weakref.ref(connection)

        def leave() -> None:
            self._waits = True
            leaving = gone()
            if leaving is not None:
                # The loop reads its end, and closes it as if the client had left: what is written to it is
                # still sent. Where that is what it waits for, the loop finds that it cannot be written.
                how = socket.SHUT_RDWR if slot is not None and slot.waits_for_reader else socket.SHUT_RD
                with contextlib.suppress(OSError):
                    leaving.shutdown(how)

        slot = limit.take(address, leave)
        if slot is None:
            return False
        descriptor = connection.fileno()
        self._at[descriptor] = slot
        connection.at_end = weakref.finalize(connection, self._ended, descriptor, slot, limit)
        return True

    def _ended(self, descriptor: int, slot: ConnectionSlot, limit: ConnectionLimit) -> None:
        limit.end(slot)
        if self._at.get(descriptor) is slot:
            del self._at[descriptor]

    def _turn_away_unseen(self, error: OSError) -> None:
        """Close the connection that waits longest, by the descriptor that is kept for this: else the loop
        would be told of it without end. Raises BlockingIOError; where that cannot be, nothing is accepted for
        a while, and `error` is the caller's to raise, once."""
        if error.errno in NO_DESCRIPTORS and self._spare is not None:
            os.close(self._spare)
            self._spare = None
            try:
                super().accept()[0].close()
                self._spare = os.open(os.devnull, os.O_RDONLY)
            except OSError as again:
                error = again
            else:
                _log.error("a connection was turned away: no file descriptor is left")
                raise BlockingIOError
        self._closed_until_s = time.monotonic() + REST_S
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY)
