"""Claims on the clearance of needle and hub: to every forbidden and outside structure, and to the table.

For a structure that was given as a surface, distances are to its triangles. The planner uses voxels that
contain the whole surface and reach beyond it by at most the scene's slack. The true clearance is therefore
the one that it claims, or larger by at most the slack.
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
from planner.verify.geometry.axis_spans import point_of
from planner.verify.geometry.meshes import least_distance_to_faces
from planner.verify.geometry.spans import between
from planner.verify.geometry.voxels import least_distance, spans_in_mask, voxels_of
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.tolerances import DISTANCE_MM


@dataclass(frozen=True)
class Passing:
    """Distance of a structure from the axis of the needle and from the axis of its hub. [mm]"""

    structure: Structure
    needle_mm: float
    hub_mm: float


def as_voxels(structures: Iterable[Structure]) -> tuple[Structure, ...]:
    """The structures as the search uses them, without surfaces: it makes no claim on the slack around
    them."""
    return tuple(replace(s, surface=None) for s in structures)


def passings_of(
    examined_axes: Sequence[ExaminedAxis], structures: Iterable[Structure]
) -> list[list[Passing]]:
    """The distances of each axis from these structures. To save memory, the voxels of one structure are
    listed at a time."""
    passings: list[list[Passing]] = [[] for _ in examined_axes]
    for structure in structures if examined_axes else ():
        voxels = voxels_of(structure.mask, outer_only=True)
        for examined, passed in zip(examined_axes, passings, strict=True):
            passed.append(_passing(examined, structure, voxels))
    return passings


def _passing(examined: ExaminedAxis, structure: Structure, voxels: np.ndarray) -> Passing:
    needle_mm = examined.request.needle.max_length_mm
    hub_mm = needle_mm + examined.request.pose.hub_length_mm
    return Passing(
        structure,
        _distance(examined, structure, voxels, 0.0, needle_mm),
        _distance(examined, structure, voxels, needle_mm, hub_mm),
    )


def _distance(
    examined: ExaminedAxis, structure: Structure, voxels: np.ndarray, first: float, last: float
) -> float:
    """Distance from a part of the axis to a structure, capped above what needle and hub can need. [mm]

    `first` and `last` are the ends of that part. [mm from the tip]
    """
    farthest = CLEARANCE_CAP_MM + max(
        examined.request.needle.radius_mm,
        examined.request.hub_radius_mm + examined.request.clearance_of(structure.name),
    )
    pieces = examined.axis.clamped(first, last)
    if structure.surface is not None:
        return _distance_to_surface(examined, structure.surface, pieces, first, last, farthest)
    spacing = point_of(examined.scene.grid.spacing_mm)
    if len(spans_in_mask(structure.mask, spacing, pieces)):
        return 0.0
    return float(least_distance(pieces, voxels, spacing, farthest))


def _distance_to_surface(
    examined: ExaminedAxis, surface: Surface, pieces: Pieces, first: float, last: float, farthest: float
) -> float:
    inside = (axis_spans.in_surface(surface) for axis_spans in examined.readings())
    spans = next((s for s in inside if s is not None), None)
    # A surface whose inside is not known in any reading is counted as touched.
    if spans is None or len(between(spans, first, last)):
        return 0.0
    ends = np.hstack([examined.scene.grid.to_patient(pieces[:, c : c + 3]) for c in (2, 5)])
    return float(least_distance_to_faces(ends, surface.vertices_P, surface.faces, farthest))


def free_space(examined: ExaminedAxis, passed: list[Passing]) -> dict[str, list[tuple[str, float]]]:
    """Free distance from the walls of needle and hub to each structure, and to a derived table. [mm]"""
    request, table = examined.request, examined.scene.pose.table
    needle_radius, hub_radius = request.needle.radius_mm, request.hub_radius_mm
    needle = [(p.structure.name, p.needle_mm - needle_radius) for p in passed]
    hub = [(p.structure.name, p.hub_mm - hub_radius) for p in passed]
    if table is not None:
        needle_end = request.needle.max_length_mm
        stops = (0.0, needle_end, needle_end + request.pose.hub_length_mm)
        beyond = [table.offset_mm - float(p @ table.normal_P) for p in examined.points_P(*stops)]
        # The table is a half space: one end of a straight piece is nearest to it.
        needle.append((TABLE, min(beyond[0], beyond[1]) - needle_radius))
        hub.append((TABLE, min(beyond[1], beyond[2]) - hub_radius))
    return {"needle": needle, "hub": hub}


def check_needs(claims: Claims, examined: ExaminedAxis, passed: list[Passing]) -> None:
    """The clearance of needle and hub. One check for each structure that is too near, or, if none is, one for
    the structure with the least distance to spare."""
    request = examined.request
    for part, clearances in free_space(examined, passed).items():
        spare = sorted((free - request.clearance_of(name), name, free) for name, free in clearances)
        too_near = [s for s in spare if s[0] < -DISTANCE_MM]
        for _, name, free in too_near or spare[:1]:
            subject = f"{examined.subject}, {name}"
            claims.at_least(
                f"the {part} keeps its clearance", subject, request.clearance_of(name), free, DISTANCE_MM
            )


def check_nearest(claims: Claims, examined: ExaminedAxis, path: Path, passed: list[Passing]) -> None:
    """The clearance that the path states, and the forbidden structure that it names."""
    forbidden = [p for p in passed if p.structure.role is Role.FORBIDDEN]
    radius = examined.request.needle.radius_mm
    free = {p.structure.name: min(CLEARANCE_CAP_MM, p.needle_mm - radius) for p in forbidden}
    least = min(free.values(), default=CLEARANCE_CAP_MM)
    slack = (
        examined.scene.surface_slack_mm if any(p.structure.surface is not None for p in forbidden) else 0.0
    )
    stated = path.clearance_mm
    claims.at_least("clearance is not overstated", examined.subject, stated, least, DISTANCE_MM)
    claims.at_most("clearance is not understated", examined.subject, stated, least - slack, DISTANCE_MM)
    capped = path.clearance_mm >= CLEARANCE_CAP_MM - DISTANCE_MM
    nearest = sorted(n for n, f in free.items() if f <= least + slack + DISTANCE_MM and f < CLEARANCE_CAP_MM)
    accepted = nearest + ([""] if capped or not nearest else [])
    claims.holds(
        "nearest structure",
        examined.subject,
        path.nearest_structure,
        " or ".join(name or "none" for name in accepted),
        path.nearest_structure in accepted,
    )
