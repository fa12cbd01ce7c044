"""Sandbox pool: a few sandboxes of the server for all owners, each for one task at a time, with a fair
queue."""

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
"""When an owner with too many waiting requests should try again [U]."""

CLOSE_S = 5.0
"""How long `close` waits for work to stop: a process that waits for a disk may not [U]."""


class SandboxPool:
    """Sandboxes, and the queue of tasks that wait for one, limited for each owner. `what` names the work in
    problems.

    With `ends_when_left`, a task ends at once if its caller is cancelled. The next task gets the sandbox,
    whose process has to start first. Otherwise a task runs to its end. That is right for a sandbox whose
    process caches something: ending it would delete the cache of all others.
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
        # The last used one is used first: its process is running.
        self._free = list(self._slots)
        self._is_closed = threading.Event()
        self._queue = FairQueue(most_of_owner, sandboxes)

    async def run(self, owner: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(report, *arguments)` returns.

        Raises the AnatomyErrors of the function; TooManyWaiting if too many requests of this owner wait;
        LimitReached, WorkFailed, and ServiceEnds if the pool is closed.
        """
        call = _Call(function, arguments)
        # In a task of its own: even if the caller gives up, the sandbox stays taken until its work has ended.
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
        # Waiting here needs no thread; there are few of them.
        async with self._queue.turn(owner):
            call.has_begun = True
            slot = self._free.pop()
            try:
                return await to_thread.run_sync(functools.partial(self._done, slot, call))
            finally:
                self._free.append(slot)

    def _done(self, slot: "_Slot", call: "_Call") -> Any:
        """The result of the call. If the process was lost, for example because it was stopped, the call is
        repeated once, in the time that is left."""
        with slot.is_taken:
            begun_s = time.monotonic()
            try:
                return self._done_at(slot.sandbox, call, 0.0)
            except ProcessLost as error:
                _log.warning("%s is started again: %s", self._what, error)
                return self._done_at(slot.sandbox, call, time.monotonic() - begun_s)

    def _done_at(self, sandbox: SandboxedProcess, call: "_Call", used_s: float) -> Any:
        def is_wanted(progress: Progress | None) -> bool:
            del progress
            return not (self._is_closed.is_set() or call.is_left.is_set())

        if not is_wanted(None):
            raise Stopped
        return sandbox.run(call.function, *call.arguments, watch=is_wanted, used_s=used_s)

    async def _abandon(self, working: "asyncio.Future[Any]", call: "_Call") -> None:
        """End a task that nobody waits for: at once if it has not begun, or if it may be ended."""
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
        """End the processes. Running work stops, and no new work starts."""
        self._is_closed.set()
        until_s = time.monotonic() + CLOSE_S
        for slot in self._slots:
            # A sandbox is for one thread at a time: wait until the thread that uses it has released it.
            if not slot.is_taken.acquire(timeout=max(0.0, until_s - time.monotonic())):
                _log.error("%s does not stop; it ends with the server", self._what)
                continue
            slot.sandbox.end()
            slot.is_taken.release()


@dataclass(frozen=True)
class _Slot:
    """A sandbox, and the lock of the thread that uses it."""

    sandbox: SandboxedProcess
    is_taken: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Call:
    """A task: whether it has begun, and whether its caller has left."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    has_begun: bool = False
    is_left: threading.Event = field(default_factory=threading.Event)


def _heard(working: "asyncio.Future[Any]") -> None:
    """Retrieve an outcome that nobody waits for: asyncio would warn that it was never retrieved."""
    if not working.cancelled():
        working.exception()
