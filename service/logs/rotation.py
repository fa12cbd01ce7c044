"""Rotation: a file of JSON lines is renamed, and a new one started, once it is large or old.

    audit.jsonl                            the present file
    audit-20260301T093000.000Z.jsonl       rotated at that time: names sort by time

Several threads and servers may write one log. Whoever rotates it holds a lock on the file itself, and checks
again that the file still has the log's name. The others notice that the name means another file, and open
that. So no line is lost or written twice. A line that another server is writing at that moment goes to the
rotated file. `logrotate` may also move the file away at any time.
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
"""Bytes of a first line that are searched for its time."""

PAUSE_S = 0.001
"""Time between two attempts to get a lock that others hold while they write a line [U]."""

_TIME = re.compile(rb'\{"time": "([^"]{1,40})"')


@dataclass(frozen=True)
class RotationLimits:
    """When a file is rotated: at this size, or when its first line is this old; None means never."""

    bytes: int | None = None
    age_s: float | None = None


NEVER = RotationLimits()
"""For a log that other programs rotate, or nobody."""


@dataclass(frozen=True)
class RotatedFile:
    """A rotated file, and the time of rotation: all its lines are older."""

    path: Path
    at_s: float


def rotated_files(log: Path) -> list[RotatedFile]:
    """The rotated files of this log, oldest first; files that other programs made from it are left out."""
    files = []
    for path in log.parent.glob(f"{_escaped(log.stem)}-*{_escaped(log.suffix)}"):
        with contextlib.suppress(ValueError):
            stamp = path.name.removeprefix(f"{log.stem}-").removesuffix(log.suffix)
            files.append(RotatedFile(path, _time_of(stamp)))
    return sorted(files, key=lambda file: file.path.name)


class Rotation:
    """Rotates a log's file at its limits. `clock_s` gives seconds since 1970."""

    def __init__(self, log: Path, limits: RotationLimits, clock_s: Callable[[], float] = time.time) -> None:
        self._log, self._limits, self._clock_s = log, limits, clock_s
        self._began: tuple[int, float] | None = None

    def is_followed(self, handle: int) -> bool:
        """Whether the log's name now means another file than the open one, so that it must be opened again.
        If a rotation is due, the open file is rotated first. Raises OSError."""
        if is_same(handle, self._log) and self._is_due(handle):
            # If another process holds the lock, rotation is still due with the next line.
            with contextlib.suppress(BlockingIOError), file_lock(handle):
                # Another process may have been faster.
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
        """A name that sorts after all existing ones, even if the clock was set back."""
        now_s = self._clock_s()
        rotated = rotated_files(self._log)
        if rotated:
            now_s = max(now_s, rotated[-1].at_s + 0.001)
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
    """Hold the lock on a file. It is tried `tries` times, a millisecond apart, and never waited for, because
    a stalled program may hold it. Raises OSError, BlockingIOError if another process holds it."""
    for tries_left in reversed(range(tries)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if tries_left == 0:
                raise
        time.sleep(PAUSE_S)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _begun_s(path: Path, otherwise_s: float) -> float:
    """The time of the first line, as the line states it."""
    with path.open("rb") as file:
        match = _TIME.match(file.readline(_LONGEST_HEAD))
    if match is None:
        return otherwise_s
    try:
        return datetime.fromisoformat(match[1].decode("ascii")).timestamp()
    except ValueError:
        return otherwise_s


def _time_of(stamp: str) -> float:
    """The time in a file's name. Raises ValueError for any other text."""
    if not stamp.endswith("Z"):
        raise ValueError(stamp)
    return datetime.strptime(stamp[:-1], _STAMP).replace(tzinfo=UTC).timestamp()


def _escaped(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
