"""LeaderElection: which of several servers with one data folder, and without a scheduler, has the jobs done.

The first that locks `engine.lock` leads, until it ends. While it leads it beats, by the time of that file,
and writes into it how many workers it has. A leader that was stopped keeps its lock, but beats no more:
another then puts a locked file of its own in the place of that one, and leads. The one before finds that out
when it goes on. Two may lead for a moment, as the job table takes each change of a job once.
"""

import contextlib
import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from service.jobs.liveness.heartbeat_tracker import HeartbeatTracker, LastHeard

TAKEN_OVER_S = 30.0
"""A leader that is silent for so long is taken for gone; it beats every second [U]."""


@dataclass(frozen=True)
class LeaderState:
    """What the leader has told last, and for how long it has told nothing."""

    workers: int
    silent_s: float


@dataclass(frozen=True)
class _Beat:
    """One beat of a leader: which file is in place, the time that was set of it, and what it says."""

    device: int
    inode: int
    mtime_ns: int
    text: str


class LeaderElection:
    """One server's part in it. For one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # Of who takes over: they take turns by its lock, and one that was killed leaves it to the next.
        self._next = file.with_name(f"{file.name}.next")
        self._lock: int | None = None
        self._tracker = HeartbeatTracker()
        self._beat: _Beat | None = None
        self._heard: LastHeard | None = None

    @property
    def leads(self) -> bool:
        """Whether this server leads, as far as it knows."""
        return self._lock is not None

    def look(self, may_take: bool = True) -> bool:
        """Whether this server leads now; it does so from the moment when it can and may. Raises OSError."""
        if self._lock is not None and _is_held(self._file, self._lock):
            return True
        self.release()
        self._beat = self._last_beat()
        self._heard = self._tracker.update({"leader": self._beat})["leader"]
        if not may_take:
            return False
        self._lock = _locked(self._file)
        if self._lock is None and self._heard.watched_s >= TAKEN_OVER_S:
            self._lock = self._in_its_place()
        return self.leads

    def tell(self, workers: int) -> None:
        """WorkerHeartbeat, and write how many workers there are, for servers that wait. Raises OSError."""
        if self._lock is not None:
            _tell(self._lock, workers)

    def told(self) -> LeaderState:
        """What the server that leads has told to this one, which waits."""
        text = "" if self._beat is None else self._beat.text
        return LeaderState(
            int(text) if text.isdigit() else 0, 0.0 if self._heard is None else self._heard.silent_s
        )

    def release(self) -> None:
        """LeaderElection no more."""
        # Forgotten first: where closing raises, the number may be another file's by the next time.
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _last_beat(self) -> _Beat | None:
        try:
            with self._file.open(encoding="ascii", errors="replace") as file:
                text, found = file.read().strip(), os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return _Beat(found.st_dev, found.st_ino, found.st_mtime_ns, text)

    def _in_its_place(self) -> int | None:
        """The lock of a file of this server's own, put in the place of one whose leader is silent.

        Not where another has just done so, and not where it cannot tell that it leads: on a full disk the
        leader may be silent for that reason.
        """
        lock = _locked(self._next)
        if lock is None:
            return None
        with contextlib.ExitStack() as until_in_place:
            until_in_place.callback(os.close, lock)
            _tell(lock, 0)
            if self._last_beat() != self._beat:
                return None
            os.replace(self._next, self._file)
            until_in_place.pop_all()
        return lock


def _tell(lock: int, workers: int) -> None:
    try:
        os.pwrite(lock, f"{workers:6d}\n".encode(), 0)
    finally:
        # A time needs no room, so that a leader beats on where the disk is full. To set it has a client of
        # NFS send what it has not sent yet (nfs_setattr in Linux), and waits for no disk, as a flush does.
        now = time.time_ns()
        os.utime(lock, ns=(now, now))


def _locked(file: Path) -> int | None:
    """The lock of a file, which is made; None where another has it. Raises OSError."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.ExitStack() as until_locked:
        until_locked.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        # Another may have put its own in this one's place meanwhile.
        if not _is_at(file, lock):
            return None
        until_locked.pop_all()
    return lock


def _is_held(file: Path, lock: int) -> bool:
    """Whether the lock that this server has is that of the file still. Raises OSError."""
    try:
        os.fstat(lock)
    except OSError as error:
        # The share knows the open file no more: what it locked is lost, and stays so.
        if error.errno == errno.ESTALE:
            return False
        raise
    return _is_at(file, lock)


def _is_at(file: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), file.stat())
    except FileNotFoundError:
        return False
