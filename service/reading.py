"""Reading: uploads are read at a bench of their own, so that they neither wait for plans nor can take the
service down, however they are made."""

import asyncio
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from anatomy.errors import AnatomyError
from service.jobs.bench import Bench, Bounds, Exceeded
from service.problems import Problem, of_input, problem
from service.settings import Settings
from service.store import case_in, parts_by_name
from service.tasks import Work, describe


class Reading:
    """One bench, and those who wait for it."""

    def __init__(self, settings: Settings, work: Work) -> None:
        self._bench = Bench(Bounds(settings.job_time_s, settings.job_memory_bytes, settings.nice))
        self._work = work
        self._most = settings.max_jobs
        self._waiting = 0
        self._turn = asyncio.Semaphore(1)

    async def described(self, content: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What the case of `content`, whose files are in `folder`, holds.

        Raises Problem for input that cannot be used, and where too many wait.
        """
        if self._waiting >= self._most:
            raise problem("busy", "Too many uploads are being read. Try again later.")
        self._waiting += 1
        try:
            # Waiting here costs no thread, of which there are few.
            async with self._turn:
                return await run_in_threadpool(self._described, content, folder)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the process."""
        self._bench.end()

    def _described(self, content: dict[str, Any], folder: Path) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._bench.run(describe, self._work, case_in(folder, content))
        except AnatomyError as error:
            raise Problem(of_input(error, folder, parts_by_name(content))) from None
        except Exceeded as error:
            detail = f"Reading the upload: {error} Send less, or have the limit raised."
            raise problem("limit-reached", detail) from None
        return found
