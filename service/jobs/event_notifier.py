"""EventNotifier: wakes who waits for jobs. One question to the job table serves all who wait."""

import asyncio
import logging
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from service.jobs.job_table import JobTable
from service.storage.database.connection import Unavailable

_log = logging.getLogger("seedpath.events")

POLL_S = 0.1
"""How often the job table is asked: what happens elsewhere is known so late at most [U]."""


@dataclass(eq=False)
class _Waiter:
    job_id: str
    number: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class EventNotifier:
    """Those who wait in this process, all on its event loop."""

    def __init__(self, job_table: JobTable) -> None:
        self._job_table = job_table
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self.closed = False

    async def wait(self, job_id: str, number: int, most_s: float) -> None:
        """Return when something happened to the job since its event of that number, after `most_s`, or when
        the service ends."""
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
        """Wake everybody for good: the service ends."""
        self.closed = True
        for waiter in self._waiters:
            waiter.woken.set()

    async def _look(self) -> None:
        while self._waiters and not self.closed:
            asked = list({waiter.job_id for waiter in self._waiters})
            try:
                found = await run_in_threadpool(self._job_table.last_events, asked)
            except (Unavailable, OSError) as error:
                _log.warning("%s Those who wait for jobs go on waiting.", error)
            else:
                for waiter in self._waiters:
                    # A job that is forgotten has nothing more to tell.
                    if found.get(waiter.job_id, waiter.number + 1) > waiter.number:
                        waiter.woken.set()
            await asyncio.sleep(POLL_S)
