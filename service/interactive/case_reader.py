"""Case reader: uploads are unpacked and read in sandboxes of their own. So they do not wait for plans, and
cannot crash the service, whatever they contain.

Of several sandboxes, one owner uses all but one at most (`service.interactive.fair_queue`). Reading stops if
its client leaves.
"""

from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from anatomy.errors import AnatomyError
from service.host.damaged_file import refuse_damaged
from service.interactive.sandbox_pool import SandboxPool
from service.interactive.shapes_task import shapes_text
from service.interactive.text_cache import TextCache
from service.interactive.unzip.task import Take, bytes_of, state_zip, unpack_zip
from service.interactive.unzip.unzip import ZipLimits
from service.jobs.errors import UnusableInput
from service.jobs.memory_limits import reading_memory_bytes
from service.jobs.sandbox.sandbox import ResourceLimits
from service.operations.case_files import case_in, parts_by_name
from service.operations.job_tasks import Work, describe
from service.settings import Settings
from service.storage.file_store import StoredCase

MOST_OF_OWNER = 16
"""Uploads and shapes of one owner that are being read or wait [U]."""


class CaseReader:
    """The sandboxes in which uploads are read, and shapes are made from them."""

    def __init__(self, settings: Settings, work: Work) -> None:
        self._sandbox = SandboxPool(
            "Reading the upload",
            ResourceLimits(settings.reading_time_s, reading_memory_bytes(settings), settings.reading_nice),
            MOST_OF_OWNER,
            sandboxes=settings.readers,
            ends_when_left=True,
        )
        self._zip_limits = ZipLimits.of(settings)
        self._work = work
        self._shapes = TextCache()

    async def unpacked(self, owner: str, archive: Path, folder: Path, take: Take) -> None:
        """Unpack a zip into an empty folder, for `owner`, whose bytes are counted before any are written.

        Raises UnusableUpload for a zip that cannot be used, and as SandboxPool and `take` do; OSError.
        """
        stated = bytes_of(await self._sandbox.run(owner, state_zip, archive, self._zip_limits))
        take(stated)
        unpacked = bytes_of(await self._sandbox.run(owner, unpack_zip, archive, folder, self._zip_limits))
        take(unpacked - stated)

    async def described(self, owner: str, content: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What the case of `content`, whose files are in `folder`, contains; for `owner`.

        Raises UnusableInput for input that cannot be used, and as SandboxPool does.
        """
        try:
            document: dict[str, Any] = await self._sandbox.run(
                owner, describe, self._work, case_in(folder, content)
            )
        except AnatomyError as error:
            raise UnusableInput(error, folder, parts_by_name(content)) from None
        return document

    async def shapes(self, owner: str, stored: StoredCase) -> bytes:
        """The shapes of a case's structures as JSON, for `owner`; from the cache if they were requested
        recently. Raises UnusableInput as `described` does, and OSError."""
        case_id: str = stored.record["id"]
        cached = self._shapes.get(case_id)
        try:
            if cached is None:
                cached = await self._sandbox.run(owner, shapes_text, stored.case)
                self._shapes.keep(case_id, cached)
            else:
                # Making the shapes would have checked the files, too.
                await run_in_threadpool(refuse_damaged, stored.case.kept)
        except AnatomyError as error:
            raise UnusableInput(error, stored.folder, parts_by_name(stored.record)) from None
        return cached

    def close(self) -> None:
        """End the processes."""
        self._sandbox.close()
