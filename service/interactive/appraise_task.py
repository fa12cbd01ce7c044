"""Appraise task: what a sandbox does with needles that a user moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import orjson

from anatomy.patient.notes import skin_text
from planner.records.paths import Aim
from service.operations.case import Case
from service.operations.job_tasks import ReportProgress


@dataclass(frozen=True)
class NeedlesTask:
    """A case, the request that says what is safe, as its JSON, entries and tips, (n, 3) each, and what each
    tip aims at. [mm, P]"""

    case: Case
    request: bytes
    entries_mm: np.ndarray
    tips_mm: np.ndarray
    aims: tuple[Aim, ...]

    def parts(self, most: int) -> "list[NeedlesTask]":
        """The needles in order, in `most` parts of about the same size, or fewer if there are fewer
        needles."""
        count = len(self.entries_mm)
        edges = np.linspace(0, count, min(most, count) + 1).astype(int)
        return [
            replace(self, entries_mm=self.entries_mm[a:b], tips_mm=self.tips_mm[a:b], aims=self.aims[a:b])
            for a, b in pairwise(edges)
        ]


@dataclass(frozen=True)
class AppraisalJson:
    """JSON of the appraisals of some needles, without the brackets around them, and of the caveats about
    their scene, an object that is never empty."""

    paths: bytes
    caveats: bytes


def appraise(report: ReportProgress, task: NeedlesTask) -> AppraisalJson:
    """The appraisals of the needles, and what their scene lacks, which no verdict takes into account.

    Raises AnatomyError if case and request do not fit together.
    """
    del report
    # Here, in the sandbox: the web server passes tasks on, and starts without the planner.
    from service.interactive.scene_cache import cached_scene

    at = cached_scene(task.case, task.request)
    caveats = {
        "missing_structures": at.scene.missing,
        "notes": at.scene.notes,
        "skin_structures": at.scene.skin_structures,
        "skin_source": skin_text(at.scene.skin_structures),
    }
    appraisals = at.appraiser.appraise(task.entries_mm, task.tips_mm, task.aims)
    return AppraisalJson(orjson.dumps(appraisals)[1:-1], orjson.dumps(caveats))


def joined(parts: Sequence[AppraisalJson]) -> bytes:
    """One JSON object of all needles in order: the same bytes, however they were split."""
    return b'{"paths":[' + b",".join(part.paths for part in parts) + b"]," + parts[0].caveats[1:]
