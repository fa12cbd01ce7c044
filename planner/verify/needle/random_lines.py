"""The claim that no path stays safe, tried out: lines at random, none of which may disprove it.

A line disproves it that is safe, and safe however it is displaced, as far as a hundred neighbours tell. That
none is found is no proof: the proof is the search's. But a claim made for another request or another patient
does not get past.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records.plan import Plan, Status
from planner.records.request import LONGEST_NEEDLE_MM, Request
from planner.verify.claims import Claims
from planner.verify.geometry.axis import Axis
from planner.verify.geometry.axis_spans import Sight
from planner.verify.geometry.voxels import voxels_of
from planner.verify.needle.bore import check_room
from planner.verify.needle.clearance import Passing, as_voxels, check_needs, passings_of
from planner.verify.needle.examined_axis import Trial
from planner.verify.needle.track import check_reach

LINES = 400
SIZES, SIDES, TOWARDS = (1.5, 1.0, 0.5), 16, (1.0, -1.0)
"""Displacements tried, as parts of the radius claimed: beyond it too, so that none between two of them is
likely to be one that what survives them all does not."""


def check_at_random(claims: Claims, plan: Plan, scene: Scene) -> None:
    """That none of LINES lines disproves a plan's claim that no path stays safe."""
    if plan.outcome.status is not Status.NO_PATH:
        return
    if plan.nearest_miss is None:
        _check_no_miss(claims, plan, scene)
    structures = as_voxels(scene.of_role(Role.FORBIDDEN, Role.OUTSIDE))
    tried = [t for t in _trials(scene, plan.request) if _reaches(t) and _keeps(t, [])]
    radius = plan.search.covering_radius_mm
    staying = (t for t in _safe(tried, structures) if stays_safe(t, radius, structures))
    found = next((_line(t) for t in staying), "none")
    claims.same(f"of {LINES} lines at random, none stays safe when displaced", "search", "none", found)


def _check_no_miss(claims: Claims, plan: Plan, scene: Scene) -> None:
    """That none of LINES lines would be a miss: a track of the longest needle, whatever is in its way."""
    needle = plan.request.needle
    longest = replace(needle, max_length_mm=max(needle.max_length_mm, LONGEST_NEEDLE_MM))
    reaching = (t for t in _trials(scene, replace(plan.request, needle=longest)) if _reaches(t))
    found = next((_line(t) for t in reaching), "none")
    claims.same(
        f"of {LINES} lines at random, none reaches from skin to target", "nearest miss", "none", found
    )


def _trials(scene: Scene, request: Request) -> list[Trial]:
    """Lines through random points of the target in random directions, from the tip to where they leave the
    body for the first time."""
    rng = np.random.default_rng(abs(request.random_seed))
    voxels = voxels_of(scene.target, outer_only=False)
    at = voxels[rng.integers(len(voxels), size=LINES)] + rng.uniform(-0.5, 0.5, (LINES, 3))
    towards = rng.normal(size=(LINES, 3))
    lines = zip(at * scene.grid.spacing_mm, towards, strict=True)
    trials = (_trial(scene, request, point_B, outward_B) for point_B, outward_B in lines)
    return [t for t in trials if t is not None]


def _trial(
    scene: Scene, request: Request, point_B: Float[np.ndarray, "3"], outward_B: Float[np.ndarray, "3"]
) -> Trial | None:
    """The line from its tip to where it first leaves the body; None where it misses the target, or the body
    at the tip."""
    outward_B = outward_B / np.linalg.norm(outward_B)
    axis = Axis(point_B, outward_B, 0.0, scene.grid.lower_B, scene.grid.upper_B)
    target = Sight(scene, axis).target_line
    if not len(target):
        return None
    axis = replace(axis, tip_B=axis.at(float(target[0, 0])))
    body = Sight(scene, axis).body(request.needle.max_length_mm + request.pose.hub_length_mm)
    length = float(body[0, 1]) if len(body) else 0.0
    return Trial("line", replace(axis, length_mm=length), scene, request) if length > 0.0 else None


def _reaches(trial: Trial) -> bool:
    claims = Claims()
    check_reach(claims, trial)
    return claims.verification().passed


def _safe(trials: list[Trial], structures: Iterable[Structure]) -> list[Trial]:
    """Those that have room in the bore, above a derived table and beside all structures."""
    for structure in structures:
        passings = passings_of(trials, [structure])
        trials = [t for t, p in zip(trials, passings, strict=True) if _keeps(t, p)]
    return trials


def _keeps(trial: Trial, passed: list[Passing]) -> bool:
    claims = Claims()
    check_room(claims, trial)
    check_needs(claims, trial, passed)
    return claims.verification().passed


def stays_safe(trial: Trial, radius_mm: float, structures: Sequence[Structure]) -> bool:
    """Whether the line is safe however it is displaced by that radius at tip and skin, the farthest first."""
    for size in SIZES:
        neighbours = []
        for neighbour in _neighbours(trial, size * radius_mm):
            if neighbour is None or not _reaches(neighbour):
                return False
            neighbours.append(neighbour)
        if any(len(_safe(neighbours, [s])) < len(neighbours) for s in structures):
            return False
    return True


def _neighbours(trial: Trial, by_mm: float) -> Iterator[Trial | None]:
    """The line displaced to all sides, the skin's end to the tip's side or to the other."""
    axis = trial.axis
    u = np.cross(axis.outward_B, np.eye(3)[np.argmin(np.abs(axis.outward_B))])
    u /= np.linalg.norm(u)
    v = np.cross(axis.outward_B, u)
    for side, towards in product(range(SIDES), TOWARDS):
        angle = 2.0 * np.pi * side / SIDES
        off = by_mm * (np.cos(angle) * u + np.sin(angle) * v)
        tip_B, entry_B = axis.tip_B + off, axis.at(axis.length_mm) + towards * off
        yield _trial(trial.scene, trial.request, tip_B, entry_B - tip_B)


def _line(trial: Trial) -> str:
    entry, tip = (
        ", ".join(f"{x:.2f}" for x in trial.points_P(s_mm)[0]) for s_mm in (trial.axis.length_mm, 0.0)
    )
    return f"from ({entry}) to ({tip})"
