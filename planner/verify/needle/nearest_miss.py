"""Claims on the nearest miss: what its line lacks, and that each relaxation opens the path that it names."""

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from anatomy.scene import Scene
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.request.clearances import clearance_pointer
from planner.records.request.needle import NEEDLE_LENGTH_POINTER
from planner.records.request.request import Request
from planner.records.search import CONSTRAINT_NAMES, DEFAULT, TABLE, Constraint, NearestMiss, Relaxation
from planner.verify.claims import Claims
from planner.verify.needle.bore import bore_clearance_mm, check_bore
from planner.verify.needle.clearance import Passing, check_needs, free_space
from planner.verify.needle.examined_axis import ExaminedAxis, examined_axis
from planner.verify.needle.passage import check_lung
from planner.verify.needle.track import check_reach
from planner.verify.tolerances import DISTANCE_MM, LENGTH_MM


def check_miss(claims: Claims, plan: Plan) -> None:
    """A nearest miss is stated only where there is no path, and its relaxations are in order."""
    miss = plan.nearest_miss
    if miss is None:
        return
    ranked = sum(path.aim is Aim.TARGET for path in plan.paths)
    counted = "none" if ranked == 0 and plan.search.complete else f"{ranked} paths, or the search ended early"
    claims.same("a nearest miss is stated only where there is no path", "nearest miss", "none", counted)
    changes = [abs(r.to_mm - r.from_mm) for r in miss.relaxations]
    in_order = all(a <= b + LENGTH_MM for a, b in pairwise(changes))
    claims.holds(
        "relaxations, smallest first",
        "nearest miss",
        ", ".join(f"{c:g}" for c in changes),
        "in order" if in_order else "out of order",
        in_order,
    )


def missed_axis(claims: Claims, plan: Plan, miss: NearestMiss, scene: Scene) -> ExaminedAxis | None:
    """The nearest line, with a needle that is long enough for it."""
    examined = examined_axis(claims, "nearest miss", miss.entry_mm, miss.tip_mm, scene, plan.request)
    if examined is None:
        return None
    length = max(plan.request.needle.max_length_mm, examined.axis.length_mm)
    return replace(examined, request=_with_needle(plan.request, length))


def relaxed_axis(claims: Claims, plan: Plan, change: Relaxation, scene: Scene) -> ExaminedAxis | None:
    """The path that a relaxation opens, under the relaxed request; None where it relaxes nothing."""
    request, subject = plan.request, f"nearest miss, {change.setting}"
    length = change.constraint is Constraint.NEEDLE_LENGTH
    kind = "one to relax" if length or change.constraint is Constraint.CLEARANCE else "no change opens it"
    claims.same("the constraint is one to relax", subject, "one to relax", kind)
    requested_mm = request.needle.max_length_mm if length else request.clearance_of(change.structure)
    structure = CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH] if length else change.structure
    setting = NEEDLE_LENGTH_POINTER if length else clearance_pointer(change.structure)
    claims.same("the structure is the relaxed setting's", subject, change.structure, structure)
    claims.same("the setting is one to relax", subject, change.setting, setting)
    names = {s.name for s in scene.structures} | {DEFAULT, TABLE, structure if length else TABLE}
    structure_name = change.structure if change.structure in names else "not in the scene"
    claims.same("what is relaxed exists", subject, change.structure, structure_name)
    claims.equal("relaxed from what was asked", subject, change.from_mm, requested_mm, LENGTH_MM)
    opens = change.to_mm > requested_mm if length else 0.0 <= change.to_mm < requested_mm
    claims.holds(
        "the relaxation can open a path",
        subject,
        f"{change.to_mm:g} mm",
        f"{'above' if length else 'from 0 to below'} {requested_mm:g} mm",
        opens,
    )
    if length:
        relaxed = _with_needle(request, change.to_mm)
    else:
        clearances = MappingProxyType({**request.clearance_mm, change.structure: change.to_mm})
        relaxed = replace(request, clearance_mm=clearances)
    return examined_axis(claims, subject, change.entry_mm, change.tip_mm, scene, relaxed) if opens else None


def check_opened(claims: Claims, examined: ExaminedAxis, change: Relaxation, passed: list[Passing]) -> None:
    """A path that a relaxation opens is safe under the relaxed request, and crosses as much lung as
    stated."""
    _check_safe(claims, examined, passed)
    check_lung(claims, examined, change.lung_length_mm)


def check_needed(claims: Claims, unrelaxed: ExaminedAxis, passed: list[Passing]) -> None:
    """A path that needs a relaxation is not safe under the request itself, with structures as the search uses
    them."""
    checks = Claims()
    _check_safe(checks, unrelaxed, passed)
    result = "safe" if checks.verification().passed else "not safe"
    claims.same("without the relaxation the path is not safe", unrelaxed.subject, "not safe", result)


def _check_safe(claims: Claims, examined: ExaminedAxis, passed: list[Passing]) -> None:
    """The path is a track whose needle and hub are clear of the bore and of all structures."""
    check_reach(claims, examined)
    check_bore(claims, examined)
    check_needs(claims, examined, passed)


def check_missed(
    claims: Claims, examined: ExaminedAxis, miss: NearestMiss, request: Request, passed: list[Passing]
) -> None:
    """The nearest line reaches the target from the skin, and lacks what is stated and no more."""
    check_reach(claims, examined)
    neighbours = [
        (request.clearance_of(name) - free, name)
        for clearances in free_space(examined, passed).values()
        for name, free in clearances
    ]
    lacks = {
        Constraint.NEEDLE_LENGTH: [examined.axis.length_mm - request.needle.max_length_mm],
        Constraint.BORE: [request.hub_radius_mm - bore_clearance_mm(examined)],
        Constraint.CLEARANCE: [lack for lack, name in neighbours if name == miss.structure],
        Constraint.TABLE: [lack for lack, name in neighbours if name == TABLE],
        Constraint.COVERING_RADIUS: [0.0],
    }
    about_structure = miss.constraint is Constraint.CLEARANCE
    name = miss.structure if about_structure else CONSTRAINT_NAMES[miss.constraint]
    claims.same("what the nearest line lacks is named", "nearest miss", miss.structure, name)
    surfaces = {p.structure.name for p in passed if p.structure.surface is not None}
    slack = examined.scene.surface_slack_mm if about_structure and miss.structure in surfaces else 0.0
    subject = f"nearest miss, {miss.structure}"
    most = max(
        0.0, *(lack for lack, _ in neighbours), *lacks[Constraint.NEEDLE_LENGTH], *lacks[Constraint.BORE]
    )
    claims.at_most("the nearest line lacks no more than stated", subject, miss.missing_mm, most, DISTANCE_MM)
    changes = [abs(r.to_mm - r.from_mm) for r in miss.relaxations]
    least = min(changes, default=np.inf)
    claims.at_most(
        "the nearest line lacks no more than any change", subject, least, miss.missing_mm, LENGTH_MM
    )
    claims.at_least(
        "the nearest line lacks what is stated",
        subject,
        miss.missing_mm - slack,
        max(lacks.get(miss.constraint, []), default=0.0),
        DISTANCE_MM,
    )


def _with_needle(request: Request, length_mm: float) -> Request:
    return replace(request, needle=replace(request.needle, max_length_mm=length_mm))
