"""Appraise task: what a bench does with needles that a hand moves. It keeps the scenes asked about last."""

import gc
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from anatomy.scene import Scene
from planner.appraise import Appraiser
from planner.defaults import resolved
from service.case import Case, open_scene
from service.schema import MAX_REQUEST_BYTES, PlanRequest
from service.strict_json import read_model
from service.tasks import Report

WARM_SCENES = 3
"""How many scenes a bench keeps; each takes some hundred megabytes [U]."""


@dataclass(frozen=True)
class Needles:
    """What is asked: a case, the request that says what is safe, as its JSON, and entries and tips, (n, 3)
    each. [mm, P]"""

    case: Case
    request: bytes
    entries_mm: np.ndarray
    tips_mm: np.ndarray

    def parts(self, most: int) -> "list[Needles]":
        """The needles in order, in `most` parts of about one size, or as many as there are needles."""
        count = len(self.entries_mm)
        edges = np.linspace(0, count, min(most, count) + 1).astype(int)
        return [
            replace(self, entries_mm=self.entries_mm[a:b], tips_mm=self.tips_mm[a:b])
            for a, b in pairwise(edges)
        ]


@dataclass(frozen=True)
class Appraised:
    """JSON of some needles' appraisals, without the brackets around them, and of what is said of their scene,
    an object that is never empty."""

    paths: bytes
    caveats: bytes


def appraise(report: Report, asked: Needles) -> Appraised:
    """The needles' appraisals. Raises AnatomyError where case and request do not fit together."""
    del report
    appraiser, caveats = _appraiser(asked)
    found = appraiser.appraise(asked.entries_mm, asked.tips_mm)
    return Appraised(orjson.dumps(found)[1:-1], orjson.dumps(caveats))


def joined(parts: Sequence[Appraised]) -> bytes:
    """One JSON object of all the needles in order: the same bytes, however they were parted."""
    return b'{"paths":[' + b",".join(part.paths for part in parts) + b"]," + parts[0].caveats[1:]


Warm = tuple[Appraiser, dict[str, Any]]
"""An appraiser, and what its scene lacks, which no verdict knows of."""

_warm: "OrderedDict[tuple[Case, bytes], Warm]" = OrderedDict()
"""In a bench's process only: the last used is last."""


def _appraiser(asked: Needles) -> Warm:
    key = (asked.case, asked.request)
    if key in _warm:
        _warm.move_to_end(key)
        return _warm[key]
    request = read_model(PlanRequest, asked.request, MAX_REQUEST_BYTES).to_request()
    scene, request = open_scene(asked.case, request)
    while len(_warm) >= WARM_SCENES:
        _warm.popitem(last=False)
    made = Appraiser(scene, resolved(scene, request))
    _compile(made, scene)
    caveats = {
        "missing_structures": scene.missing,
        "notes": scene.notes,
        "skin_source": scene.skin_source,
    }
    _warm[key] = made, caveats
    # What stays is not looked through again: that would hold up an answer for a tenth of a second and more.
    gc.collect()
    gc.freeze()
    return _warm[key]


def _compile(made: Appraiser, scene: Scene) -> None:
    """Appraise a needle and many, so that the first that is asked for finds all loops compiled."""
    corner_mm = scene.grid.to_patient(np.zeros((1, 3)))
    for count in (1, 64):
        made.appraise(np.repeat(corner_mm + 1.0, count, axis=0), np.repeat(corner_mm, count, axis=0))
