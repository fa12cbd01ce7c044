"""Log rate limit: a limited number of lines of one kind in a second, and a count of those left out.

A client that sends a thousand unreadable requests in a second would cause a line each time, and fill a disk
before anybody looks. The audit log has a handler of its own and loses no line; neither are lines left out
that report requests which could not be logged there.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MOST_PER_S, MOST_OF_LOGGER_PER_S = 10, 50
"""Lines of one kind, and of one logger in all, in a second [U]. The first line of a kind is always written:
otherwise a flood from one logger could hide everything else."""

MOST_KINDS = 100
"""Kinds that are counted separately in a second, because made-up texts have no end. Further lines count for
their logger [U]."""

TOLD_AFTER_S = 1.0
"""A count is reported after this time at the earliest, and after twice that at the latest."""

LONGEST_KIND = 100
"""Characters of a text's first line that define its kind: addresses of objects may follow them."""

ALL: dict[str, bool] = {"is_never_left_out": True}
"""As `extra` of a line that is always written: requests that could not be noted in the audit log."""

LineKind = tuple[str, int, str]
"""Logger, level, and the text before its values are filled in; without a text, all lines of that logger and
level."""


@dataclass
class _Second:
    """What was written of a kind since its second began."""

    since_s: float
    written: int = 0
    left_out: int = 0


class LineRateLimit:
    """Decides which lines are written. For one thread at a time."""

    def __init__(
        self,
        most: int = MOST_PER_S,
        most_of_logger: int = MOST_OF_LOGGER_PER_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._most_of_logger, self._clock_s = most, most_of_logger, clock_s
        self._seconds: dict[LineKind, _Second] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; otherwise it is counted."""
        if getattr(record, "is_never_left_out", False):
            return True
        text = str(record.msg).partition("\n")[0][:LONGEST_KIND]
        of_logger = self._second((record.name, record.levelno, ""))
        kind = (record.name, record.levelno, text)
        is_told_apart = kind in self._seconds or len(self._seconds) < MOST_KINDS
        of_kind = self._second(kind) if is_told_apart else of_logger
        is_first = of_kind is not of_logger and of_kind.written == 0
        if not is_first and (of_kind.written >= self._most or of_logger.written >= self._most_of_logger):
            of_kind.left_out += 1
            return False
        of_logger.written += 1
        if of_kind is not of_logger:
            of_kind.written += 1
        return True

    def left_out(self, at_end: bool = False) -> Iterator[tuple[LineKind, int]]:
        """The number of lines left out, by kind, in past seconds; with `at_end` in the present one too. Each
        is reported once."""
        now_s = self._clock_s()
        over = [kind for kind, second in self._seconds.items() if at_end or now_s - second.since_s >= 1.0]
        for kind in over:
            second = self._seconds.pop(kind)
            if second.left_out > 0:
                yield kind, second.left_out

    @property
    def has_left_out(self) -> bool:
        """Whether there is a count to report."""
        return any(second.left_out > 0 for second in self._seconds.values())

    def _second(self, kind: LineKind) -> _Second:
        second = self._seconds.get(kind)
        if second is None:
            second = self._seconds[kind] = _Second(self._clock_s())
        return second


class RateLimitedHandler(logging.StreamHandler[Any]):
    """Writes to a stream with a rate limit. Lines left out are reported even if no further line comes."""

    def __init__(self, stream: Any, sparing: LineRateLimit | None = None) -> None:
        super().__init__(stream)
        self._sparing = sparing or LineRateLimit()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Report lines left out before, then write the line, if it may be written."""
        self._tell(self._sparing.left_out())
        if self._sparing.admits(record):
            super().emit(record)
        else:
            self._tell_later()

    def close(self) -> None:
        """Report the lines left out, and write no more."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._tell(self._sparing.left_out(at_end=True))
        finally:
            self.release()
        super().close()

    def _tell_later(self) -> None:
        if self._timer is not None:
            return
        self._timer = threading.Timer(TOLD_AFTER_S, self._tell_in_time)
        self._timer.daemon = True
        # If the system has no thread left, the next line or `close` reports them.
        with contextlib.suppress(RuntimeError):
            self._timer.start()

    def _tell_in_time(self) -> None:
        self.acquire()
        try:
            if self._timer is not threading.current_thread():
                return
            self._timer = None
            self._tell(self._sparing.left_out())
            if self._sparing.has_left_out:
                self._tell_later()
        finally:
            self.release()

    def _tell(self, left_out: Iterator[tuple[LineKind, int]]) -> None:
        for (name, level, text), count in left_out:
            record = logging.LogRecord(
                name, level, __file__, 0, "%d more lines were left out that begin: %s", (count, text), None
            )
            super().emit(record)
