"""Shared bench: a few benches of the server for all who ask, each for one at a time, and so many who wait."""

import asyncio
import contextlib
import functools
import logging
import threading
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
    """Benches, and those who wait for one, so many of one owner; `what` names their work in problems.

    Work whose asker gives up (his task is cancelled) ends at once where it `is_left`, and its bench is the
    next one's, with a process that has to start first. Otherwise it goes on to its end, as a bench should
    whose process keeps what it made: ending it would take that from all others.
    """

    def __init__(
        self,
        what: str,
        bounds: Bounds,
        most_waiting: int,
        most_of_owner: int,
        *,
        benches: int = 1,
        is_left: bool = False,
    ) -> None:
        self._what, self._is_left = what, is_left
        self._benches = [Bench(bounds) for _ in range(benches)]
        # The last used is the first to be used again: its process is up.
        self._free = list(self._benches)
        self._is_closed = False
        self._turns = Turns(most_waiting, most_of_owner, benches)

    async def run(self, owner: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(report, *arguments)` returns.

        Raises what it raises of AnatomyError; Problem where too many wait, it takes too much, or it fails.
        """
        asked = _Asked(function, arguments)
        # In a task of its own: whoever gives up, a bench is one's alone until its work has ended.
        working = asyncio.ensure_future(self._in_turn(owner, asked))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await self._let_go(working, asked)
            raise
        except Full as full:
            raise self._refusal(full) from None
        except Exceeded as error:
            detail = f"{self._what}: {error} Ask for less, or have the limit raised."
            raise problem("limit-reached", detail) from None
        except (Lost, Fault) as error:
            _log.error("%s failed: %s", self._what, error)
            raise problem("failed", f"{self._what} failed. The service's log says more.") from None

    async def _in_turn(self, owner: str, asked: "_Asked") -> Any:
        # Waiting here costs no thread, of which there are few.
        async with self._turns.turn(owner):
            asked.has_begun = True
            bench = self._free.pop()
            try:
                return await to_thread.run_sync(functools.partial(self._done, bench, asked))
            finally:
                self._free.append(bench)

    def _done(self, bench: Bench, asked: "_Asked") -> Any:
        """What the bench makes of it; once more where its process was lost, as one is that was stopped."""
        try:
            return asked.done_at(bench)
        except Lost as error:
            if self._is_closed or asked.is_left.is_set():
                raise
            _log.warning("%s is begun again: %s", self._what, error)
            return asked.done_at(bench)

    async def _let_go(self, working: "asyncio.Future[Any]", asked: "_Asked") -> None:
        """End what nobody waits for: at once where it waits itself, or may be left."""
        working.add_done_callback(_heard)
        if asked.has_begun and not self._is_left:
            return
        asked.is_left.set()
        if not asked.has_begun:
            working.cancel()
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([working])

    def _refusal(self, full: Full) -> Problem:
        if not full.of_owner:
            return problem("busy", f"{self._what}: too many wait. Try again later.")
        detail = f"{self._what}: as many of this owner wait as may. Wait for their answers, then ask."
        return Problem(problem("too-many-requests", detail).report, {"Retry-After": str(RETRY_AFTER_S)})

    def close(self) -> None:
        """End the processes."""
        self._is_closed = True
        for bench in self._benches:
            bench.end()


class _Asked:
    """A piece of work: whether it has begun, and whether it is wanted no more."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments
        self.has_begun = False
        self.is_left = threading.Event()

    def done_at(self, bench: Bench) -> Any:
        return bench.run(self._function, *self._arguments, watch=lambda _: not self.is_left.is_set())


def _heard(working: "asyncio.Future[Any]") -> None:
    """An outcome that nobody waits for: asyncio would say that it was never looked at."""
    if not working.cancelled():
        working.exception()
