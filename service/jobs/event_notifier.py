"""Event notifier: wakes clients that wait for events of jobs. One query of the job table serves all of
them."""

import asyncio
import logging
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from service.jobs.job_table import JobTable
from service.storage.errors import Unavailable

_log = logging.getLogger("seedpath.events")

POLL_S = 0.1
"""How often the job table is queried: the longest delay of an event that happens in another process [U]."""


@dataclass(eq=False)
class _Waiter:
    job_id: str
    number: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class EventNotifier:
    """All waiting clients of this process, on its event loop."""

    def __init__(self, job_table: JobTable) -> None:
        self._job_table = job_table
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self.closed = False

    async def wait(self, job_id: str, number: int, most_s: float) -> None:
        """Return when the job has an event after the one with that number, after `most_s`, or when the
        service ends."""
        if self.closed:
            return
        waiter = _Waiter(job_id, number)
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            await asyncio.wait_for(waiter.woken.wait(), most_s)
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    def close(self) -> None:
        """Wake all waiting clients for good: the service ends."""
        self.closed = True
        for waiter in self._waiters:
            waiter.woken.set()

    async def _look(self) -> None:
        while self._waiters and not self.closed:
            job_ids = list({waiter.job_id for waiter in self._waiters})
            try:
                last_events = await run_in_threadpool(self._job_table.last_events, job_ids)
            except (Unavailable, OSError) as error:
                _log.warning("%s Clients that wait for jobs continue to wait.", error)
            else:
                for waiter in self._waiters:
                    # A deleted job has no more events.
                    if last_events.get(waiter.job_id, waiter.number + 1) > waiter.number:
                        waiter.woken.set()
            await asyncio.sleep(POLL_S)
