"""Audit log: its handler. Lines that cannot be written are reported, kept, and written later.

The number of waiting lines is limited. Shortly before the limit, requests that must be logged are refused,
except removals, because they free disk space. At the limit removals are refused as well: no answer about a
patient is given without a line in the log. Requests without a line are either refused or about no case; they
are counted, so that many of them take no place from removals.

A line is written before the answer that it describes, so that killing the service loses none. A power cut may
lose the lines of the last seconds: a thread flushes them to the disk, so that no answer waits for a disk.
Retention does wait for it (`settle`).
"""

import itertools
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from service.host.disk_errors import FULL
from service.host.periodic_thread import PeriodicThread
from service.logs.append_file import AppendFile
from service.logs.append_file import settle as settle_file
from service.logs.json_lines import AUDIT, JsonLines
from service.logs.rate_limit import ALL
from service.logs.rotation import NEVER, Rotation, RotationLimits

MOST_WAITING = 10_000
"""Lines kept in memory while they cannot be written, about four megabytes [U]."""

FOR_REMOVALS = 1_000
"""The last of these places are reserved for removals [U]. Requests under way then have extra room."""

AT_ONCE = 200
"""Lines written together, so that a full disk is not asked for much [U]."""

SETTLED_S = 1.0
"""Time between two flushes to the disk [U]."""

_log = logging.getLogger("seedpath.logs")


@runtime_checkable
class LineSink(Protocol):
    """Where lines are written."""

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises OSError if none of them can be written."""

    def unsettled(self) -> int | None:
        """An open file that any thread may flush and close; None if everything is on the disk."""

    def close(self) -> None:
        """Flush and close, until the next line. Raises OSError."""


class AuditHandler(logging.Handler):
    """Writes lines to `file`. `make_room` frees reserved disk space for records; it returns whether there was
    some."""

    def __init__(
        self,
        file: LineSink,
        make_room: Callable[[], bool] = lambda: False,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        super().__init__()
        self._file, self._make_room, self._most_waiting = file, make_room, most_waiting
        self._waiting: deque[bytes] = deque()
        self._periodic_thread = PeriodicThread("seedpath-audit", self._settle_in_time, SETTLED_S)
        self.unnoted = 0
        self.setFormatter(JsonLines())

    @property
    def waiting(self) -> int:
        """Number of lines that could not be written yet."""
        return len(self._waiting)

    def is_full(self, *, removes: bool) -> bool:
        """Whether no further request that must be logged may be answered; removals may continue for
        longer."""
        return self.waiting >= self._most_waiting - (0 if removes else FOR_REMOVALS)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line after those that wait, or let it wait."""
        line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        if len(self._waiting) < 2 * self._most_waiting:
            self._waiting.append(line)
        error = self._write()
        if error is not None:
            _log.error(
                "The audit log cannot be written (%s). %d lines wait, the last of which is: %s",
                error.strerror,
                len(self._waiting),
                line.decode().rstrip(),
                extra=ALL,
            )

    def flush(self) -> None:
        """Write the waiting lines, if possible."""
        self.acquire()
        try:
            self._write()
        finally:
            self.release()

    def start(self) -> None:
        """Start the thread that flushes to the disk."""
        self._periodic_thread.start()

    def settle(self) -> None:
        """Flush all lines to the disk, including waiting ones. Raises OSError if that fails."""
        self.acquire()
        try:
            error = self._write()
            written = self._file.unsettled()
        finally:
            self.release()
        # Outside the lock: other lines do not wait for the disk.
        if written is not None:
            settle_file(written)
        if error is not None:
            raise error

    def close(self) -> None:
        """Write the waiting lines for the last time. Lines that cannot be written were reported in the
        service's log."""
        self._periodic_thread.close()
        self.flush()
        try:
            self._file.close()
        except OSError as error:
            _tell_unsettled(error)
        super().close()

    def _settle_in_time(self) -> None:
        try:
            self.settle()
        except OSError as error:
            # Each waiting line was reported already.
            if not self._waiting:
                _tell_unsettled(error)

    def _write(self) -> OSError | None:
        """Write all waiting lines; returns the error that prevented it, if any."""
        while self._waiting:
            some = list(itertools.islice(self._waiting, AT_ONCE))
            try:
                self._file.append(b"".join(some))
            except OSError as error:
                if error.errno in FULL and self._make_room():
                    continue
                return error
            for _ in some:
                self._waiting.popleft()
        return None


def settle() -> None:
    """Flush all lines of this process to the disk. Raises OSError if that fails."""
    for log in _logs():
        log.settle()


def has_place(method: str) -> bool:
    """Whether there is a place for the line of a request; otherwise it is counted. Waiting lines are tried
    first."""
    removes, has_places = method == "DELETE", True
    for log in _logs():
        if log.is_full(removes=removes):
            log.flush()
        if log.is_full(removes=removes):
            log.unnoted += 1
            has_places = False
    return has_places


def waiting() -> int:
    """Lines of this process that could not be written yet."""
    return sum(log.waiting for log in _logs())


def without_line() -> int:
    """Requests to this process without a line: refused, or about no case."""
    return sum(log.unnoted for log in _logs())


def _tell_unsettled(error: OSError) -> None:
    _log.error("The audit log cannot be flushed (%s): a power cut may lose its last lines.", error.strerror)


def _logs() -> list[AuditHandler]:
    return [handler for handler in AUDIT.handlers if isinstance(handler, AuditHandler)]


def audit_to(
    path: Path, limits: RotationLimits = NEVER, make_room: Callable[[], bool] = lambda: False
) -> AuditHandler:
    """Write the audit log to a file, which may be moved away at any time, and is rotated at its limits.
    Returns the handler.

    Raises OSError if the file cannot be created.
    """
    file = AppendFile(path, Rotation(path, limits))
    file.append(b"")
    handler = AuditHandler(file, make_room)
    handler.start()
    AUDIT.addHandler(handler)
    AUDIT.setLevel(logging.INFO)
    AUDIT.propagate = False
    return handler
