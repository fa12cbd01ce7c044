"""Lead: which of several servers with one data folder, and without a scheduler, has the jobs done.

The first that locks `engine.lock` leads, until it ends. While it leads it writes into the file how many
workers it has, and a count that grows. A leader that was stopped keeps its lock, but does not count on:
another then puts a locked file of its own in the place of that one, and leads. The one before finds that out
when it goes on. Two may lead for a moment, as the book takes each change of a job once.
"""

import fcntl
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from service.jobs.silence import Heard, Silence

TAKEN_OVER_S = 30.0
"""A leader that is silent for so long is taken for gone; it counts on every second [U]."""


@dataclass(frozen=True)
class Told:
    """What the leader has written last, and for how long that has not changed."""

    workers: int
    silent_s: float


class Lead:
    """One server's part in it. For one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock: int | None = None
        self._count = 0
        self._silence = Silence()
        self._heard: Heard | None = None

    def look(self) -> bool:
        """Whether this server leads now; it does so from the moment when it can. Raises OSError."""
        if self._lock is not None and self._is_in_place(self._lock):
            return True
        self.release()
        self._heard = self._silence.look({"leader": self._text()})["leader"]
        self._lock = self._locked()
        if self._lock is None and self._heard.watched_s >= TAKEN_OVER_S:
            self._lock = self._in_its_place()
        return self._lock is not None

    def tell(self, workers: int) -> None:
        """Write how many workers there are, for servers that wait. Raises OSError."""
        if self._lock is not None:
            self._count += 1
            # The clock tells one leader's counts from another's.
            os.pwrite(self._lock, f"{workers:6d} {self._count:12d} {time.time_ns():20d}\n".encode(), 0)

    def told(self) -> Told:
        """What the server that leads has told to this one, which waits."""
        if self._heard is None:
            return Told(0, 0.0)
        workers = str(self._heard.beat).partition(" ")[0] if self._heard.beat else ""
        return Told(int(workers) if workers.isdigit() else 0, self._heard.silent_s)

    def release(self) -> None:
        """Lead no more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _text(self) -> str:
        try:
            return self._file.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _locked(self) -> int | None:
        """The file's lock, where nobody has it."""
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # Another may have put its own in this one's place meanwhile.
        if not self._is_in_place(handle):
            os.close(handle)
            return None
        return handle

    def _in_its_place(self) -> int:
        """The lock of a file of this server's own, put in the place of one whose leader is silent."""
        handle, aside = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.replace(aside, self._file)
        except OSError:
            os.close(handle)
            Path(aside).unlink(missing_ok=True)
            raise
        return handle

    def _is_in_place(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._file.stat())
        except FileNotFoundError:
            return False
