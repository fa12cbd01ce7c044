"""Claims on what the needle and its hub keep free: every forbidden and outside structure, and the table.

A structure that came as a surface is measured to its triangles. The planner works with voxels that hold the
whole surface and reach beyond it by at most the scene's slack: the true clearance is what it claims, or up to
the slack more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy.geometry.surface import Surface
from anatomy.structures import Role, Structure
from planner.records.paths import CLEARANCE_CAP_MM, Path
from planner.records.search import TABLE
from planner.verify.claims import Claims
from planner.verify.geometry.axis import Pieces
from planner.verify.geometry.axis_spans import triple
from planner.verify.geometry.meshes import least_distance_to_faces
from planner.verify.geometry.spans import between
from planner.verify.geometry.voxels import least_distance, spans_in_mask, voxels_of
from planner.verify.needle.examined_axis import Trial
from planner.verify.tolerances import DISTANCE_MM


@dataclass(frozen=True)
class Passing:
    """How far from a structure a path's needle axis and hub axis pass. [mm]"""

    structure: Structure
    needle_mm: float
    hub_mm: float


def as_voxels(structures: Iterable[Structure]) -> tuple[Structure, ...]:
    """The structures as the search has them: it claims nothing of the slack beside surfaces."""
    return tuple(replace(s, surface=None) for s in structures)


def passings_of(trials: Sequence[Trial], structures: Iterable[Structure]) -> list[list[Passing]]:
    """How each trial's axis passes these structures. One structure's voxels are listed at a time."""
    passings: list[list[Passing]] = [[] for _ in trials]
    for structure in structures if trials else ():
        voxels = voxels_of(structure.mask, outer_only=True)
        for trial, passed in zip(trials, passings, strict=True):
            passed.append(_passing(trial, structure, voxels))
    return passings


def _passing(trial: Trial, structure: Structure, voxels: np.ndarray) -> Passing:
    needle_mm = trial.request.needle.max_length_mm
    hub_mm = needle_mm + trial.request.pose.hub_length_mm
    return Passing(
        structure,
        _distance(trial, structure, voxels, 0.0, needle_mm),
        _distance(trial, structure, voxels, needle_mm, hub_mm),
    )


def _distance(trial: Trial, structure: Structure, voxels: np.ndarray, first: float, last: float) -> float:
    """From the axis between two places to a structure, at most what matters to needle or hub. [mm]"""
    farthest = CLEARANCE_CAP_MM + max(
        trial.request.needle.radius_mm,
        trial.request.hub_radius_mm + trial.request.clearance_of(structure.name),
    )
    pieces = trial.axis.clamped(first, last)
    if structure.surface is not None:
        return _distance_to_surface(trial, structure.surface, pieces, first, last, farthest)
    spacing = triple(trial.scene.grid.spacing_mm)
    if len(spans_in_mask(structure.mask, spacing, pieces)):
        return 0.0
    return float(least_distance(pieces, voxels, spacing, farthest))


def _distance_to_surface(
    trial: Trial, surface: Surface, pieces: Pieces, first: float, last: float, farthest: float
) -> float:
    inside = (sight.in_surface(surface) for sight in trial.sights())
    spans = next((s for s in inside if s is not None), None)
    # A surface that no reading can tell inside from outside of keeps nothing free.
    if spans is None or len(between(spans, first, last)):
        return 0.0
    ends = np.hstack([trial.scene.grid.to_patient(pieces[:, c : c + 3]) for c in (2, 5)])
    return float(least_distance_to_faces(ends, surface.vertices_P, surface.faces, farthest))


def free_space(trial: Trial, passed: list[Passing]) -> dict[str, list[tuple[str, float]]]:
    """From the walls of needle and hub to each structure and to a table that is derived. [mm]"""
    request, table = trial.request, trial.scene.pose.table
    needle_radius, hub_radius = request.needle.radius_mm, request.hub_radius_mm
    needle = [(p.structure.name, p.needle_mm - needle_radius) for p in passed]
    hub = [(p.structure.name, p.hub_mm - hub_radius) for p in passed]
    if table is not None:
        needle_end = request.needle.max_length_mm
        stops = (0.0, needle_end, needle_end + request.pose.hub_length_mm)
        beyond = [table.offset_mm - float(p @ table.normal_P) for p in trial.points_P(*stops)]
        # A half space is convex: of a straight piece, one end is nearest.
        needle.append((TABLE, min(beyond[0], beyond[1]) - needle_radius))
        hub.append((TABLE, min(beyond[1], beyond[2]) - hub_radius))
    return {"needle": needle, "hub": hub}


def check_needs(claims: Claims, trial: Trial, passed: list[Passing]) -> None:
    """Of needle and hub, each structure that is too near; or the one with least to spare, if none is."""
    request = trial.request
    for part, clearances in free_space(trial, passed).items():
        spare = sorted((free - request.clearance_of(name), name, free) for name, free in clearances)
        too_near = [s for s in spare if s[0] < -DISTANCE_MM]
        for _, name, free in too_near or spare[:1]:
            subject = f"{trial.subject}, {name}"
            claims.at_least(
                f"the {part} keeps its clearance", subject, request.clearance_of(name), free, DISTANCE_MM
            )


def check_nearest(claims: Claims, trial: Trial, path: Path, passed: list[Passing]) -> None:
    """The clearance that the path states, and which forbidden structure it is to."""
    forbidden = [p for p in passed if p.structure.role is Role.FORBIDDEN]
    radius = trial.request.needle.radius_mm
    free = {p.structure.name: min(CLEARANCE_CAP_MM, p.needle_mm - radius) for p in forbidden}
    least = min(free.values(), default=CLEARANCE_CAP_MM)
    slack = trial.scene.surface_slack_mm if any(p.structure.surface is not None for p in forbidden) else 0.0
    stated = path.clearance_mm
    claims.at_least("clearance is not overstated", trial.subject, stated, least, DISTANCE_MM)
    claims.at_most("clearance is not understated", trial.subject, stated, least - slack, DISTANCE_MM)
    capped = path.clearance_mm >= CLEARANCE_CAP_MM - DISTANCE_MM
    nearest = sorted(n for n, f in free.items() if f <= least + slack + DISTANCE_MM and f < CLEARANCE_CAP_MM)
    accepted = nearest + ([""] if capped or not nearest else [])
    claims.holds(
        "nearest structure",
        trial.subject,
        path.nearest_structure,
        " or ".join(name or "none" for name in accepted),
        path.nearest_structure in accepted,
    )
