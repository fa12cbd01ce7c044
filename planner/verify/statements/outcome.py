"""Claims on the plan as a whole: its outcome, its windows, its lung bound and its blockers."""

from collections.abc import Set
from math import fsum

import numpy as np

from planner.records.paths import Aim
from planner.records.plan import Plan, Status
from planner.records.search import CONSTRAINT_NAMES, Blocker, Constraint, Proof
from planner.records.wording.number_text import counted
from planner.verify.claims import Claims
from planner.verify.tolerances import LENGTH_MM, SHARE

PATHS_WITH = {
    Status.PLANNED: (True, False),
    Status.NO_PATH: (False,),
    Status.GOALS_NOT_MET: (True,),
    Status.TIMED_OUT: (False,),
}
"""Whether a plan of each status may have planned paths; needles in place do not count. A plan without them is
PLANNED if the needles and seeds in place meet the goals."""


def check_outcome(claims: Claims, plan: Plan) -> None:
    """All claims of this module."""
    planned = [path for path in plan.paths if path.aim is not Aim.GIVEN]
    fits = bool(planned) in PATHS_WITH[plan.outcome.status]
    fits &= bool(planned) or plan.dose is not None or plan.outcome.status is not Status.PLANNED
    claims.holds(
        "the outcome fits the paths", "outcome", str(plan.outcome.status), counted(len(planned), "path"), fits
    )
    _check_implant(claims, plan)
    _check_search(claims, plan)
    _check_windows(claims, plan)
    _check_bound(claims, plan)
    _check_shares(claims, plan)


def _check_implant(claims: Claims, plan: Plan) -> None:
    """An implant is complete or absent. It is present only if one is prescribed, and always if needles or
    seeds are in place. The status says whether its goals are met."""
    prescribed = plan.request.prescription is not None
    parts = [plan.needle_set is not None, plan.dose is not None]
    settings = plan.request.needle_set
    has_given = prescribed and bool(settings.given_needles or settings.given_seeds)
    complete = (
        parts[0] == parts[1] and (prescribed or not any(parts)) and (parts[0] or plan.robustness is None)
    )
    complete &= parts[0] or not has_given
    result = "complete, as prescribed" if complete else "in part, left out, or not prescribed"
    claims.holds(
        "an implant is complete, and prescribed", "outcome", "complete, as prescribed", result, complete
    )
    needles = sum(path.aim is not Aim.TARGET for path in plan.paths)
    if plan.needle_set is None:
        claims.equal("needles without a set", "outcome", 0.0, float(needles), 0.0)
    met = not prescribed or (plan.dose is not None and all(goal.met for goal in plan.dose.goals))
    if plan.outcome.status in (Status.PLANNED, Status.GOALS_NOT_MET) or (plan.dose is not None and met):
        status = Status.PLANNED if met else Status.GOALS_NOT_MET
        claims.same(
            "the outcome says whether the goals are met", "outcome", str(plan.outcome.status), str(status)
        )


def _check_search(claims: Claims, plan: Plan) -> None:
    """A search is complete at the radius asked for or not at all, and only a complete one shows that no path
    exists."""
    search, status = plan.search, plan.outcome.status
    extent = "complete" if search.complete else "ended early"
    expected = {Status.NO_PATH: "complete", Status.TIMED_OUT: "ended early"}.get(status, extent)
    claims.same("the outcome fits the search", "search", expected, extent)
    claims.at_least("covering radius is not negative", "search", 0.0, search.covering_radius_mm, 0.0)
    if search.complete:
        radius = plan.request.search.covering_radius_mm
        claims.at_most("covering radius", "search", radius, search.covering_radius_mm, LENGTH_MM)
    if status is Status.NO_PATH:
        claims.equal("no safe line was found", "search", 0.0, float(search.safe_lines), 0.0)
    proved = Proof.NOTHING
    if search.complete and search.covering_radius_mm == 0.0:
        proved = Proof.NONE_IS_SAFE
    elif search.complete:
        proved = Proof.NONE_STAYS_SAFE if search.safe_lines == 0 else Proof.SAFE_LINE_NEAR_EACH
    claims.same("what the search proves follows from its extent", "search", search.proves, proved)


def _check_windows(claims: Claims, plan: Plan) -> None:
    """Every path is in the window that it names and in no other, and every path of a window exists. Needles
    of a set that do not aim at the target name no window."""
    ids = [w.id for w in plan.windows]
    claims.equal("window ids differ", "windows", float(len(ids)), float(len(set(ids))), 0.0)
    for window in plan.windows:
        path_ids = sorted(p.id for p in plan.paths if p.window == window.id)
        subject = f"window {window.id}"
        claims.same("paths of the window", subject, ", ".join(sorted(window.path_ids)), ", ".join(path_ids))
        claims.at_least("the window has an area", subject, 0.0, window.area_mm2, 0.0)
        least = [p.lung_length_mm for p in plan.paths if p.window == window.id]
        if least:
            best = window.best_lung_length_mm
            claims.equal("least lung of the window's paths", subject, best, min(least), LENGTH_MM)
    for path in plan.paths:
        if path.aim is not Aim.TARGET:
            claims.same("a needle names no window", f"path {path.id}", path.window, "")
            continue
        is_known = "known" if path.window in ids else "unknown"
        claims.holds("the path's window", f"path {path.id}", path.window, is_known, path.window in ids)


def _check_bound(claims: Claims, plan: Plan) -> None:
    """No path crosses less lung than the bound for safe paths, or than the least that was found. Needles that
    do not pass through the target may."""
    lung = min((p.lung_length_mm for p in plan.paths if p.aim is Aim.TARGET), default=None)
    if lung is not None:
        least = plan.search.least_lung_mm
        claims.at_least("lung bound is not negative", "search", 0.0, plan.search.lung_bound_mm, 0.0)
        claims.at_least("lung bound", "search", plan.search.lung_bound_mm, lung, LENGTH_MM)
        claims.at_least("least lung found", "search", np.inf if least is None else least, lung, LENGTH_MM)


def _check_shares(claims: Claims, plan: Plan) -> None:
    """The shares of blocked directions add up, and a run in the target is too short only if a least length is
    requested."""
    shares = [b.share for b in plan.blocked_by]
    claims.at_least(
        "shares of blocked directions are not negative", "search", 0.0, min(shares, default=0.0), 0.0
    )
    structures = {name for name, _ in plan.roles}
    unknown = sorted(f"{b.constraint} ({b.structure})" for b in plan.blocked_by if not _blocks(b, structures))
    claims.same("what blocks is a structure or a limit", "search", "none", ", ".join(unknown) or "none")
    if plan.request.target.min_chord_mm == 0.0:
        short = fsum(b.share for b in plan.blocked_by if b.constraint is Constraint.MIN_CHORD)
        claims.equal("no run in the target is too short where none is required", "search", short, 0.0, 0.0)
    claims.at_most("shares of blocked directions add up to 1 at most", "search", 1.0, fsum(shares), SHARE)


def _blocks(blocker: Blocker, structures: Set[str]) -> bool:
    """Whether it is the clearance of a structure, or a constraint that can block a direction by its name."""
    if blocker.constraint is Constraint.CLEARANCE:
        return blocker.structure in structures
    # A line that is safe where it is blocks no direction.
    can_block = blocker.constraint is not Constraint.COVERING_RADIUS
    return can_block and blocker.structure == CONSTRAINT_NAMES[blocker.constraint]
