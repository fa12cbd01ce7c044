"""Log rate: so many lines of one kind in a second, and a count of those that were left out.

Who sends what cannot be read a thousand times a second has a line written each time, and a disk is full of
them before anybody looks. The audit log has a handler of its own, and loses none; nor do lines get lost that
say what could not be noted there.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MOST_PER_S, MOST_OF_LOGGER_PER_S = 10, 50
"""Lines of one kind, and of one logger whatever their kinds [U]. The first line of a kind is always written:
else whoever has one logger say much would have it hide all else."""

MOST_KINDS = 100
"""Kinds that are told apart in a second: texts that are made up have no end. Of more, their logger's number
is told [U]."""

TOLD_AFTER_S = 1.0
"""How long a count waits at least, and twice that at the most."""

LONGEST_KIND = 100
"""Characters of a text's first line that tell its kind: behind them stand addresses of objects."""

ALL: dict[str, bool] = {"is_never_left_out": True}
"""As `extra` of a line that is always written: what could not be noted in the audit log."""

LineKind = tuple[str, int, str]
"""Logger, level, and the text before its values are in; without a text, all of that logger and level."""


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
        """Whether the line is written; one that is not is counted."""
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
        """How many lines of which kinds were left out in seconds that are over, or `at_end` in any, told
        once."""
        now = self._clock_s()
        over = [kind for kind, one in self._seconds.items() if at_end or now - one.since_s >= 1.0]
        for kind in over:
            one = self._seconds.pop(kind)
            if one.left_out > 0:
                yield kind, one.left_out

    @property
    def has_left_out(self) -> bool:
        """Whether there is a count to tell."""
        return any(one.left_out > 0 for one in self._seconds.values())

    def _second(self, kind: LineKind) -> _Second:
        found = self._seconds.get(kind)
        if found is None:
            found = self._seconds[kind] = _Second(self._clock_s())
        return found


class RateLimitedHandler(logging.StreamHandler[Any]):
    """Writes to a stream, sparingly. What is left out is told though nobody says more."""

    def __init__(self, stream: Any, sparing: LineRateLimit | None = None) -> None:
        super().__init__(stream)
        self._sparing = sparing or LineRateLimit()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, if it is to be written, after what was left out before it."""
        self._tell(self._sparing.left_out())
        if self._sparing.admits(record):
            super().emit(record)
        else:
            self._tell_later()

    def close(self) -> None:
        """Tell what was left out, and write no more."""
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
        # Where the system has no thread left, the next line or the end tells.
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
            told = logging.LogRecord(
                name, level, __file__, 0, "%d more lines were left out that begin: %s", (count, text), None
            )
            super().emit(told)
