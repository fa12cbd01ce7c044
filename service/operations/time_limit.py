"""Time limit: turns a time limit into the planner's `go_on` function. The planner itself reads no clock."""

import time
from collections.abc import Callable

from planner.records.progress import GoOn, Progress


def go_on_until(time_limit_s: float | None, report: Callable[[Progress], None]) -> GoOn:
    """A GoOn that returns False once `time_limit_s` has passed since this call. [s, None for no limit]

    It passes every progress report on to `report`.
    """
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s

    def go_on(progress: Progress) -> bool:
        report(progress)
        return deadline is None or time.monotonic() < deadline

    return go_on
