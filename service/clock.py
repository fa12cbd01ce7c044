"""Clock: where planning meets time. Turns a time limit into the planner's question "go on?"."""

import time
from collections.abc import Callable

from planner.progress import Cancelled, GoOn, Progress


def go_on_until(
    time_limit_s: float | None,
    report: Callable[[Progress], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> GoOn:
    """A GoOn that says no once `time_limit_s` has passed since this call. [s, None for no limit]

    It hands every progress on to `report`, and raises Cancelled once `cancelled` says so.
    """
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s

    def go_on(progress: Progress) -> bool:
        if cancelled():
            raise Cancelled
        report(progress)
        return deadline is None or time.monotonic() < deadline

    return go_on
