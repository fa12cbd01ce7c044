"""Scene cache: the scenes that a sandbox used last, with the appraisers of needles in them."""

import gc
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from anatomy.scene import Scene
from planner.appraise import Appraiser
from planner.records.defaults import resolved
from service.operations.case import Case
from service.operations.open_case import open_scene
from service.schemas.json.strict import read_model
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest

MAX_SCENES = 3
"""How many scenes a sandbox keeps; each takes some hundred megabytes [U]."""


@dataclass(frozen=True, eq=False)
class CachedScene:
    """A scene, and the appraiser of needles in it."""

    scene: Scene
    appraiser: Appraiser


_scenes: OrderedDict[tuple[Case, bytes], CachedScene] = OrderedDict()
"""Used in a sandboxed process only; the last used scene is last."""


def cached_scene(case: Case, request: bytes) -> CachedScene:
    """The scene of a case and a request, which is given as its JSON; made if it is not in the cache.

    Raises AnatomyError if case and request do not fit together.
    """
    key = (case, request)
    if key in _scenes:
        _scenes.move_to_end(key)
        return _scenes[key]
    plan_request = read_model(PlanRequest, request, MAX_REQUEST_BYTES).to_request()
    scene, plan_request = open_scene(case, plan_request)
    while len(_scenes) >= MAX_SCENES:
        _scenes.popitem(last=False)
    cached = CachedScene(scene, Appraiser(scene, resolved(scene, plan_request)))
    _compile(cached)
    _scenes[key] = cached
    # The garbage collector skips what stays: a full collection would delay an answer by 0.1 s and more.
    gc.collect()
    gc.freeze()
    return cached


def _compile(cached: CachedScene) -> None:
    """Appraise one needle and many, so that all loops are compiled before the first request."""
    corner_mm = cached.scene.grid.to_patient(np.zeros((1, 3)))
    for count in (1, 64):
        cached.appraiser.appraise(
            np.repeat(corner_mm + 1.0, count, axis=0), np.repeat(corner_mm, count, axis=0)
        )
