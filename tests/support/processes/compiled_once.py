"""Kernels are compiled once for all workers of a test run, while the workers collect their tests.

numba keeps what it compiles on disk, in a folder that is empty after every change of a source. Without this,
each worker compiles the same kernels, for about a minute. The process that compiles them holds a lock; a
worker waits for the lock before its first test that calls kernels. The lock is released however that process
ends.

As a program, compiles them: the plan of the chest with a ball, and an appraisal of its needles, call nearly
all. What they do not call is compiled by the first test that does. The plan itself is kept for the tests.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from checkout import TESTS

LOCK = "KERNELS_OF_TESTS_LOCK"
"""Names the lock's file to the workers. The plan is written into the file."""


@contextmanager
def compiling() -> Iterator[None]:
    """The kernels are compiled meanwhile. Entered before the workers start, left when they have ended."""
    with tempfile.NamedTemporaryFile(prefix="kernels", suffix=".lock") as lock:
        with Path(lock.name).open() as lock_file:
            # The lock is that of the open file, which the process inherits and this one closes.
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            command = [sys.executable, str(TESTS / "run.py"), "compiled_once", lock.name]
            process = subprocess.Popen(command, pass_fds=[lock_file.fileno()], stdout=subprocess.DEVNULL)
        os.environ[LOCK] = lock.name
        yield
        process.terminate()
        process.wait()


@cache
def wait() -> bytes:
    """Wait until they are compiled, once. Returns the plan's text, empty where nobody started that."""
    name = os.environ.get(LOCK)
    if name is None:
        return b""
    with Path(name).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return file.read()


def main(plan_file: str) -> None:
    """Call the kernels, and write the plan."""
    import numpy as np
    from ball_plans import ball_plan, ball_scene

    from planner.appraise import Appraiser
    from service.schemas.plan.file import write_plan

    planned = ball_plan()
    Path(plan_file).write_bytes(write_plan(planned))
    ends = (np.array([getattr(path, name) for path in planned.paths]) for name in ("entry_mm", "tip_mm"))
    Appraiser(ball_scene(), planned.request).appraise(*ends, [path.aim for path in planned.paths])


if __name__ == "__main__":
    main(sys.argv[1])
