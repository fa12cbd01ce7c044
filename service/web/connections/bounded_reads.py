"""Bounded reads: a connection's protocol gets a small piece at a time, with a turn of the event loop in
between, so that no client blocks the loop for long, whatever it sends."""

import asyncio

PIECE_BYTES = 4 << 10
"""These can contain a thousand events: chunks or frames of one byte. h11 needs 3.5 ms of processor time for
them, where asyncio's own 256 KiB need 250 ms; a normal megabyte takes 5 ms instead of 1 [U]."""


class BoundedReads(asyncio.BufferedProtocol):
    """For a stream protocol: calls its `data_received` with pieces."""

    _piece = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:
        """The buffer for the next piece."""
        self._piece = bytearray(PIECE_BYTES)
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """A piece has arrived."""
        self.data_received(bytes(memoryview(self._piece)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take a piece."""
        raise NotImplementedError
