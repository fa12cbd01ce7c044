"""Allowance: how much one owner may ask at a time, so that none takes the service from the others.

Counted in each server by itself: with several servers, an owner has the allowance of each.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from service.problems import Problem, problem


@dataclass
class _Account:
    tokens: float
    seen_s: float
    at_once: int = 0


class Allowance:
    """A bucket of requests for each owner, filled at a steady rate, and a count of those under way."""

    def __init__(
        self, per_s: float, burst: int, at_once: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst, self._at_once = per_s, burst, at_once
        self._clock_s = clock_s
        self._accounts: dict[str, _Account] = {}

    def take(self, owner: str) -> float | None:
        """Begin a request. None where it may begin, else when to come back. [s]"""
        account = self._filled(owner)
        if account.tokens >= 1.0 and account.at_once >= self._at_once:
            return 1.0
        wait_s = self._spend(account)
        if wait_s is None:
            account.at_once += 1
        return wait_s

    def give_back(self, owner: str) -> None:
        """A request has ended."""
        self._accounts[owner].at_once -= 1

    def spend(self, owner: str) -> float | None:
        """Count a message of a request that is under way. None where it may be answered, else when to come
        back. [s]"""
        return self._spend(self._filled(owner))

    def _spend(self, account: _Account) -> float | None:
        if account.tokens < 1.0:
            return (1.0 - account.tokens) / self._per_s
        account.tokens -= 1.0
        return None

    def _filled(self, owner: str) -> _Account:
        now = self._clock_s()
        account = self._accounts.setdefault(owner, _Account(self._burst, now))
        account.tokens = min(self._burst, account.tokens + (now - account.seen_s) * self._per_s)
        account.seen_s = now
        return account


def too_many(wait_s: float) -> Problem:
    """What is answered where an allowance is used up, for so long. [s]"""
    seconds = max(1, round(wait_s))
    detail = f"Too many requests at once. Come back in {seconds} s."
    return Problem(problem("too-many-requests", detail).report, {"Retry-After": str(seconds)})
