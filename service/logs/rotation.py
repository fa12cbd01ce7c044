"""Rotation: a log of JSON lines in a file that is put by, and begun anew, once it is large or old.

    audit.jsonl                            what is written now
    audit-20260301T093000.000Z.jsonl       what was put by then: names sort by time

Several threads and several servers may write one log. Who puts it by holds a lock on the file itself, and
looks again whether it still has the log's name; the others find that the name means another file, and follow.
So no line is lost, and none is written twice. A line that another server is just writing goes to the file
that was put by. `logrotate` may move the file away at any time as well.
"""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY_S = 24 * 3600.0

_STAMP = "%Y%m%dT%H%M%S.%f"
_LONGEST_HEAD = 4096
"""Bytes of a first line that are looked at for its time: longer ones are cut."""

PAUSE_S = 0.001
"""Between two tries to get a lock that others have while they write a line [U]."""

_TIME = re.compile(rb'\{"time": "([^"]{1,40})"')


@dataclass(frozen=True)
class RotationLimits:
    """When a file is put by: at so many bytes, or when its first line is so old; None for never."""

    bytes: int | None = None
    age_s: float | None = None


NEVER = RotationLimits()
"""Of a log that other programs put by, or nobody."""


@dataclass(frozen=True)
class RotatedFile:
    """A file that was put by, and when: all its lines are older."""

    path: Path
    at_s: float


def rotated_files(log: Path) -> list[RotatedFile]:
    """The files that were put by of this log, oldest first. What other programs made of it is not named."""
    found = []
    for path in log.parent.glob(f"{_escaped(log.stem)}-*{_escaped(log.suffix)}"):
        with contextlib.suppress(ValueError):
            stamp = path.name.removeprefix(f"{log.stem}-").removesuffix(log.suffix)
            found.append(RotatedFile(path, _time_of(stamp)))
    return sorted(found, key=lambda one: one.path.name)


class Rotation:
    """Puts a log's file by where it reaches its limits. `clock_s` tells seconds since 1970."""

    def __init__(self, log: Path, limits: RotationLimits, clock_s: Callable[[], float] = time.time) -> None:
        self._log, self._limits, self._clock_s = log, limits, clock_s
        self._began: tuple[int, float] | None = None

    def is_followed(self, handle: int) -> bool:
        """Whether the log's name means another file than the one that is open: one that is to be opened. The
        open one is put by first, where it is due. Raises OSError."""
        if is_same(handle, self._log) and self._is_due(handle):
            # Where another holds it, the log is still due with the next line.
            with contextlib.suppress(BlockingIOError), file_lock(handle):
                # Another may have been faster.
                if is_same(handle, self._log):
                    self._log.rename(self._log.with_name(self._next_name()))
        return not is_same(handle, self._log)

    def _is_due(self, handle: int) -> bool:
        state = os.fstat(handle)
        if state.st_size == 0:
            return False
        if self._limits.bytes is not None and state.st_size >= self._limits.bytes:
            return True
        if self._limits.age_s is None:
            return False
        if self._began is None or self._began[0] != state.st_ino:
            self._began = state.st_ino, _begun_s(self._log, state.st_mtime)
        return self._clock_s() - self._began[1] >= self._limits.age_s

    def _next_name(self) -> str:
        """After all that are there, where the clock was set back too."""
        now_s = self._clock_s()
        there = rotated_files(self._log)
        if there:
            now_s = max(now_s, there[-1].at_s + 0.001)
        at = datetime.fromtimestamp(now_s, UTC) + timedelta(microseconds=500)
        return f"{self._log.stem}-{at.strftime(_STAMP)[:-3]}Z{self._log.suffix}"


def is_same(handle: int, path: Path) -> bool:
    """Whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def file_lock(handle: int, tries: int = 1) -> Iterator[None]:
    """Hold the lock on a file. It is tried so often, a millisecond apart, and never waited for: a program
    that stands still may hold it. Raises OSError, BlockingIOError where another holds it."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if left == 0:
                raise
        time.sleep(PAUSE_S)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _begun_s(path: Path, otherwise_s: float) -> float:
    """When the first line was written, as it says."""
    with path.open("rb") as file:
        found = _TIME.match(file.readline(_LONGEST_HEAD))
    if found is None:
        return otherwise_s
    try:
        return datetime.fromisoformat(found[1].decode("ascii")).timestamp()
    except ValueError:
        return otherwise_s


def _time_of(stamp: str) -> float:
    """Raises ValueError for what is no stamp of ours."""
    if not stamp.endswith("Z"):
        raise ValueError(stamp)
    return datetime.strptime(stamp[:-1], _STAMP).replace(tzinfo=UTC).timestamp()


def _escaped(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
