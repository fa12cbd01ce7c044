"""Audit: the handler of the audit log. What cannot be written is told, kept, and written once it can be.

LineSink that wait are bounded. Before the bound nothing more is answered that would have to be noted, but for
removals, which make room; at the bound they are refused as well: an answer about a patient of which no line
tells is given to nobody. What has no place is refused or tells of no case, and is counted: whoever asks
without end takes no place from removals.

A line is written before the answer that it is about, so that no kill of the service loses it. A power cut may
take the lines of the last seconds: a thread has the disk keep them, so that no answer waits for a disk.
Retention waits for it (`settle`).
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
"""LineSink that are kept in memory while they cannot be written, some four megabytes [U]."""

FOR_REMOVALS = 1_000
"""The last of these places are kept for removals [U]. What is under way by then has room beside."""

AT_ONCE = 200
"""LineSink that are written together, so that a disk which is full is not asked for much [U]."""

SETTLED_S = 1.0
"""Between two times that the disk is to keep what was written [U]."""

_log = logging.getLogger("seedpath.logs")


@runtime_checkable
class LineSink(Protocol):
    """Where lines go."""

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises OSError where none of them can be written."""

    def unsettled(self) -> int | None:
        """An open file to be flushed, and closed, by any thread; None where all is on the disk."""

    def close(self) -> None:
        """Close it until the next line, flushed. Raises OSError."""


class AuditHandler(logging.Handler):
    """Writes lines to `file`. `make_room` gives up room that is kept back for records, and says whether there
    was some."""

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
        """LineSink that could not be written yet."""
        return len(self._waiting)

    def is_full(self, *, removes: bool) -> bool:
        """Whether nothing more may be done that has to be noted: removals may go on for longer."""
        return self.waiting >= self._most_waiting - (0 if removes else FOR_REMOVALS)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, after those that wait, or have it wait."""
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
        """Write what waits, if that can be done."""
        self.acquire()
        try:
            self._write()
        finally:
            self.release()

    def start(self) -> None:
        """Begin to flush what is written, in a thread."""
        self._periodic_thread.start()

    def settle(self) -> None:
        """Have the disk keep all lines, those that wait too. Raises OSError where it does not."""
        self.acquire()
        try:
            error = self._write()
            written = self._file.unsettled()
        finally:
            self.release()
        # Whoever has a line meanwhile does not wait for the disk.
        if written is not None:
            settle_file(written)
        if error is not None:
            raise error

    def close(self) -> None:
        """Write what waits, for the last time. What cannot be written was told on the service's log."""
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
            # Of lines that wait each was told.
            if not self._waiting:
                _tell_unsettled(error)

    def _write(self) -> OSError | None:
        """Write all lines that wait; what was in the way, where something was."""
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
    """Have the disk keep all lines of this process. Raises OSError where it does not."""
    for log in _logs():
        log.settle()


def has_place(method: str) -> bool:
    """Whether there is a place for the line of a request; where there is none, it is counted. LineSink that
    wait are tried before."""
    removes, has_places = method == "DELETE", True
    for log in _logs():
        if log.is_full(removes=removes):
            log.flush()
        if log.is_full(removes=removes):
            log.unnoted += 1
            has_places = False
    return has_places


def waiting() -> int:
    """LineSink of this process that could not be written yet."""
    return sum(log.waiting for log in _logs())


def without_line() -> int:
    """Requests to this process that have no line: refused, or about no case."""
    return sum(log.unnoted for log in _logs())


def _tell_unsettled(error: OSError) -> None:
    _log.error("The audit log cannot be flushed (%s): a power cut may take its last lines.", error.strerror)


def _logs() -> list[AuditHandler]:
    return [handler for handler in AUDIT.handlers if isinstance(handler, AuditHandler)]


def audit_to(
    path: Path, limits: RotationLimits = NEVER, make_room: Callable[[], bool] = lambda: False
) -> AuditHandler:
    """Have the audit log written to a file, which may be moved away at any time, and is put by where it
    reaches its limits. Returns its handler.

    Raises OSError where the file cannot be made.
    """
    file = AppendFile(path, Rotation(path, limits))
    file.append(b"")
    handler = AuditHandler(file, make_room)
    handler.start()
    AUDIT.addHandler(handler)
    AUDIT.setLevel(logging.INFO)
    AUDIT.propagate = False
    return handler
