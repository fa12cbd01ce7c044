"""Progress bar of a study, on stderr: one line that is redrawn in a terminal, a line from time to time
elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable

from planner.records.wording.number_text import counted
from service.cli.terminal import PROGRAM
from service.study.run import StudyProgress

WIDTH = 24
"""Width of the bar, in characters."""

SELDOM_S, OFTEN_S = 60.0, 5.0
"""Where lines are not redrawn: the longest time between two lines, and the shortest when a plan has ended
[U]."""

CLEAR = "\r\x1b[K"
"""Go to the start of the line, and clear it."""


class ProgressBar:
    """Draws the progress of a study. Use as a context manager, which ends the line."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr
        self._clock_s = clock_s
        self._is_terminal = self._stream.isatty()
        self._progress: StudyProgress | None = None
        self._started_s: float | None = None
        self._last_end_s = 0.0
        self._printed_s = 0.0
        self._printed = ""
        self._counted = self._ended = -1

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal and self._printed:
            self._stream.write("\n")
            self._stream.flush()

    @property
    def text(self) -> str:
        """How many plans have ended, in words."""
        return "0 plans done" if self._progress is None else _counted(self._progress)

    def __call__(self, progress: StudyProgress) -> None:
        """Take the progress; draw it when it is time."""
        now = self._clock_s()
        self._progress = progress
        if self._started_s is None:
            self._started_s = now
        if progress.ended != self._counted:
            self._counted, self._last_end_s = progress.ended, now
        text = f"{PROGRAM}: {line(progress, self._left_s(progress, now))}"
        if self._is_terminal:
            text = text[: shutil.get_terminal_size().columns - 1]
            if text != self._printed:
                self._stream.write(f"{CLEAR}{text}")
        elif self._is_due(progress, now):
            self._stream.write(f"{text}\n")
            self._printed_s, self._ended = now, progress.ended
        self._printed = text
        self._stream.flush()

    def _left_s(self, progress: StudyProgress, now: float) -> float | None:
        """The estimated time left, from the plans that ended since the start, or from the present one if it
        takes longer. None before any has ended, and when nothing is left."""
        ended, unfinished = progress.ended - progress.ended_before, progress.total - progress.ended
        if ended == 0 or unfinished == 0:
            return None
        assert self._started_s is not None
        since_s, in_all_s = now - self._last_end_s, now - self._started_s
        pace_s = max((in_all_s - since_s) / ended, in_all_s / (ended + 1))
        left_s = pace_s * unfinished - min(since_s, pace_s)
        return left_s if left_s >= 1.0 else None

    def _is_due(self, progress: StudyProgress, now: float) -> bool:
        if self._ended < 0 or progress.ended == progress.total:
            return progress.ended != self._ended
        return now - self._printed_s >= (OFTEN_S if progress.ended != self._ended else SELDOM_S)


def line(progress: StudyProgress, left_s: float | None) -> str:
    """The progress in a line: the bar, counts, the estimated time left, and what is being planned."""
    filled = WIDTH * progress.ended // max(1, progress.total)
    parts = [f"[{'#' * filled}{'.' * (WIDTH - filled)}] {_counted(progress)}"]
    if left_s is not None:
        parts.append(f"about {_spoken(left_s)} left")
    if progress.at_work:
        study_plan, phase = progress.at_work[0]
        more = f", {len(progress.at_work)} at once" if len(progress.at_work) > 1 else ""
        parts.append(f"{study_plan.case}, {study_plan.ranking}: {phase}{more}")
    return "; ".join(parts)


def _counted(progress: StudyProgress) -> str:
    return f"{progress.ended} of {counted(progress.total, 'plan')} done"


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
