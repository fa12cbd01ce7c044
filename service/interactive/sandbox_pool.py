"""Shared sandbox: a few sandboxes of the server for all who ask, each for one at a time, and so many who
wait."""

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread

from planner.records.progress import Progress
from service.interactive.fair_queue import FairQueue, QueueFull
from service.jobs.errors import LimitReached, ServiceEnds, TooManyWaiting, WorkFailed
from service.jobs.sandbox.sandbox import (
    LimitExceeded,
    ProcessLost,
    ResourceLimits,
    SandboxedProcess,
    Stopped,
    TaskFailed,
)

_log = logging.getLogger("seedpath.sandbox")

RETRY_AFTER_S = 1
"""When an owner should come back who has all his places taken [U]."""

CLOSE_S = 5.0
"""How long the end waits for work to stop: a process that waits for a disk may not [U]."""


class SandboxPool:
    """Benches, and those who wait for one, so many of one owner; `what` names their work in problems.

    Where `ends_when_left`, work whose asker gives up (his task is cancelled) ends at once, and its sandbox is
    the next one's, with a process that has to start first. Otherwise it goes on to its end, as a sandbox
    should whose process keeps what it made: ending it would take that from all others.
    """

    def __init__(
        self,
        what: str,
        limits: ResourceLimits,
        most_of_owner: int,
        *,
        sandboxes: int = 1,
        ends_when_left: bool = False,
    ) -> None:
        self._what, self._ends_when_left = what, ends_when_left
        self._slots = [_Slot(SandboxedProcess(limits)) for _ in range(sandboxes)]
        # The last used is the first to be used again: its process is up.
        self._free = list(self._slots)
        self._is_closed = threading.Event()
        self._queue = FairQueue(most_of_owner, sandboxes)

    async def run(self, owner: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(report, *arguments)` returns.

        Raises what it raises of AnatomyError; TooManyWaiting, LimitReached, WorkFailed, and ServiceEnds where
        the sandboxes are closed.
        """
        call = _Call(function, arguments)
        # In a task of its own: whoever gives up, a sandbox is one's alone until its work has ended.
        working = asyncio.ensure_future(self._in_turn(owner, call))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await self._abandon(working, call)
            raise
        except QueueFull:
            raise TooManyWaiting(self._what, RETRY_AFTER_S) from None
        except LimitExceeded as error:
            raise LimitReached(f"{self._what}: {error}") from None
        except Stopped:
            raise ServiceEnds(self._what) from None
        except (ProcessLost, TaskFailed) as error:
            _log.error("%s failed: %s", self._what, error)
            raise WorkFailed(self._what) from None

    async def _in_turn(self, owner: str, call: "_Call") -> Any:
        # Waiting here costs no thread, of which there are few.
        async with self._queue.turn(owner):
            call.has_begun = True
            slot = self._free.pop()
            try:
                return await to_thread.run_sync(functools.partial(self._done, slot, call))
            finally:
                self._free.append(slot)

    def _done(self, slot: "_Slot", call: "_Call") -> Any:
        """What the sandbox makes of it; once more where its process was lost, as one is that was stopped, in
        what is left of its time."""
        with slot.is_taken:
            begun_s = time.monotonic()
            try:
                return self._done_at(slot.sandbox, call, 0.0)
            except ProcessLost as error:
                _log.warning("%s is begun again: %s", self._what, error)
                return self._done_at(slot.sandbox, call, time.monotonic() - begun_s)

    def _done_at(self, sandbox: SandboxedProcess, call: "_Call", used_s: float) -> Any:
        def is_wanted(progress: Progress | None) -> bool:
            del progress
            return not (self._is_closed.is_set() or call.is_left.is_set())

        if not is_wanted(None):
            raise Stopped
        return sandbox.run(call.function, *call.arguments, watch=is_wanted, used_s=used_s)

    async def _abandon(self, working: "asyncio.Future[Any]", call: "_Call") -> None:
        """End what nobody waits for: at once where it waits itself, or may be left."""
        working.add_done_callback(_heard)
        if call.has_begun and not self._ends_when_left:
            return
        call.is_left.set()
        if not call.has_begun:
            working.cancel()
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([working])

    def close(self) -> None:
        """End the processes. Work stops, and none begins any more."""
        self._is_closed.set()
        until_s = time.monotonic() + CLOSE_S
        for slot in self._slots:
            # A sandbox is for one thread at a time: whoever is at work there ends it, or lets go of it.
            if not slot.is_taken.acquire(timeout=max(0.0, until_s - time.monotonic())):
                _log.error("%s does not stop, and ends with the server", self._what)
                continue
            slot.sandbox.end()
            slot.is_taken.release()


@dataclass(frozen=True)
class _Slot:
    """A sandbox, and the lock of the thread that works there."""

    sandbox: SandboxedProcess
    is_taken: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Call:
    """A piece of work: whether it has begun, and whether its asker has left."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    has_begun: bool = False
    is_left: threading.Event = field(default_factory=threading.Event)


def _heard(working: "asyncio.Future[Any]") -> None:
    """An outcome that nobody waits for: asyncio would say that it was never looked at."""
    if not working.cancelled():
        working.exception()
