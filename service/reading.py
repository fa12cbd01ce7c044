"""Reading: uploads are read at a bench of their own, so that they neither wait for plans nor can take the
service down, however they are made."""

from pathlib import Path
from typing import Any

from anatomy.errors import AnatomyError
from service.case_content import case_in, parts_by_name
from service.jobs.bench import Bounds
from service.problems import Problem, of_input
from service.settings import Settings
from service.shapes import shapes
from service.shared_bench import SharedBench
from service.store import StoredCase
from service.tasks import Work, describe


class Reading:
    """The bench at which uploads are read, and shapes are made of them."""

    def __init__(self, settings: Settings, work: Work) -> None:
        bounds = Bounds(settings.job_time_s, settings.job_memory_bytes, settings.nice)
        self._bench = SharedBench("Reading the upload", bounds, settings.max_jobs, settings.max_jobs_of_owner)
        self._work = work

    async def described(self, owner: str, content: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What the case of `content`, whose files are in `folder`, holds. `owner` waits for it.

        Raises Problem for input that cannot be used, and as SharedBench does.
        """
        try:
            found: dict[str, Any] = await self._bench.run(
                owner, describe, self._work, case_in(folder, content)
            )
        except AnatomyError as error:
            raise Problem(of_input(error, folder, parts_by_name(content))) from None
        return found

    async def shapes(self, owner: str, stored: StoredCase) -> list[dict[str, Any]]:
        """The shapes of a case's structures, for which `owner` waits. Raises Problem as `described` does."""
        try:
            found: list[dict[str, Any]] = await self._bench.run(owner, shapes, stored.case)
        except AnatomyError as error:
            raise Problem(of_input(error, stored.folder, parts_by_name(stored.record))) from None
        return found

    def close(self) -> None:
        """End the process."""
        self._bench.close()
