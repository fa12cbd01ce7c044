"""Appraisers: needles that a user moves are appraised at once, in sandboxes that cache their scenes.

A few needles of a case always go to the same sandbox, many go to all sandboxes at once. A scene that is not
cached yet delays the other requests of its sandbox until it is made.

Work that was started continues if its client leaves: it has a time limit, and ending it would delete the
cached scenes of all others, as often as somebody asks and leaves.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from anatomy.errors import AnatomyError
from service.interactive.appraise_task import NeedlesTask, appraise, joined
from service.interactive.sandbox_pool import SandboxPool
from service.interactive.slice_task import SliceTask, cut
from service.jobs.errors import UnusableInput
from service.jobs.memory_limits import appraisal_memory_bytes
from service.jobs.sandbox.sandbox import ResourceLimits
from service.operations.case_files import parts_by_name
from service.schemas.appraisal import NeedlesBody
from service.schemas.plan.file import UnreadablePlanFile
from service.schemas.slices import SlicesBody
from service.settings import Settings
from service.storage.file_store import StoredCase
from service.storage.kept_plan import unreadable_plan

MOST_OF_OWNER = 25
"""Requests of one owner in one sandbox, running or waiting [U]."""

SHARED_FROM = 100
"""Number of needles in one message from which they are split. Fewer are answered sooner in one sandbox, and
keep the others free [U]."""


class Appraisers:
    """The sandboxes in which needles are appraised, and slices along them are cut."""

    def __init__(self, settings: Settings) -> None:
        # With a higher priority than planning: a user waits for the answer.
        limits = ResourceLimits(settings.appraisal_time_s, appraisal_memory_bytes(settings), 0)
        self._sandboxes = [
            SandboxPool("Appraising", limits, MOST_OF_OWNER) for _ in range(settings.appraisers)
        ]

    async def appraised(self, owner: str, stored: StoredCase, request: bytes, body: NeedlesBody) -> bytes:
        """The appraisals of the body's needles as JSON, for `owner`. `request` is the part of its request
        that matters.

        Raises UnusableInput if case and request do not fit together, and as SandboxPool does.
        """
        needles = NeedlesTask(
            stored.case,
            request,
            np.array([needle.entry_mm for needle in body.paths], float),
            np.array([needle.tip_mm for needle in body.paths], float),
            tuple(needle.aim for needle in body.paths),
        )
        parts = needles.parts(len(self._sandboxes)) if len(body.paths) >= SHARED_FROM else [needles]
        return joined(await self._in_sandboxes(owner, stored, appraise, parts))

    async def sliced(
        self, owner: str, stored: StoredCase, request: bytes, body: SlicesBody, plan: bytes | None
    ) -> bytes:
        """The slices that the body requests as JSON, with the dose of the plan whose text is given.

        Raises UnusableInput if case and request do not fit together, UnreadablePlan, and as SandboxPool does.
        """
        entry_mm, tip_mm = np.array(body.entry_mm, float), np.array(body.tip_mm, float)
        task = SliceTask(stored.case, request, entry_mm, tip_mm, body.half_mm, body.pixel_mm, plan)
        try:
            slices_json: bytes = (await self._in_sandboxes(owner, stored, cut, [task]))[0]
        except UnreadablePlanFile as error:
            assert body.plan is not None
            raise unreadable_plan(error, body.plan) from None
        return slices_json

    async def _in_sandboxes(
        self,
        owner: str,
        stored: StoredCase,
        function: Callable[..., Any],
        parts: Sequence[NeedlesTask | SliceTask],
    ) -> list[Any]:
        """What the function returns for each part, in order."""
        # Benches in turn from the case's own: different cases begin at different ones.
        own = int(stored.record["id"][:8], 16)
        sandboxes = [self._sandboxes[(own + n) % len(self._sandboxes)] for n in range(len(parts))]
        try:
            return await asyncio.gather(
                *(sandbox.run(owner, function, part) for sandbox, part in zip(sandboxes, parts, strict=True))
            )
        except UnreadablePlanFile:
            raise
        except AnatomyError as error:
            names = parts_by_name(stored.record)
            raise UnusableInput(error, stored.folder, names, request_at="/request") from None

    def close(self) -> None:
        """End the processes."""
        for sandbox in self._sandboxes:
            sandbox.close()
