"""Appraise task: what a bench does with needles that a hand moves. It keeps the scenes asked about last."""

import gc
from collections import OrderedDict
from dataclasses import dataclass
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


def appraise(report: Report, asked: Needles) -> bytes:
    """The needles' appraisals as JSON. Raises AnatomyError where case and request do not fit together."""
    del report
    appraiser, caveats = _appraiser(asked)
    return orjson.dumps({"paths": appraiser.appraise(asked.entries_mm, asked.tips_mm)} | caveats)


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
