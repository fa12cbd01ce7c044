"""Explanation: what blocks the way, and what would open it.

directions --test--> blocked_by: which structure is first to block what share of them
no path --relax one setting, search again--> the smallest single change that opens a path, nearest first
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.clearance import Obstacles
from planner.kernels import line, verdicts
from planner.net import spread_directions
from planner.polish import polished
from planner.preference import best_first
from planner.progress import GoOn
from planner.records import CLEARANCE_CAP_MM, Blocker, NearestMiss, Relaxation
from planner.request import Request
from planner.search import SafeLines, search
from planner.world import World, target_corners_B, world

DIRECTIONS = 2000
"""Directions asked for the shares: one for each 6 square degrees and more, so a share is good to 1 %."""
RELAXED_RADIUS_MM = 4.0
RELAXED_FIELD_MM = 2.0
"""How finely a relaxed request is searched. The change named is one that opens a path, found to work."""
BLOCKERS_RELAXED = 6
"""Structures tried, those that block most first."""
LONGEST_NEEDLE_MM = 300.0
"""The longest needle tried, if none so long was asked for [U]."""
STEP_MM = 0.1
"""Relaxations are told in tenths of a millimetre, rounded to the safe side."""

LIMITS = {
    verdicts.TOO_LONG: "needle length",
    verdicts.CUT_EDGE: "edge of the field of view",
    verdicts.RE_ENTERS: "body (second entry)",
    verdicts.TABLE: "table",
    verdicts.BORE: "bore",
}


def blocked_by(scene: Scene, world: World) -> tuple[Blocker, ...]:
    """Shares of directions through the target's middle by what blocks them first, largest first."""
    corners = target_corners_B(world)
    middle = corners[np.argmin(np.linalg.norm(corners - corners.mean(axis=0), axis=1))]
    # A hair off the corner, so that no direction runs along voxel faces.
    points = np.tile(middle + 0.01, (DIRECTIONS, 1))
    outward = spread_directions(DIRECTIONS)
    verdict, _ = line.test_lines(world, points, outward)
    blocks = line.first_blocks(world, points, outward)
    obstacles = Obstacles(scene.of_role(Role.FORBIDDEN, Role.OUTSIDE), scene.grid)
    names: Counter[str] = Counter()
    for n in range(DIRECTIONS):
        if verdict[n] in (verdicts.BLOCKED, verdicts.HUB_BLOCKED):
            at = points[n] + blocks[n] * outward[n]
            at = np.clip(at, world.lower, world.upper)
            names[obstacles.nearest(at, at + 0.5 * outward[n], CLEARANCE_CAP_MM)[1]] += 1
        elif verdict[n] in LIMITS:
            names[LIMITS[int(verdict[n])]] += 1
    shares = [Blocker(name, count / DIRECTIONS) for name, count in names.items() if name]
    return tuple(sorted(shares, key=lambda b: (-b.share, b.structure)))


@dataclass(frozen=True, eq=False)
class _Opened:
    """The line that a relaxation opens at the least change."""

    relaxation: Relaxation
    lines: SafeLines


def nearest_miss(
    scene: Scene, request: Request, blockers: tuple[Blocker, ...], go_on: GoOn
) -> NearestMiss | None:
    """The line that lacks least, and the single relaxations that open a path, the smallest first.

    None where no single relaxation tried opens one.
    """
    opened = sorted(
        _relaxations(scene, request, blockers, go_on),
        key=lambda o: (abs(o.relaxation.to_mm - o.relaxation.from_mm), o.relaxation.structure),
    )
    if not opened:
        return None
    first, nearest = opened[0].relaxation, opened[0].lines
    tip_B = nearest.point_B[0] + nearest.quantities[0, line.TIP] * nearest.outward_B[0]
    entry_B = tip_B + nearest.quantities[0, line.LENGTH] * nearest.outward_B[0]
    entry, tip = scene.grid.to_patient(entry_B), scene.grid.to_patient(tip_B)
    return NearestMiss(
        entry_mm=(float(entry[0]), float(entry[1]), float(entry[2])),
        tip_mm=(float(tip[0]), float(tip[1]), float(tip[2])),
        structure=first.structure,
        missing_mm=abs(first.to_mm - first.from_mm),
        relaxations=tuple(o.relaxation for o in opened),
    )


def _relaxations(
    scene: Scene, request: Request, blockers: tuple[Blocker, ...], go_on: GoOn
) -> Iterator[_Opened]:
    blocked = {s.name for s in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)}
    for blocker in [b for b in blockers if b.structure in blocked][:BLOCKERS_RELAXED]:
        opened = _without_clearance(scene, request, blocker.structure, (blocker.structure,), go_on)
        if opened is not None:
            yield opened
    by_default = tuple(sorted(blocked - request.clearance_mm.keys()))
    opened = _without_clearance(scene, request, "default", by_default, go_on) if by_default else None
    if opened is not None:
        yield opened
    if any(b.structure == LIMITS[verdicts.TOO_LONG] for b in blockers):
        opened = _longer_needle(scene, request, go_on)
        if opened is not None:
            yield opened


def _safe_lines(scene: Scene, request: Request, go_on: GoOn) -> tuple[World, SafeLines]:
    coarse = replace(request.search, field_resolution_mm=RELAXED_FIELD_MM)
    relaxed = world(scene, replace(request, search=coarse))
    return relaxed, search(relaxed, RELAXED_RADIUS_MM, go_on).lines


def _without_clearance(
    scene: Scene, request: Request, name: str, structures: tuple[str, ...], go_on: GoOn
) -> _Opened | None:
    """The line that, with one clearance left out, stays farthest from the structures it holds for, needle and
    hub; None where there is none, or nothing to relax."""
    asked = request.clearance_of(name)
    if asked == 0.0:
        return None
    clearances = MappingProxyType({**request.clearance_mm, name: 0.0})
    relaxed = replace(request, clearance_mm=clearances)
    _, lines = _safe_lines(scene, relaxed, go_on)
    if not len(lines):
        return None
    only = Obstacles((scene.structure(s) for s in structures), scene.grid)
    tip = lines.point_B + lines.quantities[:, line.TIP, None] * lines.outward_B
    # Lines that keep most margin are the likeliest; each is then measured against this structure alone.
    likely = np.argsort(-lines.quantities[:, line.MARGIN], kind="stable")[:500]
    needle_end = tip + request.needle.max_length_mm * lines.outward_B
    hub_end = needle_end + request.pose.hub_length_mm * lines.outward_B
    away = [
        min(
            only.nearest(tip[n], needle_end[n], CLEARANCE_CAP_MM)[0] - request.needle.radius_mm,
            only.nearest(needle_end[n], hub_end[n], CLEARANCE_CAP_MM)[0] - request.pose.hub_diameter_mm / 2,
        )
        for n in likely
    ]
    best = int(np.argmax(away))
    kept = min(float(away[best]), asked - STEP_MM)
    kept = max(0.0, float(np.floor(kept / STEP_MM + 1e-9)) * STEP_MM)
    lung = float(lines.quantities[likely[best], line.LUNG])
    change = Relaxation(
        f"/clearance_mm/{name}",
        name,
        asked,
        round(kept, 3),
        lung,
    )
    return _Opened(change, lines.take(likely[best : best + 1]))


def _longer_needle(scene: Scene, request: Request, go_on: GoOn) -> _Opened | None:
    if request.needle.max_length_mm >= LONGEST_NEEDLE_MM:
        return None
    longest = replace(request.needle, max_length_mm=LONGEST_NEEDLE_MM)
    relaxed = replace(request, needle=longest)
    near, lines = _safe_lines(scene, relaxed, go_on)
    if not len(lines):
        return None
    shortest = best_first(lines.quantities[:, [line.LENGTH, line.LUNG]])[:1]
    by_length = replace(relaxed, ranking=("length_mm",), weights=MappingProxyType({}))
    lines = polished(near, lines.take(shortest), RELAXED_RADIUS_MM, by_length)
    length = float(np.ceil(lines.quantities[0, line.LENGTH] / STEP_MM) * STEP_MM)
    change = Relaxation(
        "/needle/max_length_mm",
        "needle length",
        request.needle.max_length_mm,
        round(length, 3),
        float(lines.quantities[0, line.LUNG]),
    )
    return _Opened(change, lines)
