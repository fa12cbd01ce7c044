"""Listener: the listening socket. Each connection has a slot from its first moment to its last, whatever
protocol it uses, so that there are always fewer connections than file descriptors."""

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
"""How long nothing is accepted if the system has no resources left, as in asyncio."""

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
"""Errors of a process, or of the whole system, without a free file descriptor."""

NO_RESOURCES = (*NO_DESCRIPTORS, errno.ENOBUFS, errno.ENOMEM)


class AcceptedConnection(socket.socket):
    """An accepted connection. It knows when it is closed, whoever closes it."""

    at_end: "weakref.finalize[Any, Any] | None" = None

    def close(self) -> None:
        """Close it, and free its slot."""
        super().close()
        if self.at_end is not None:
            self.at_end()


class Listener(socket.socket):
    """A listening socket that accepts as many connections as there are slots. An event loop calls `accept`
    until it would block."""

    limit: ConnectionLimit | None = None

    def __init__(self, listening: socket.socket) -> None:
        kind = (listening.family, listening.type, listening.proto)
        super().__init__(*kind, fileno=listening.detach())
        self._at: dict[int, ConnectionSlot] = {}
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        self._closed_until_s = 0.0
        self._waits = False

    def slot_of(self, descriptor: int) -> ConnectionSlot | None:
        """The slot of the connection with this file descriptor."""
        return self._at.get(descriptor)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that gets a slot; one without is refused. Raises BlockingIOError."""
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
            # One for each turn of the loop, so that many connections delay nobody.
            raise BlockingIOError
        return connection, address

    def close(self) -> None:
        """Stop listening."""
        super().close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _is_seated(self, connection: AcceptedConnection, address: str, limit: ConnectionLimit) -> bool:
        reference = weakref.ref(connection)

        def leave() -> None:
            self._waits = True
            leaving = reference()
            if leaving is not None:
                # The loop reads the end of input, and closes it as if the client had left: written data is
                # still sent. If the connection waits for that, the loop finds that it cannot write.
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
        """Close the connection that waits longest, using the spare descriptor: otherwise the event loop would
        report it again and again. Raises BlockingIOError. If that fails, nothing is accepted for a while, and
        the caller raises `error` once."""
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
