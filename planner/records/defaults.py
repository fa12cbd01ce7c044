"""Defaults that depend on the scene: filled in before planning, so that a plan states all it used."""

from dataclasses import replace

import numpy as np

from anatomy.names.did_you_mean import did_you_mean
from anatomy.scene import Scene
from planner.errors import RequestError
from planner.records.organ_goals import refuse_impossible_goals
from planner.records.request import Request, source_of
from planner.records.search import RESERVED


def least_chord_mm(scene: Scene, request: Request) -> float:
    """How far a needle runs in the target at least: as asked, or as `TargetRequest` says. [mm]"""
    asked = request.target.min_chord_mm
    if asked is not None:
        return asked
    sides_mm = (np.array(scene.target.upper) - np.array(scene.target.lower)) * scene.grid.spacing_mm
    return min(source_of(request).seed_length_mm, 0.5 * float(sides_mm.min()))


def resolved(scene: Scene, request: Request) -> Request:
    """The request with every such default filled in.

    Raises RequestError for a structure whose name means something else in requests and plans, for a goal that
    no dose can be held against, and for a seed model that is not known.
    """
    source_of(request)
    refuse_unknown_cut_back(scene, request)
    refuse_impossible_goals(scene, request)
    for s in scene.structures:
        if s.name in RESERVED:
            raise RequestError(
                f"clearance_mm/{s.name}", f"the structure {s.name!r} has the name of a setting", "Rename it."
            )
    return replace(request, target=replace(request.target, min_chord_mm=least_chord_mm(scene, request)))


def refuse_unknown_cut_back(scene: Scene, request: Request) -> None:
    """Raise RequestError for a structure to cut the PTV back from that is not in the scene."""
    for name in request.target.cut_back:
        if name not in scene.names():
            raise RequestError(
                "target/cut_back", f"there is no structure {name!r}", did_you_mean(name, scene.names())
            )
