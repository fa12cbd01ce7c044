"""Stall detector: whether a process that should be working makes no progress.

What counts is what the kernel knows: the processor time that the process has used, and whether it waits for a
processor or a disk. A heartbeat from a thread of that process would need Python's lock, which a long step of
native code may keep; and it would continue while the work hangs.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from service.jobs.liveness.heartbeat_tracker import HeartbeatTracker

STOPPED_S = 10.0
"""How long a process may be stopped, for example by SIGSTOP, before it is given up [U]."""

IDLE_S = 120.0
"""How long a running process may neither send a message nor compute nor wait for a processor or a disk before
it is given up. Work gets its files and computes; it has nothing else to wait for [U]."""

STEP_S = 0.5
"""Processor time counts in steps of this size. The thread of a sandbox that watches its parent uses about
0.25 ms a second (measured), which is half an hour for one step: while the work hangs, that is not taken for
work [U]."""

HELPER = "helper"
"""The kernel's name of threads that do not do the work."""


class StallDetector:
    """Watches one process."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process(pid)
        self._tracker = HeartbeatTracker(clock)
        self._waited = 0

    def seconds(self, message_number: int) -> float | None:
        """How long the process has made no progress, if that is too long; else None. `message_number` counts
        its messages.

        Raises psutil.NoSuchProcess where it is gone.
        """
        with self._process.oneshot():
            status, times = self._process.status(), self._process.cpu_times()
        self._waited += is_busy(Path(f"/proc/{self._process.pid}/task"))
        steps = int((times.user + times.system) / STEP_S)
        last_heard = self._tracker.update({"": (message_number, steps, self._waited)})[""]
        most_s = STOPPED_S if status == psutil.STATUS_STOPPED else IDLE_S
        return last_heard.silent_s if last_heard.watched_s > most_s else None


def is_busy(threads: Path) -> bool:
    """Whether a working thread runs, or waits for a processor or a disk, as Linux shows it in a folder for
    each thread (proc_pid_stat(5)). Work may be done by other threads than the first."""
    for thread in threads.glob("*/stat"):
        try:
            stat = thread.read_text(encoding="utf-8", errors="replace")
        except OSError:
            # It has ended.
            continue
        name, _, fields = stat.partition("(")[2].rpartition(")")
        if name != HELPER and fields.lstrip()[:1] in ("R", "D"):
            return True
    return False


def mark_as_helper_thread() -> None:
    """Tell the kernel that the calling thread does not do the work; no effect where it is not Linux."""
    with contextlib.suppress(FileNotFoundError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(HELPER, encoding="ascii")


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped at this moment."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
