"""Allowance: how much one owner may ask at a time, so that none takes the service from the others.

Counted in each server by itself: with several servers, an owner has the allowance of each.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
        now = self._clock_s()
        account = self._accounts.setdefault(owner, _Account(self._burst, now))
        account.tokens = min(self._burst, account.tokens + (now - account.seen_s) * self._per_s)
        account.seen_s = now
        if account.tokens < 1.0:
            return (1.0 - account.tokens) / self._per_s
        if account.at_once >= self._at_once:
            return 1.0
        account.tokens -= 1.0
        account.at_once += 1
        return None

    def give_back(self, owner: str) -> None:
        """A request has ended."""
        self._accounts[owner].at_once -= 1
