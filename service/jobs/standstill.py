"""Standstill: whether a process that should be at work stands still.

What counts is what the kernel says of it: the processor time it has used, and whether it waits for a
processor or a disk. A heartbeat from a thread of its own would need Python's lock, which a long step of
native code may keep; and it would beat on beside work that hangs.
"""

import time
from collections.abc import Callable

import psutil

from service.jobs.silence import Silence

STOPPED_S = 10.0
"""How long a process may be stopped, as by SIGSTOP, before it is given up [U]."""

IDLE_S = 120.0
"""How long one that runs may neither say, compute nor wait for a processor or a disk, before it is given up.
Work is given files and computes, and has nothing else to wait for [U]."""

STEP_S = 0.5
"""Processor time counts in steps of so much. A bench's thread that looks after its parent uses some 0.25 ms a
second (measured), half an hour for a step: beside work that hangs it is not heard [U]."""


class Standstill:
    """Looks after one process."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process(pid)
        self._silence = Silence(clock)
        self._waited = 0

    def seconds(self, said: int) -> float | None:
        """For how long it has stood still, where that is too long. `said` counts what it has said.

        Raises psutil.NoSuchProcess where it is gone.
        """
        with self._process.oneshot():
            status, times = self._process.status(), self._process.cpu_times()
        self._waited += status in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
        steps = int((times.user + times.system) / STEP_S)
        heard = self._silence.look({"": (said, steps, self._waited)})[""]
        most_s = STOPPED_S if status == psutil.STATUS_STOPPED else IDLE_S
        return heard.silent_s if heard.watched_s > most_s else None


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped at this moment."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
