"""Leader: which of several servers with one data folder, and without a scheduler, runs the jobs.

The first server that locks `engine.lock` leads until it ends. The leader sets the time of that file again and
again (its heartbeat), and writes the number of its workers into it. A leader that was stopped keeps its lock
but sends no heartbeat: another server then replaces the file by a locked one of its own, and leads. The old
leader notices this when it continues. For a moment there may be two leaders, because the job table accepts
each change of a job only once.
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
"""A leader without a heartbeat for this long is replaced; it sends one every second [U]."""


@dataclass(frozen=True)
class LeaderState:
    """What the leader published last, and for how long it has published nothing."""

    workers: int
    silent_s: float


@dataclass(frozen=True)
class _Beat:
    """One heartbeat of a leader: which file is in place, its modification time, and its text."""

    device: int
    inode: int
    mtime_ns: int
    text: str


class LeaderElection:
    """One server's part in the election. For one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # Servers that take over lock this file in turn; the lock of one that was killed is free again.
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
        """Whether this server leads now. It becomes the leader as soon as it can and `may_take` allows it.
        Raises OSError."""
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

    def publish(self, workers: int) -> None:
        """Send a heartbeat and publish the number of workers, for servers on standby. Raises OSError."""
        if self._lock is not None:
            _write_beat(self._lock, workers)

    def leader_state(self) -> LeaderState:
        """What the leader has published, as this server on standby sees it."""
        text = "" if self._beat is None else self._beat.text
        return LeaderState(
            int(text) if text.isdigit() else 0, 0.0 if self._heard is None else self._heard.silent_s
        )

    def release(self) -> None:
        """Stop leading."""
        # Cleared first: if close raises, the same number may soon mean another file.
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _last_beat(self) -> _Beat | None:
        try:
            with self._file.open(encoding="ascii", errors="replace") as file:
                text, status = file.read().strip(), os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return _Beat(status.st_dev, status.st_ino, status.st_mtime_ns, text)

    def _in_its_place(self) -> int | None:
        """The lock of this server's own file, put in the place of a silent leader's.

        None if another server has just done so, or if this server cannot write its heartbeat: on a full disk
        the leader may be silent for the same reason.
        """
        lock = _locked(self._next)
        if lock is None:
            return None
        with contextlib.ExitStack() as until_in_place:
            until_in_place.callback(os.close, lock)
            _write_beat(lock, 0)
            if self._last_beat() != self._beat:
                return None
            os.replace(self._next, self._file)
            until_in_place.pop_all()
        return lock


def _write_beat(lock: int, workers: int) -> None:
    try:
        os.pwrite(lock, f"{workers:6d}\n".encode(), 0)
    finally:
        # Setting a time needs no disk space, so heartbeats continue on a full disk. It makes an NFS client
        # send its unsent data (nfs_setattr in Linux), and does not wait for a disk as a flush does.
        time_ns = time.time_ns()
        os.utime(lock, ns=(time_ns, time_ns))


def _locked(file: Path) -> int | None:
    """The lock of a file, which is created if needed; None where another process has it. Raises OSError."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.ExitStack() as until_locked:
        until_locked.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        # Another server may have replaced the file meanwhile.
        if not _is_at(file, lock):
            return None
        until_locked.pop_all()
    return lock


def _is_held(file: Path, lock: int) -> bool:
    """Whether the lock of this server is still that of the current file. Raises OSError."""
    try:
        os.fstat(lock)
    except OSError as error:
        # The network share no longer knows the open file: its lock is lost for good.
        if error.errno == errno.ESTALE:
            return False
        raise
    return _is_at(file, lock)


def _is_at(file: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), file.stat())
    except FileNotFoundError:
        return False
