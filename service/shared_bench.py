"""Shared bench: one bench of the server for all who ask, one at a time, and so many who wait."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from service.jobs.bench import Bench, Bounds, Exceeded, Fault, Lost
from service.problems import Problem, problem
from service.turns import Full, Turns

_log = logging.getLogger("seedpath.bench")


RETRY_AFTER_S = 1
"""When an owner should come back who has all his places taken [U]."""


class SharedBench:
    """A bench, and those who wait for it, so many of one owner; `what` names its work in problems."""

    def __init__(self, what: str, bounds: Bounds, most_waiting: int, most_of_owner: int) -> None:
        self._what = what
        self._bench = Bench(bounds)
        self._is_closed = False
        self._turns = Turns(most_waiting, most_of_owner)

    async def run(self, owner: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(report, *arguments)` returns.

        Raises what it raises of AnatomyError; Problem where too many wait, it takes too much, or it fails.
        """
        try:
            # Waiting here costs no thread, of which there are few.
            async with self._turns.turn(owner):
                # Not given up where the client leaves: a bench is one's alone until its work has ended.
                return await to_thread.run_sync(functools.partial(self._done, function, *arguments))
        except Full as full:
            raise self._refusal(full) from None
        except Exceeded as error:
            detail = f"{self._what}: {error} Ask for less, or have the limit raised."
            raise problem("limit-reached", detail) from None
        except (Lost, Fault) as error:
            _log.error("%s failed: %s", self._what, error)
            raise problem("failed", f"{self._what} failed. The service's log says more.") from None

    def _done(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the bench makes of it; once more where its process was lost, as one is that was stopped."""
        try:
            return self._bench.run(function, *arguments)
        except Lost as error:
            if self._is_closed:
                raise
            _log.warning("%s is begun again: %s", self._what, error)
            return self._bench.run(function, *arguments)

    def _refusal(self, full: Full) -> Problem:
        if not full.of_owner:
            return problem("busy", f"{self._what}: too many wait. Try again later.")
        detail = f"{self._what}: as many of this owner wait as may. Wait for their answers, then ask."
        return Problem(problem("too-many-requests", detail).report, {"Retry-After": str(RETRY_AFTER_S)})

    def close(self) -> None:
        """End the process."""
        self._is_closed = True
        self._bench.end()
