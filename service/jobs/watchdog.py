"""Watchdog: a worker whose thread hangs with a job ends itself, and the job is started again.

The work itself has a time limit, and a sandbox that hangs is detected. But the worker's own thread may hang
too, where it reads a case or saves a result on a disk or network share that does not answer. Its process
still sends heartbeats, and would block its place forever.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator

_log = logging.getLogger("seedpath.jobs")

TELL_S = 10.0
"""How long the end waits until the job is reported as lost: the job table may be on the same disk [U]."""


@contextlib.contextmanager
def watchdog(most_s: float, what: str, tell: Callable[[], object]) -> Iterator[None]:
    """The context may last `most_s` at most: if it takes longer, `tell` is called and this process ends.
    `what` names the work in the log."""
    is_over = threading.Event()
    timer = threading.Timer(most_s, _end, (most_s, what, tell, is_over))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        is_over.set()
        timer.cancel()


def _end(most_s: float, what: str, tell: Callable[[], object], is_over: threading.Event) -> None:
    _log.error("%s hangs, after %.0f s: this worker ends and is replaced", what, most_s)
    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    telling.join(TELL_S)
    if is_over.is_set():
        # The work ended meanwhile, and the worker may have the next job.
        return
    # A normal exit would wait for the thread that hangs.
    os._exit(1)
