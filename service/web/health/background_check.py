"""BackgroundCheck: a question that a thread of its own asks again and again, so that nobody waits for the
answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.host.errors import ServiceError
from service.host.periodic_thread import PeriodicThread
from service.storage.errors import Unavailable

T = TypeVar("T")

EVERY_S = 1.0
"""Between an answer and the next question [U]."""

MAX_AGE_S = 10.0
"""An answer that is older says nothing about now [U]."""

ERRORS = (OSError, Unavailable, ServiceError)
"""What disks and databases raise, and who looks after room."""


@dataclass(frozen=True)
class CheckResult(Generic[T]):
    """What was answered at `at_s` by the monotonic clock: a value, or an error."""

    at_s: float
    value: T | None = None
    error: Exception | None = None

    @property
    def age_s(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self.at_s

    @property
    def is_fresh(self) -> bool:
        """Whether it says something about now."""
        return self.age_s <= MAX_AGE_S


class BackgroundCheck(Generic[T]):
    """Asks `ask` again and again. Before its first answer there is one without value or error."""

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._periodic_thread = PeriodicThread(f"seedpath-{name}", self._look, EVERY_S)
        self.last: CheckResult[T] = CheckResult(time.monotonic())

    def start(self) -> None:
        """Begin to ask; returns at once."""
        self._periodic_thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._periodic_thread.close()

    def _look(self) -> None:
        try:
            value = self._ask()
        except ERRORS as error:
            self.last = CheckResult(time.monotonic(), error=error)
        else:
            self.last = CheckResult(time.monotonic(), value)
