"""Appraise task: what a bench does with needles that a hand moves."""

from dataclasses import dataclass

import numpy as np
import orjson

from service.case import Case
from service.tasks import Report
from service.warm import warm


@dataclass(frozen=True)
class Needles:
    """What is asked: a case, the request that says what is safe, as its JSON, and entries and tips, (n, 3)
    each. [mm, P]"""

    case: Case
    request: bytes
    entries_mm: np.ndarray
    tips_mm: np.ndarray


def appraise(report: Report, asked: Needles) -> bytes:
    """The needles' appraisals as JSON, and what their scene lacks, which no verdict knows of.

    Raises AnatomyError where case and request do not fit together.
    """
    del report
    at = warm(asked.case, asked.request)
    caveats = {
        "missing_structures": at.scene.missing,
        "notes": at.scene.notes,
        "skin_source": at.scene.skin_source,
    }
    return orjson.dumps({"paths": at.appraiser.appraise(asked.entries_mm, asked.tips_mm)} | caveats)
