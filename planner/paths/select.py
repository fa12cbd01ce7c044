"""Candidates: from all safe lines to the few paths worth a radiologist's time.

    safe lines --windows--> best distinct lines of each --polish--> the leading ones --polish thoroughly-->
    --measure, rank--> paths

Near-copies are left out: two paths of one plan differ by `min_separation_mm` at the entry or at the tip.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from anatomy.scene import Scene
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath, to_path
from planner.paths.approach_names import approach_of, window_place
from planner.paths.pareto import pareto_flags
from planner.paths.polish import THOROUGH, polish
from planner.paths.preference import best_first, preference
from planner.paths.ranking import ranked
from planner.paths.seed_drops import seed_drops
from planner.paths.skin_access import SkinAccess, area_mm2, skin_access
from planner.paths.windows import windows
from planner.records.paths import Path, Window
from planner.records.request import Request
from planner.records.wording.windows import window_text
from planner.search.kernels.line import LENGTH, LUNG, TIP
from planner.search.kernels.search_fields import SearchFields
from planner.search.search import SafeLines, SearchResult, join_lines

WINDOWS_MEASURED = 3
"""Windows looked at closely, as a multiple of the paths asked for: ranks may change in measuring."""
STARTS, STARTS_FROM = 150, 20_000
"""Further lines to polish, from among the best of all windows [U]."""


@dataclass(frozen=True, eq=False)
class SelectedPaths:
    """The ranked paths of a plan, the windows they go through, and the skin access map."""

    paths: tuple[Path, ...]
    windows: tuple[Window, ...]
    access: SkinAccess


def select_paths(scene: Scene, fields: SearchFields, result: SearchResult, request: Request) -> SelectedPaths:
    """Ranked, distinct paths out of all safe lines, with their windows and seeds.

    Raises RequestError for an unknown score.
    """
    lines = result.lines
    entry_B = _entries(lines)
    to_middle = ((result.blocks.centre - lines.point_B) * lines.outward_B).sum(axis=1)
    window = windows(_at(lines, to_middle), lines.outward_B, result.spread_mm)
    picked = _pick(lines, window, request, result.spread_mm)
    near = polish(fields, lines.take(picked), result.spread_mm, request)
    leading = _leading(near, window[picked], request)
    thorough = polish(fields, near.take(leading), result.spread_mm, request, THOROUGH)
    best = join_lines([thorough, near])
    window_of_best = np.concatenate([window[picked][leading], window[picked]])
    measurer = Measurer(scene, request)
    point_P, outward_P = scene.grid.to_patient(best.point_B), scene.grid.vectors_to_patient(best.outward_B)
    window_of: dict[MeasuredPath, int] = {}
    for n, number in enumerate(window_of_best):
        measured = measurer.measure(point_P[n], outward_P[n])
        if measured is not None:
            window_of.setdefault(measured, int(number))
    order = ranked(list(window_of), request)
    chosen = _distinct(order, window_of, request)
    paths = _paths(scene, request, chosen, window_of)
    areas = {number: area_mm2(entry_B[window == number]) for number in {window_of[m] for m in chosen}}
    # With the paths themselves, which were moved to where none of the lines is.
    entries_B = [entry_B, *(scene.grid.to_box(m.entry_P)[None] for m in chosen)]
    lungs_mm = [lines.quantities[:, LUNG], *(np.array([m.lung_length_mm]) for m in chosen)]
    access = skin_access(np.concatenate(entries_B), np.concatenate(lungs_mm), scene.grid)
    return SelectedPaths(paths, _windows(scene, chosen, paths, window_of, areas), access)


def _at(lines: SafeLines, s: np.ndarray) -> np.ndarray:
    return np.asarray(lines.point_B + s[:, None] * lines.outward_B)


def _entries(lines: SafeLines) -> np.ndarray:
    return _at(lines, lines.quantities[:, TIP] + lines.quantities[:, LENGTH])


def _pick(lines: SafeLines, window: Int[np.ndarray, " n"], request: Request, spread_mm: float) -> np.ndarray:
    """Indices of lines to polish: the best that lie apart, of each of the windows with the best lines, and,
    closer together, of all. Narrow places are found by polishing from many sides."""
    order = best_first(preference(lines.quantities, request))
    by_window = window[order]
    leaders = np.sort(np.unique(by_window, return_index=True)[1])[
        : WINDOWS_MEASURED * request.search.max_paths
    ]
    ends = np.concatenate([_at(lines, lines.quantities[:, TIP]), _entries(lines)], axis=1)
    separation = max(request.search.min_separation_mm, 1e-6)
    picked = _apart_from(order[:STARTS_FROM], ends, 2.0 * spread_mm, STARTS)
    for leader in leaders:
        members = order[by_window == by_window[leader]]
        picked += _apart_from(members, ends, separation, request.search.max_paths)
    return np.array(list(dict.fromkeys(picked)), int)


def _leading(lines: SafeLines, window: Int[np.ndarray, " n"], request: Request) -> np.ndarray:
    """Indices of lines likely to be the plan's: the best that lie apart, and the best of each window."""
    order = best_first(preference(lines.quantities, request))
    ends = np.concatenate([_at(lines, lines.quantities[:, TIP]), _entries(lines)], axis=1)
    of_windows = np.sort(np.unique(window[order], return_index=True)[1])[: request.search.max_paths]
    separation = max(request.search.min_separation_mm, 1e-6)
    apart = _apart_from(order, ends, separation, request.search.max_paths)
    return np.array(list(dict.fromkeys([*apart, *order[of_windows].tolist()])), int)


def _apart_from(order: np.ndarray, ends: np.ndarray, least_mm: float, most: int) -> list[int]:
    """The first of `order`, and on: `most` at most, each `least_mm` from those before at entry or tip."""
    picked: list[int] = []
    while len(order) and len(picked) < most:
        picked.append(int(order[0]))
        away = np.linalg.norm((ends[order] - ends[order[0]]).reshape(-1, 2, 3), axis=2).max(axis=1)
        order = order[away >= least_mm]
    return picked


def _distinct(
    order: list[MeasuredPath], window_of: dict[MeasuredPath, int], request: Request
) -> list[MeasuredPath]:
    """At most `max_paths` in rank order, no two nearer than asked. One window gives more than half of them
    only where the others have no more to give."""
    chosen: list[MeasuredPath] = []
    for most in ((request.search.max_paths + 1) // 2, request.search.max_paths):
        for m in order:
            from_here = sum(window_of[other] == window_of[m] for other in chosen)
            room = len(chosen) < request.search.max_paths and from_here < most
            if room and m not in chosen and all(_apart(m, other, request) for other in chosen):
                chosen.append(m)
    return [m for m in order if m in chosen]


def _apart(one: MeasuredPath, two: MeasuredPath, request: Request) -> bool:
    least = request.search.min_separation_mm
    return bool(
        np.linalg.norm(one.entry_P - two.entry_P) >= least or np.linalg.norm(one.tip_P - two.tip_P) >= least
    )


def _window_ids(chosen: list[MeasuredPath], window_of: dict[MeasuredPath, int]) -> dict[int, str]:
    numbers = list(dict.fromkeys(window_of[m] for m in chosen))
    return {number: f"W{n + 1}" for n, number in enumerate(numbers)}


def _paths(
    scene: Scene, request: Request, chosen: list[MeasuredPath], window_of: dict[MeasuredPath, int]
) -> tuple[Path, ...]:
    ids = _window_ids(chosen, window_of)
    return tuple(
        to_path(
            m,
            id=f"P{n + 1}",
            rank=n + 1,
            window=ids[window_of[m]],
            approach=approach_of(scene, m),
            pareto=flag,
            seeds=seed_drops(scene, request, m),
        )
        for n, (m, flag) in enumerate(zip(chosen, pareto_flags(chosen), strict=True))
    )


def _windows(
    scene: Scene,
    chosen: list[MeasuredPath],
    paths: tuple[Path, ...],
    window_of: dict[MeasuredPath, int],
    areas: dict[int, float],
) -> tuple[Window, ...]:
    result = []
    for number, id in _window_ids(chosen, window_of).items():
        members = [(m, p) for m, p in zip(chosen, paths, strict=True) if window_of[m] == number]
        place = window_place(scene, members[0][0])
        result.append(
            Window(
                id=id,
                name=window_text(place),
                place=place,
                path_ids=tuple(p.id for _, p in members),
                area_mm2=areas[number],
                best_lung_length_mm=min(m.lung_length_mm for m, _ in members),
            )
        )
    return tuple(result)
