"""Appraising: needles that a hand moves are answered at once, at benches that keep their scenes warm.

A case is always asked at the same bench. A scene that is not warm holds up the others of its bench for as
long as it takes to make.
"""

import asyncio
import functools
import logging

import numpy as np
from anyio import CapacityLimiter, to_thread

from anatomy.errors import AnatomyError
from service.appraisal_schema import NeedlesBody
from service.appraise_task import Needles, appraise
from service.jobs.bench import Bench, Bounds, Exceeded, Fault, Lost
from service.problems import Problem, of_input, problem
from service.settings import Settings
from service.store import StoredCase, parts_by_name

_log = logging.getLogger("seedpath.appraising")

MOST_WAITING = 100
"""At one bench [U]."""


class Appraising:
    """The benches, each with those who wait for it."""

    def __init__(self, settings: Settings) -> None:
        # Not as nice as planning: a hand waits for the answer.
        bounds = Bounds(settings.appraisal_time_s, settings.job_memory_bytes, 0)
        self._benches = [Bench(bounds) for _ in range(settings.appraisers)]
        self._turns = [asyncio.Semaphore(1) for _ in self._benches]
        self._waiting = [0] * len(self._benches)
        self._threads = CapacityLimiter(len(self._benches))

    async def appraised(self, stored: StoredCase, request: bytes, body: NeedlesBody) -> bytes:
        """The appraisals of the body's needles as JSON. `request` is the body's request, as it came.

        Raises Problem where case and request do not fit together, or too many wait.
        """
        place = int(stored.record["id"][:8], 16) % len(self._benches)
        if self._waiting[place] >= MOST_WAITING:
            raise problem("busy", "Too many needles wait to be appraised. Try again in a moment.")
        needles = Needles(
            stored.case,
            request,
            np.array([needle.entry_mm for needle in body.paths], float),
            np.array([needle.tip_mm for needle in body.paths], float),
        )
        self._waiting[place] += 1
        try:
            async with self._turns[place]:
                # Not given up where the client leaves: a bench is one's alone until its work has ended.
                run = functools.partial(self._benches[place].run, appraise, needles)
                answer: bytes = await to_thread.run_sync(run, limiter=self._threads)
        except AnatomyError as error:
            report = of_input(error, stored.folder, parts_by_name(stored.record), request_at="/request")
            raise Problem(report) from None
        except Exceeded as error:
            raise problem("limit-reached", f"{error} Ask for less, or have the limit raised.") from None
        except (Lost, Fault) as error:
            _log.error("appraising failed: %s", error)
            raise problem("failed", "Appraising failed. The service's log says more.") from None
        finally:
            self._waiting[place] -= 1
        return answer

    def close(self) -> None:
        """End the processes."""
        for bench in self._benches:
            bench.end()
