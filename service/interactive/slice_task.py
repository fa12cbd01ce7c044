"""Slice task: what a sandbox does where slices along a needle are requested."""

from dataclasses import dataclass

import numpy as np
import orjson

from service.operations.case import Case
from service.operations.job_tasks import ReportProgress


@dataclass(frozen=True)
class SliceTask:
    """A case and the request that gives structures their roles, as its JSON; a needle's entry and tip, (3,),
    the distance shown around its middle, the side of a pixel, and optionally a plan's text. [mm, P]"""

    case: Case
    request: bytes
    entry_mm: np.ndarray
    tip_mm: np.ndarray
    half_mm: float
    pixel_mm: float
    plan: bytes | None


def cut(report: ReportProgress, task: SliceTask) -> bytes:
    """The slices as JSON.

    Raises AnatomyError if case and request do not fit together, and UnreadablePlanFile.
    """
    del report
    # Here, in the sandbox: the web server passes tasks on, and starts without the planner.
    from service.interactive.scene_cache import cached_scene
    from service.interactive.slices import dose_of, sliced

    scene = cached_scene(task.case, task.request).scene
    dose = None if task.plan is None else dose_of(task.plan)
    return orjson.dumps(sliced(scene, task.entry_mm, task.tip_mm, task.half_mm, task.pixel_mm, dose))
