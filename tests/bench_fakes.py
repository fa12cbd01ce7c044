"""Work for benches, importable in their processes."""

import os
import time
from typing import Any

from anatomy.errors import ReadError
from planner.progress import Phase, Progress
from service.tasks import Report


def answer(report: Report, value: Any) -> Any:
    report(Progress(Phase.SEARCH, 0.5, "half"))
    return value, os.getpid()


def refuse(report: Report) -> None:
    raise ReadError("a.nii", "it is no image", "Give one.")


def fail(report: Report) -> None:
    raise ZeroDivisionError("secret")


def fail_to_answer(report: Report) -> Any:
    return lambda: None


def die(report: Report) -> None:
    os._exit(9)


def last(report: Report, seconds: float) -> None:
    time.sleep(seconds)


def fill_memory(report: Report, bytes: int) -> None:
    filled = bytearray(bytes)
    filled[:: os.sysconf("SC_PAGESIZE")] = b"\1" * len(filled[:: os.sysconf("SC_PAGESIZE")])
    time.sleep(60.0)


def priority(report: Report) -> int:
    return os.nice(0)
