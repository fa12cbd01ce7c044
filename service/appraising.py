"""Appraising: needles that a hand moves are answered at once, at benches that keep their scenes warm.

A case is always asked at the same bench. A scene that is not warm holds up the others of its bench for as
long as it takes to make.
"""

import numpy as np

from anatomy.errors import AnatomyError
from service.appraisal_schema import NeedlesBody
from service.appraise_task import Needles, appraise
from service.jobs.bench import Bounds
from service.problems import Problem, of_input
from service.settings import Settings
from service.shared_bench import SharedBench
from service.store import StoredCase, parts_by_name

MOST_WAITING = 100
"""At one bench [U]."""


class Appraising:
    """The benches at which needles are appraised."""

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
        bench = self._benches[int(stored.record["id"][:8], 16) % len(self._benches)]
        try:
            answer: bytes = await bench.run(appraise, needles)
        except AnatomyError as error:
            report = of_input(error, stored.folder, parts_by_name(stored.record), request_at="/request")
            raise Problem(report) from None
        return answer

    def close(self) -> None:
        """End the processes."""
        for bench in self._benches:
            bench.close()
