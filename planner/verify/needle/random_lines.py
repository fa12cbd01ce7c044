"""The claim that no path stays safe, tested on random lines.

A line disproves the claim if it is safe, and stays safe under about a hundred displacements. If no line does,
that proves nothing: the proof is the search's. But a claim that was made for another request or another
patient is detected.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records.plan import Plan, Status
from planner.records.request.needle import LONGEST_NEEDLE_MM
from planner.records.request.request import Request
from planner.verify.claims import Claims
from planner.verify.geometry.axis import BoxedAxis
from planner.verify.geometry.axis_spans import AxisSpans
from planner.verify.geometry.voxels import voxels_of
from planner.verify.needle.bore import check_bore
from planner.verify.needle.clearance import Passing, as_voxels, check_needs, passings_of
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.needle.track import check_reach

LINES = 400
"""Number of random lines."""
SIZES, SIDES, TOWARDS = (1.5, 1.0, 0.5), 16, (1.0, -1.0)
"""Displacements that are tried: their sizes, as parts of the claimed radius; the number of directions; and
the sense of the displacement at the skin. One size is larger than the radius, so that a line that survives
all of these very likely survives those between them too."""


def check_random_lines(claims: Claims, plan: Plan, scene: Scene) -> None:
    """None of LINES random lines disproves a plan's claim that no path stays safe."""
    if plan.outcome.status is not Status.NO_PATH:
        return
    if plan.nearest_miss is None:
        _check_no_miss(claims, plan, scene)
    structures = as_voxels(scene.of_role(Role.FORBIDDEN, Role.OUTSIDE))
    safe_axes = [t for t in _random_axes(scene, plan.request) if _reaches(t) and _keeps(t, [])]
    radius = plan.search.covering_radius_mm
    staying = (t for t in _safe(safe_axes, structures) if stays_safe(t, radius, structures))
    counterexample = next((_line(t) for t in staying), "none")
    claims.same(f"of {LINES} random lines, none stays safe when displaced", "search", "none", counterexample)


def _check_no_miss(claims: Claims, plan: Plan, scene: Scene) -> None:
    """A plan without a nearest miss claims that no line reaches the target. None of LINES random lines may
    reach it with the longest needle, regardless of what is in the way."""
    needle = plan.request.needle
    longest = replace(needle, max_length_mm=max(needle.max_length_mm, LONGEST_NEEDLE_MM))
    reaching = (t for t in _random_axes(scene, replace(plan.request, needle=longest)) if _reaches(t))
    counterexample = next((_line(t) for t in reaching), "none")
    claims.same(
        f"of {LINES} random lines, none reaches from skin to target", "nearest miss", "none", counterexample
    )


def _random_axes(scene: Scene, request: Request) -> list[ExaminedAxis]:
    """Lines through random points of the target in random directions, from the tip to where they first leave
    the body."""
    rng = np.random.default_rng(abs(request.random_seed))
    voxels = voxels_of(scene.target, outer_only=False)
    at = voxels[rng.integers(len(voxels), size=LINES)] + rng.uniform(-0.5, 0.5, (LINES, 3))
    towards = rng.normal(size=(LINES, 3))
    lines = zip(at * scene.grid.spacing_mm, towards, strict=True)
    examined_axes = (_axis_through(scene, request, point_B, outward_B) for point_B, outward_B in lines)
    return [t for t in examined_axes if t is not None]


def _axis_through(
    scene: Scene, request: Request, point_B: Float[np.ndarray, "3"], outward_B: Float[np.ndarray, "3"]
) -> ExaminedAxis | None:
    """The line from its tip to where it first leaves the body. None where it misses the target, or where its
    tip is outside the body."""
    outward_B = outward_B / np.linalg.norm(outward_B)
    axis = BoxedAxis(point_B, outward_B, 0.0, scene.grid.lower_B, scene.grid.upper_B)
    target = AxisSpans(scene, axis).target_line
    if not len(target):
        return None
    axis = replace(axis, tip_B=axis.at(float(target[0, 0])))
    body = AxisSpans(scene, axis).body(request.needle.max_length_mm + request.pose.hub_length_mm)
    length = float(body[0, 1]) if len(body) else 0.0
    return ExaminedAxis("line", replace(axis, length_mm=length), scene, request) if length > 0.0 else None


def _reaches(examined: ExaminedAxis) -> bool:
    claims = Claims()
    check_reach(claims, examined)
    return claims.verification().passed


def _safe(examined_axes: list[ExaminedAxis], structures: Iterable[Structure]) -> list[ExaminedAxis]:
    """The axes that keep the bore, a derived table and all structures clear."""
    for structure in structures:
        passings = passings_of(examined_axes, [structure])
        examined_axes = [t for t, p in zip(examined_axes, passings, strict=True) if _keeps(t, p)]
    return examined_axes


def _keeps(examined: ExaminedAxis, passed: list[Passing]) -> bool:
    claims = Claims()
    check_bore(claims, examined)
    check_needs(claims, examined, passed)
    return claims.verification().passed


def stays_safe(examined: ExaminedAxis, radius_mm: float, structures: Sequence[Structure]) -> bool:
    """Whether the line is safe under all displacements by that radius at tip and skin, the largest first."""
    for size in SIZES:
        neighbours = []
        for neighbour in _neighbours(examined, size * radius_mm):
            if neighbour is None or not _reaches(neighbour):
                return False
            neighbours.append(neighbour)
        if any(len(_safe(neighbours, [s])) < len(neighbours) for s in structures):
            return False
    return True


def _neighbours(examined: ExaminedAxis, by_mm: float) -> Iterator[ExaminedAxis | None]:
    """The line displaced to all sides. The end at the skin moves as the tip does, or the opposite way."""
    axis = examined.axis
    u = np.cross(axis.outward_B, np.eye(3)[np.argmin(np.abs(axis.outward_B))])
    u /= np.linalg.norm(u)
    v = np.cross(axis.outward_B, u)
    for side, towards in product(range(SIDES), TOWARDS):
        angle = 2.0 * np.pi * side / SIDES
        off = by_mm * (np.cos(angle) * u + np.sin(angle) * v)
        tip_B, entry_B = axis.tip_B + off, axis.at(axis.length_mm) + towards * off
        yield _axis_through(examined.scene, examined.request, tip_B, entry_B - tip_B)


def _line(examined: ExaminedAxis) -> str:
    entry, tip = (
        ", ".join(f"{x:.2f}" for x in examined.points_P(s_mm)[0]) for s_mm in (examined.axis.length_mm, 0.0)
    )
    return f"from ({entry}) to ({tip})"
