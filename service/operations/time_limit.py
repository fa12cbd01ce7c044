"""Clock: where planning meets time. Turns a time limit into the planner's question "go on?"."""

import time
from collections.abc import Callable

from planner.records.progress import GoOn, Progress


def go_on_until(time_limit_s: float | None, report: Callable[[Progress], None]) -> GoOn:
    """A GoOn that says no once `time_limit_s` has passed since this call. [s, None for no limit]

    It hands every progress on to `report`.
    """
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s

    def go_on(progress: Progress) -> bool:
        report(progress)
        return deadline is None or time.monotonic() < deadline

    return go_on
