"""Pool: processes that work for the service, and come back after one of them dies.

Each task has a slot in shared memory. The service writes "cancelled" there, the worker how far it is: plain
words of memory without a lock, so that no dying process can leave one held.
"""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from planner.progress import Phase, Progress

PHASES = tuple(Phase)
_WAITING, _STARTED = -2, -1


class Slot(ctypes.Structure):
    """What service and worker tell each other about one task: one writer for each word."""

    _fields_ = (("cancelled", ctypes.c_int64), ("phase", ctypes.c_int64), ("fraction", ctypes.c_double))


class Desk:
    """A worker's view of its task's slot."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def start(self) -> None:
        """Say that the work has begun."""
        self._slot.phase = _STARTED

    def report(self, progress: Progress) -> None:
        """Say how far the work is."""
        self._slot.fraction = progress.fraction
        self._slot.phase = PHASES.index(progress.phase)

    def cancelled(self) -> bool:
        """Whether the service has withdrawn the task."""
        return bool(self._slot.cancelled)


class Pool:
    """`workers` processes, started when first needed, and `slots` tasks at most at a time."""

    def __init__(self, workers: int, slots: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers = workers
        self._slots: Any = self._context.RawArray(Slot, slots)
        self._free = list(range(slots))
        self._lock = threading.Lock()
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, self._context, _begin, (self._slots,))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Task | None":
        """Run `function(desk, *arguments)` in a process; None when every slot is taken."""
        with self._lock:
            if not self._free:
                return None
            index = self._free.pop()
            slot = self._slots[index]
            slot.cancelled, slot.phase, slot.fraction = 0, _WAITING, 0.0
            try:
                future = self._executor.submit(_run, index, function, arguments)
            except BrokenProcessPool:
                # A worker died under an earlier task; that task has been told.
                self._executor.shutdown(wait=False)
                self._executor = self._start()
                future = self._executor.submit(_run, index, function, arguments)
        future.add_done_callback(lambda _: self._release(index))
        return Task(future, slot, self._lock)

    def _release(self, index: int) -> None:
        with self._lock:
            self._free.append(index)

    def close(self) -> None:
        """Cancel everything, and wait until the processes have gone."""
        for slot in self._slots:
            slot.cancelled = 1
        self._executor.shutdown(wait=True, cancel_futures=True)


class Task:
    """A task in the pool. Its progress can be read until the future is done."""

    def __init__(self, future: "Future[Any]", slot: Slot, lock: threading.Lock) -> None:
        self.future = future
        self._slot = slot
        self._lock = lock

    def cancel(self) -> None:
        """Ask the worker to stop; one that has not begun never will."""
        # Under the lock, a task that is not done still has its slot: nobody else's flag is raised.
        with self._lock:
            if not self.future.done():
                self._slot.cancelled = 1
        self.future.cancel()

    def started(self) -> bool:
        """Whether a worker has begun."""
        return int(self._slot.phase) != _WAITING

    def progress(self) -> tuple[str, float] | None:
        """Phase and fraction, once the worker has said so."""
        phase = int(self._slot.phase)
        return None if phase < 0 else (str(PHASES[phase]), float(self._slot.fraction))


_desks: list[Desk] = []
"""In a worker process only: its view of every slot."""


def _begin(slots: Any) -> None:
    # Ctrl-C reaches the whole process group; the service ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _desks.extend(Desk(slot) for slot in slots)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose service was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(index: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    desk = _desks[index]
    desk.start()
    return function(desk, *arguments)
