"""Work for sandboxes, importable in their processes."""

import ctypes
import os
import signal
import struct
import sys
import threading
import time
from typing import Any

from anatomy.errors import ReadError
from planner.records.progress import Phase, Progress
from service.jobs.liveness.stall_detector import mark_as_helper_thread
from service.operations.job_tasks import ReportProgress


def answer(report: ReportProgress, value: Any) -> Any:
    report(Progress(Phase.SEARCH, 0.5, "half"))
    return value, os.getpid()


def refuse(report: ReportProgress) -> None:
    raise ReadError("a.nii", "it is no image", "Give one.")


def fail(report: ReportProgress) -> None:
    raise ZeroDivisionError("secret")


def fail_to_answer(report: ReportProgress) -> Any:
    return lambda: None


def die(report: ReportProgress) -> None:
    os._exit(9)


def last(report: ReportProgress, seconds: float) -> None:
    report(Progress(Phase.SEARCH, 0.5, "begun"))
    time.sleep(seconds)


def fill_memory(report: ReportProgress, bytes: int) -> None:
    filled = bytearray(bytes)
    filled[:: os.sysconf("SC_PAGESIZE")] = b"\1" * len(filled[:: os.sysconf("SC_PAGESIZE")])
    time.sleep(60.0)


def priority(report: ReportProgress) -> int:
    return os.nice(0)


def stop(report: ReportProgress) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def stop_in_the_answer(report: ReportProgress) -> None:
    """Send the length of an answer, and a part of it."""
    os.write(int(sys.argv[1]), struct.pack("!Q", 1000) + b"part")
    os.kill(os.getpid(), signal.SIGSTOP)


def hang(report: ReportProgress) -> None:
    """Wait for what never comes, beside a thread that is not at work and ticks: 5 ms of processor, five times
    a second."""

    def tick() -> None:
        mark_as_helper_thread()
        while True:
            end = time.thread_time() + 0.005
            while time.thread_time() < end:
                pass
            time.sleep(0.2)

    threading.Thread(target=tick, daemon=True).start()
    threading.Event().wait()


def keep_the_lock(report: ReportProgress, seconds: int) -> None:
    """Wait in native code that keeps Python's lock: no thread of this process runs meanwhile."""
    report(Progress(Phase.SEARCH, 0.5, "begun"))
    ctypes.PyDLL(None).sleep(seconds)


def _not_made() -> None:
    raise RuntimeError("it cannot be unpickled")


class NotUnpickled:
    """Is pickled, and raises where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _not_made, ()


def compute_with_the_lock(report: ReportProgress, seconds: float) -> str:
    """Steps of more than a second each, in native code that keeps Python's lock."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100_000_000))
    return "computed"


def be_impatient(report: ReportProgress, seconds: float) -> int:
    """Have this process end when its parent is stopped for so long."""
    sys.modules["__main__"].PARENT_STOPPED_S = seconds  # type: ignore[attr-defined]
    return os.getpid()
