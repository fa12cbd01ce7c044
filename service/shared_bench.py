"""Shared bench: one bench of the server for all who ask, one at a time, and so many who wait."""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from service.jobs.bench import Bench, Bounds, Exceeded, Fault, Lost
from service.problems import problem

_log = logging.getLogger("seedpath.bench")


class SharedBench:
    """A bench, and those who wait for it; `what` names its work in problems."""

    def __init__(self, what: str, bounds: Bounds, most_waiting: int) -> None:
        self._what, self._most = what, most_waiting
        self._bench = Bench(bounds)
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(report, *arguments)` returns.

        Raises what it raises of AnatomyError; Problem where too many wait, it takes too much, or it fails.
        """
        if self._waiting >= self._most:
            raise problem("busy", f"{self._what}: too many wait. Try again later.")
        self._waiting += 1
        try:
            # Waiting here costs no thread, of which there are few.
            async with self._turn:
                # Not given up where the client leaves: a bench is one's alone until its work has ended.
                return await to_thread.run_sync(functools.partial(self._bench.run, function, *arguments))
        except Exceeded as error:
            detail = f"{self._what}: {error} Ask for less, or have the limit raised."
            raise problem("limit-reached", detail) from None
        except (Lost, Fault) as error:
            _log.error("%s failed: %s", self._what, error)
            raise problem("failed", f"{self._what} failed. The service's log says more.") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the process."""
        self._bench.end()
