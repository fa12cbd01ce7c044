"""Appraising: needles that a hand moves are answered at once, at benches that keep their scenes warm.

A case is always asked at the same bench. A scene that is not warm holds up the others of its bench for as
long as it takes to make.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from anatomy.errors import AnatomyError
from service.appraisal_schema import NeedlesBody
from service.appraise_task import Needles, appraise
from service.jobs.bench import Bounds
from service.problems import Problem, of_input, problem
from service.settings import Settings
from service.shared_bench import SharedBench
from service.slice_schema import SlicesBody
from service.slices import Cut, OtherVersion, cut
from service.store import StoredCase, parts_by_name

MOST_WAITING = 100
"""At one bench [U]."""


class Appraising:
    """The benches at which needles are appraised, and slices along them are cut."""

    def __init__(self, settings: Settings) -> None:
        # Not as nice as planning: a hand waits for the answer.
        bounds = Bounds(settings.appraisal_time_s, settings.job_memory_bytes, 0)
        self._benches = [SharedBench("Appraising", bounds, MOST_WAITING) for _ in range(settings.appraisers)]

    async def appraised(self, stored: StoredCase, request: bytes, body: NeedlesBody) -> bytes:
        """The appraisals of the body's needles as JSON. `request` is what matters of its request.

        Raises Problem where case and request do not fit together, and as SharedBench does.
        """
        needles = Needles(
            stored.case,
            request,
            np.array([needle.entry_mm for needle in body.paths], float),
            np.array([needle.tip_mm for needle in body.paths], float),
        )
        return await self._at_bench(stored, appraise, needles)

    async def sliced(self, stored: StoredCase, request: bytes, body: SlicesBody, plan: bytes | None) -> bytes:
        """The slices that the body asks for as JSON, with the dose of the plan whose text is given.

        Raises Problem where case and request do not fit together, or another version made the plan, and as
        SharedBench does.
        """
        entry_mm, tip_mm = np.array(body.entry_mm, float), np.array(body.tip_mm, float)
        asked = Cut(stored.case, request, entry_mm, tip_mm, body.half_mm, body.pixel_mm, plan)
        try:
            return await self._at_bench(stored, cut, asked)
        except OtherVersion as error:
            raise problem("conflict", str(error)) from None

    async def _at_bench(
        self, stored: StoredCase, function: Callable[..., bytes], asked: Needles | Cut
    ) -> bytes:
        bench = self._benches[int(stored.record["id"][:8], 16) % len(self._benches)]
        try:
            answer: Any = await bench.run(function, asked)
        except OtherVersion:
            raise
        except AnatomyError as error:
            report = of_input(error, stored.folder, parts_by_name(stored.record), request_at="/request")
            raise Problem(report) from None
        assert isinstance(answer, bytes)
        return answer

    def close(self) -> None:
        """End the processes."""
        for bench in self._benches:
            bench.close()
