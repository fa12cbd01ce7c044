"""Appraising: needles that a hand moves are answered at once, at benches that keep their scenes warm.

A few needles of a case are always asked at the same bench, many at all benches at once. A scene that is not
warm holds up the others of its bench for as long as it takes to make.
"""

import asyncio

import numpy as np

from anatomy.errors import AnatomyError
from service.appraisal_schema import NeedlesBody
from service.appraise_task import Needles, appraise, joined
from service.jobs.bench import Bounds
from service.problems import Problem, of_input
from service.settings import Settings
from service.shared_bench import SharedBench
from service.store import StoredCase, parts_by_name

MOST_WAITING, MOST_OF_OWNER = 100, 25
"""At one bench, of all and of one owner [U]."""

SHARED_FROM = 100
"""Needles of one message. Fewer are answered sooner than they are parted, and keep other benches free [U]."""


class Appraising:
    """The benches at which needles are appraised."""

    def __init__(self, settings: Settings) -> None:
        # Not as nice as planning: a hand waits for the answer.
        bounds = Bounds(settings.appraisal_time_s, settings.job_memory_bytes, 0)
        self._benches = [
            SharedBench("Appraising", bounds, MOST_WAITING, MOST_OF_OWNER) for _ in range(settings.appraisers)
        ]

    async def appraised(self, owner: str, stored: StoredCase, request: bytes, body: NeedlesBody) -> bytes:
        """The appraisals of the body's needles as JSON, for `owner`, who waits for them. `request` is what
        matters of its request.

        Raises Problem where case and request do not fit together, and as SharedBench does.
        """
        needles = Needles(
            stored.case,
            request,
            np.array([needle.entry_mm for needle in body.paths], float),
            np.array([needle.tip_mm for needle in body.paths], float),
        )
        parts = needles.parts(len(self._benches)) if len(body.paths) >= SHARED_FROM else [needles]
        # Benches in turn from the case's own: different cases begin at different ones.
        own = int(stored.record["id"][:8], 16)
        benches = [self._benches[(own + n) % len(self._benches)] for n in range(len(parts))]
        try:
            found = await asyncio.gather(
                *(bench.run(owner, appraise, part) for bench, part in zip(benches, parts, strict=True))
            )
        except AnatomyError as error:
            report = of_input(error, stored.folder, parts_by_name(stored.record), request_at="/request")
            raise Problem(report) from None
        return joined(found)

    def close(self) -> None:
        """End the processes."""
        for bench in self._benches:
            bench.close()
