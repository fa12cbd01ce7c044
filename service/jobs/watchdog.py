"""Overdue: a worker whose thread hangs with a job ends itself, and the job is begun again.

Work has a bound of its own, and a sandbox that hangs is found out. The worker's own thread may hang too:
where it reads a case and keeps what was made, at a disk or a share that does not answer. Its process sends
its heartbeats all the same, and would hold its place for ever.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator

_log = logging.getLogger("seedpath.jobs")

TELL_S = 10.0
"""How long the end waits until the job is told as lost: the job table may be at the same disk [U]."""


@contextlib.contextmanager
def watchdog(most_s: float, what: str, tell: Callable[[], object]) -> Iterator[None]:
    """The context lasts no longer than this process may: where it takes `most_s`, `tell` is called, and the
    process ends. `what` names it in the log."""
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
    _log.error("%s hangs, after %.0f s: this worker ends, and another is started", what, most_s)
    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    telling.join(TELL_S)
    if is_over.is_set():
        # It came to its end meanwhile, and the worker may be at its next job.
        return
    # Whatever hangs would hold up any other end.
    os._exit(1)
