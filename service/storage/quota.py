"""Quota: how many bytes one owner may have here: cases, results, and uploads that are arriving.

Cases from which results were made count as long as the results are held. An item that two owners hold counts
for each. Arriving uploads are counted in each server separately; stored bytes are counted for all servers.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from service.storage.errors import QuotaExceeded
from service.storage.kept_bytes import kept_bytes


class Quota:
    """The bytes of each owner, and their limit."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._sent: Counter[str] = Counter()
        # Uploads are counted on the event loop, unpacked files in other threads.
        self._counting = threading.Lock()

    def refuse_more(self, connection: Connection, owner: str, bytes: int) -> None:
        """Raises QuotaExceeded if `owner` may not keep `bytes` more."""
        if kept_bytes(connection, owner) + bytes > self._most_bytes:
            raise QuotaExceeded(self._most_bytes)

    @contextmanager
    def sending(self, owner: str, kept_bytes: int) -> Iterator[Callable[[int], None]]:
        """Within the context, the function that is yielded counts bytes that arrive from `owner`, who keeps
        `kept_bytes` already. A negative number gives bytes back.

        The function raises QuotaExceeded if there are too many, together with the owner's other uploads.
        """
        sent = 0

        def take(bytes: int) -> None:
            nonlocal sent
            with self._counting:
                sent += bytes
                self._sent[owner] += bytes
                if bytes > 0 and kept_bytes + self._sent[owner] > self._most_bytes:
                    raise QuotaExceeded(self._most_bytes)

        try:
            yield take
        finally:
            with self._counting:
                self._sent[owner] -= sent
                # Drop owners with a count of zero.
                self._sent += Counter()
