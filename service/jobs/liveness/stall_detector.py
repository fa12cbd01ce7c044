"""StallDetector: whether a process that should be at work stands still.

What counts is what the kernel says of it: the processor time it has used, and whether it waits for a
processor or a disk. A heartbeat from a thread of its own would need Python's lock, which a long step of
native code may keep; and it would beat on beside work that hangs.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from service.jobs.liveness.heartbeat_tracker import HeartbeatTracker

STOPPED_S = 10.0
"""How long a process may be stopped, as by SIGSTOP, before it is given up [U]."""

IDLE_S = 120.0
"""How long one that runs may neither say, compute nor wait for a processor or a disk, before it is given up.
Work is given files and computes, and has nothing else to wait for [U]."""

STEP_S = 0.5
"""Processor time counts in steps of so much. A sandbox's thread that looks after its parent uses some 0.25 ms
a second (measured), half an hour for a step: beside work that hangs it is not heard [U]."""

HELPER = "helper"
"""The name that the kernel has for threads that are not at work."""


class StallDetector:
    """Looks after one process."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process(pid)
        self._tracker = HeartbeatTracker(clock)
        self._waited = 0

    def seconds(self, said: int) -> float | None:
        """For how long it has stood still, where that is too long. `said` counts what it has said.

        Raises psutil.NoSuchProcess where it is gone.
        """
        with self._process.oneshot():
            status, times = self._process.status(), self._process.cpu_times()
        self._waited += is_busy(Path(f"/proc/{self._process.pid}/task"))
        steps = int((times.user + times.system) / STEP_S)
        heard = self._tracker.update({"": (said, steps, self._waited)})[""]
        most_s = STOPPED_S if status == psutil.STATUS_STOPPED else IDLE_S
        return heard.silent_s if heard.watched_s > most_s else None


def is_busy(threads: Path) -> bool:
    """Whether a thread at work has or waits for a processor, or waits for a disk, as Linux tells it in a
    folder for each (proc_pid_stat(5)). Work may be done by other threads than the first."""
    for thread in threads.glob("*/stat"):
        try:
            stat = thread.read_text(encoding="utf-8", errors="replace")
        except OSError:
            # It has ended.
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        if name != HELPER and rest.lstrip()[:1] in ("R", "D"):
            return True
    return False


def mark_as_helper_thread() -> None:
    """Have the kernel know the calling thread as one that is not at work, where it is Linux."""
    with contextlib.suppress(FileNotFoundError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(HELPER, encoding="ascii")


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped at this moment."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
