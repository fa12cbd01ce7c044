"""Background check: a check that a thread repeats, so that nobody waits for its result."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.host.errors import ServiceError
from service.host.periodic_thread import PeriodicThread
from service.storage.errors import Unavailable

T = TypeVar("T")

EVERY_S = 1.0
"""Time between a result and the next check [U]."""

MAX_AGE_S = 10.0
"""An older result says nothing about now [U]."""

ERRORS = (OSError, Unavailable, ServiceError)
"""What disks, databases and the reserve raise."""


@dataclass(frozen=True)
class CheckResult(Generic[T]):
    """The result at `at_s` by the monotonic clock: a value, or an error."""

    at_s: float
    value: T | None = None
    error: Exception | None = None

    @property
    def age_s(self) -> float:
        """The seconds since then."""
        return time.monotonic() - self.at_s

    @property
    def is_fresh(self) -> bool:
        """Whether it is recent enough to say something about now."""
        return self.age_s <= MAX_AGE_S


class BackgroundCheck(Generic[T]):
    """Calls `ask` again and again. Before the first result, `last` has neither value nor error."""

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._periodic_thread = PeriodicThread(f"seedpath-{name}", self._look, EVERY_S)
        self.last: CheckResult[T] = CheckResult(time.monotonic())

    def start(self) -> None:
        """Start to check; returns at once."""
        self._periodic_thread.start()

    def close(self) -> None:
        """Stop checking."""
        self._periodic_thread.close()

    def _look(self) -> None:
        try:
            value = self._ask()
        except ERRORS as error:
            self.last = CheckResult(time.monotonic(), error=error)
        else:
            self.last = CheckResult(time.monotonic(), value)
