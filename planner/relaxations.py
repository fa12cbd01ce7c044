"""Relaxations: where no path is found, the single changes of the request that open one.

One setting is relaxed at a time, as far as it goes, and the search run again, coarsely. Of the lines that
opens, the one that needs the least change names it.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.clearance import Obstacles
from planner.kernels import line, verdicts
from planner.measure import measure
from planner.polish import polished
from planner.preference import best_first
from planner.progress import GoOn
from planner.records import CLEARANCE_CAP_MM, NEEDLE_LENGTH, TABLE, Blocker, Relaxation
from planner.request import Request
from planner.room import table_distance
from planner.search import SafeLines, join_lines, search
from planner.world import World, world

RADIUS_MM = 4.0
FIELD_MM = 2.0
"""How finely a relaxed request is searched. The change named is one that opens a path, found to work."""
BLOCKERS_RELAXED = 6
"""Structures tried, those that block most first."""
LIKELIEST = 500
"""Lines measured against the structure whose clearance is relaxed, those that keep most margin first."""
POLISHED = 20
"""Of these, as many are moved to where they keep more."""
LONGEST_NEEDLE_MM = 300.0
"""The longest needle tried, if none so long was asked for [U]."""
STEP_MM = 0.1
"""Relaxations are told in tenths of a millimetre, rounded to the safe side."""


def relaxations(
    scene: Scene, request: Request, blockers: tuple[Blocker, ...], go_on: GoOn
) -> tuple[Relaxation, ...]:
    """The single changes that open a path, the smallest first."""
    return tuple(
        sorted(
            _found(scene, request, blockers, go_on),
            key=lambda r: (abs(r.to_mm - r.from_mm), r.structure),
        )
    )


def _found(
    scene: Scene, request: Request, blockers: tuple[Blocker, ...], go_on: GoOn
) -> Iterator[Relaxation]:
    blocked = {s.name for s in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)}
    most = [b.structure for b in blockers if b.structure in blocked][:BLOCKERS_RELAXED]
    for name in most:
        yield from _less_clearance(scene, request, name, (name,), go_on)
    by_default = tuple(sorted(blocked - request.clearance_mm.keys()))
    if by_default:
        yield from _less_clearance(scene, request, "default", by_default, go_on)
    if any(b.structure == NEEDLE_LENGTH for b in blockers):
        yield from _longer_needle(scene, request, go_on)


def _safe_lines(scene: Scene, request: Request, go_on: GoOn) -> tuple[World, SafeLines]:
    coarse = replace(request.search, field_resolution_mm=FIELD_MM)
    relaxed = world(scene, replace(request, search=coarse))
    return relaxed, search(relaxed, RADIUS_MM, go_on).lines


def _less_clearance(
    scene: Scene, request: Request, name: str, structures: tuple[str, ...], go_on: GoOn
) -> Iterator[Relaxation]:
    """The line that, with one clearance left out, stays farthest from the structures it holds for, needle and
    hub; none where no line opens, or where there is nothing to relax."""
    asked = request.clearance_of(name)
    if asked == 0.0:
        return
    clearances = MappingProxyType({**request.clearance_mm, name: 0.0})
    relaxed = replace(request, clearance_mm=clearances)
    near, lines = _safe_lines(scene, relaxed, go_on)
    if not len(lines):
        return
    lines = lines.take(np.argsort(-lines.quantities[:, line.MARGIN], kind="stable")[:LIKELIEST])
    by_clearance = replace(relaxed, ranking=("clearance_mm",), weights=MappingProxyType({}))
    few = lines.take(slice(0, POLISHED))
    lines = join_lines([polished(near, few, RADIUS_MM, by_clearance), lines])
    away = _kept_from(scene, relaxed, near, structures, lines)
    if name == "default" and TABLE not in request.clearance_mm:
        away = np.minimum(away, _kept_from_table(relaxed, near, lines))
    best = int(np.argmax(away))
    kept = min(float(away[best]), asked - STEP_MM)
    kept = max(0.0, float(np.floor(kept / STEP_MM + 1e-9)) * STEP_MM)
    setting = "/clearance_mm/" + name.replace("~", "~0").replace("/", "~1")
    yield from _relaxation(scene, relaxed, setting, name, asked, kept, lines.take(slice(best, best + 1)))


def _ends(near: World, lines: SafeLines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tips, needles' ends and hubs' ends in B, (n, 3) each."""
    tip = lines.point_B + lines.quantities[:, line.TIP, None] * lines.outward_B
    needle_end = tip + near.needle_length * lines.outward_B
    return tip, needle_end, needle_end + near.hub_length * lines.outward_B


def _kept_from(
    scene: Scene, request: Request, near: World, structures: tuple[str, ...], lines: SafeLines
) -> np.ndarray:
    """The clearance that needle and hub of each line keep from these structures. [mm]"""
    only = Obstacles((scene.structure(s) for s in structures), scene.grid)
    needle_radius, hub_radius = request.needle.radius_mm, near.hub_radius
    return np.array(
        [
            min(
                only.nearest(tip, end, CLEARANCE_CAP_MM)[0] - needle_radius,
                only.nearest(end, hub_end, CLEARANCE_CAP_MM)[0] - hub_radius,
            )
            for tip, end, hub_end in zip(*_ends(near, lines), strict=True)
        ]
    )


def _kept_from_table(request: Request, near: World, lines: SafeLines) -> np.ndarray:
    """The same from a table that is a half space: of a straight piece, one end is nearest."""
    tip, end, hub_end = (table_distance(near, at) for at in _ends(near, lines))
    needle = np.minimum(tip, end) - request.needle.radius_mm
    return np.asarray(np.minimum(needle, np.minimum(end, hub_end) - near.hub_radius))


def _longer_needle(scene: Scene, request: Request, go_on: GoOn) -> Iterator[Relaxation]:
    asked = request.needle.max_length_mm
    if asked >= LONGEST_NEEDLE_MM:
        return
    relaxed = replace(request, needle=replace(request.needle, max_length_mm=LONGEST_NEEDLE_MM))
    near, lines = _safe_lines(scene, relaxed, go_on)
    if not len(lines):
        return
    shortest = best_first(lines.quantities[:, [line.LENGTH, line.LUNG]])[:1]
    by_length = replace(relaxed, ranking=("length_mm",), weights=MappingProxyType({}))
    lines = polished(near, lines.take(shortest), RADIUS_MM, by_length)
    length = float(np.ceil(lines.quantities[0, line.LENGTH] / STEP_MM) * STEP_MM)
    # The hub of a needle just long enough comes nearer to the patient than that of the longest.
    just = near._replace(needle_length=length)
    if line.test_lines(just, lines.point_B, lines.outward_B)[0][0] != verdicts.SAFE:
        length = LONGEST_NEEDLE_MM
    yield from _relaxation(scene, relaxed, "/needle/max_length_mm", NEEDLE_LENGTH, asked, length, lines)


def _relaxation(
    scene: Scene, relaxed: Request, setting: str, name: str, from_mm: float, to_mm: float, opened: SafeLines
) -> Iterator[Relaxation]:
    """The change as told, with the one line that it opens, measured."""
    point_P = scene.grid.to_patient(opened.point_B)[0]
    outward_P = scene.grid.vectors_to_patient(opened.outward_B)[0]
    path = measure(scene, relaxed, point_P, outward_P)
    if path is not None:
        yield Relaxation(
            setting, name, from_mm, round(to_mm, 3), path.entry_mm, path.tip_mm, path.lung_length_mm
        )
