"""Terminal: results go to a file or stdout; progress of work that takes over a second goes to stderr as
lines."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from planner.records.progress import Phase, Progress
from service.host.atomic_write import write_atomically
from service.host.time_left import spoken_left, time_left_s

PROGRAM = "seedpath"
"""How lines on stderr begin."""

QUIET_S = 1.0
"""Shorter work prints no progress, and longer work prints a line at most this often."""


def say(text: str) -> None:
    """Print one line on stderr."""
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


def deliver(result: bytes, summary: str, output: Path | None) -> None:
    """Write a result to its file and its summary to stdout; without a file, the result to stdout and the
    summary to stderr."""
    if output is None:
        sys.stdout.write(result.decode())
        sys.stderr.write(summary)
    else:
        write_atomically(output, result)
        sys.stdout.write(summary)


class ProgressLines:
    """Prints how far planning is, and the estimated time left: at each new phase, and otherwise once a
    second."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._started = self._printed_s = clock_s()
        self._phase: Phase | None = None

    def __call__(self, progress: Progress) -> None:
        """Take a progress report; print it when it is time."""
        now = self._clock_s()
        new_phase = progress.phase is not self._phase and now - self._started > QUIET_S
        if new_phase or now - self._printed_s > QUIET_S:
            left_s = time_left_s(now - self._started, progress.fraction)
            time_left = "" if left_s is None else f", {spoken_left(left_s)}"
            doing = ", ".join(filter(None, (progress.phase, progress.text)))
            say(f"{100 * progress.fraction:.0f} %{time_left}: {doing}")
            self._printed_s, self._phase = now, progress.phase
