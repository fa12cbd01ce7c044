"""Defaults that depend on the scene. They are filled in before planning, so that a plan states all values
used."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anatomy.names.did_you_mean import did_you_mean
from anatomy.scene import Scene
from planner.errors import RequestError
from planner.records.organ_goals import refuse_impossible_goals
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.records.search import RESERVED


def least_chord_mm(scene: Scene, target: TargetRequest, seed_length_mm: float) -> float:
    """The least length of a needle in the target: as requested, or the default of `TargetRequest`. [mm]"""
    if target.min_chord_mm is not None:
        return target.min_chord_mm
    sides_mm = (np.array(scene.target.upper) - np.array(scene.target.lower)) * scene.grid.spacing_mm
    return min(seed_length_mm, 0.5 * float(sides_mm.min()))


def resolved(scene: Scene, request: Request) -> Request:
    """The request with every such default filled in.

    Raises RequestError for a structure whose name has another meaning in requests and plans, for a goal that
    cannot be compared with a dose, and for an unknown seed model.
    """
    chord_mm = least_chord_mm(scene, request.target, request.seeds.source.seed_length_mm)
    refuse_unknown_cut_back(scene, request.target.cut_back)
    refuse_impossible_goals(scene, request.prescription)
    for s in scene.structures:
        if s.name in RESERVED:
            raise RequestError(
                ("clearance_mm", s.name), f"the structure {s.name!r} has the name of a setting", "Rename it."
            )
    return replace(request, target=replace(request.target, min_chord_mm=chord_mm))


def refuse_unknown_cut_back(scene: Scene, cut_back: Sequence[str]) -> None:
    """Raise RequestError if the PTV is to be cut back from a structure that is not in the scene."""
    for name in cut_back:
        if name not in scene.names():
            raise RequestError(
                ("target", "cut_back"), f"there is no structure {name!r}", did_you_mean(name, scene.names())
            )
