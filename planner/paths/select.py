"""Selection: from all safe lines to the few paths worth a radiologist's time.

    safe lines --windows--> best distinct lines of each --polish--> the best of these --polish thoroughly-->
    --measure, rank--> paths

Near-duplicates are left out: two paths of one plan differ by at least `min_separation_mm` at entry or tip.
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
from planner.paths.skin_access import area_mm2, skin_access
from planner.paths.windows import windows
from planner.records.paths import Path, Window
from planner.records.plan import SkinAccess
from planner.records.request.ranking import PathOrder
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.wording.windows import window_text
from planner.search.kernels.line import LENGTH, LUNG, TIP
from planner.search.kernels.search_fields import SearchFields
from planner.search.search import SafeLines, SearchResult, join_lines

WINDOWS_MEASURED = 3
"""Windows examined closely, as a multiple of the number of requested paths: measuring may change ranks."""
STARTS, STARTS_FROM = 150, 20_000
"""Number of further lines to polish, and of the best lines of all windows among which they are chosen [U]."""


@dataclass(frozen=True, eq=False)
class SelectedPaths:
    """The ranked paths of a plan, the windows that they pass through, and the skin access map."""

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
    order, limits = request.path_order, request.search
    picked = _pick(lines, window, order, limits, result.spread_mm)
    polished = polish(fields, lines.take(picked), result.spread_mm, order)
    leading = _leading(polished, window[picked], order, limits)
    thorough = polish(fields, polished.take(leading), result.spread_mm, order, THOROUGH)
    best = join_lines([thorough, polished])
    window_of_best = np.concatenate([window[picked][leading], window[picked]])
    measurer = Measurer(scene, request.needle_assembly)
    point_P, outward_P = scene.grid.to_patient(best.point_B), scene.grid.vectors_to_patient(best.outward_B)
    window_of: dict[MeasuredPath, int] = {}
    for n, number in enumerate(window_of_best):
        measured = measurer.measure(point_P[n], outward_P[n])
        if measured is not None:
            window_of.setdefault(measured, int(number))
    chosen = _distinct(ranked(list(window_of), order), window_of, limits)
    paths = _paths(scene, request, chosen, window_of)
    areas = {number: area_mm2(entry_B[window == number]) for number in {window_of[m] for m in chosen}}
    # The paths are included: polishing moved them away from the lines.
    entries_B = [entry_B, *(scene.grid.to_box(m.entry_P)[None] for m in chosen)]
    lungs_mm = [lines.quantities[:, LUNG], *(np.array([m.lung_length_mm]) for m in chosen)]
    access = skin_access(np.concatenate(entries_B), np.concatenate(lungs_mm), scene.grid)
    return SelectedPaths(paths, _windows(scene, chosen, paths, window_of, areas), access)


def _at(lines: SafeLines, s: np.ndarray) -> np.ndarray:
    return np.asarray(lines.point_B + s[:, None] * lines.outward_B)


def _entries(lines: SafeLines) -> np.ndarray:
    return _at(lines, lines.quantities[:, TIP] + lines.quantities[:, LENGTH])


def _pick(
    lines: SafeLines,
    window: Int[np.ndarray, " n"],
    order: PathOrder,
    limits: SearchRequest,
    spread_mm: float,
) -> np.ndarray:
    """Indices of lines to polish: the best separate lines of each of the best windows, and, closer together,
    the best of all. Narrow places are found by polishing from many sides."""
    ranks = best_first(preference(lines.quantities, order))
    by_window = window[ranks]
    leaders = np.sort(np.unique(by_window, return_index=True)[1])[: WINDOWS_MEASURED * limits.max_paths]
    ends = np.concatenate([_at(lines, lines.quantities[:, TIP]), _entries(lines)], axis=1)
    separation = max(limits.min_separation_mm, 1e-6)
    picked = _separate(ranks[:STARTS_FROM], ends, 2.0 * spread_mm, STARTS)
    for leader in leaders:
        members = ranks[by_window == by_window[leader]]
        picked += _separate(members, ends, separation, limits.max_paths)
    return np.array(list(dict.fromkeys(picked)), int)


def _leading(
    lines: SafeLines, window: Int[np.ndarray, " n"], order: PathOrder, limits: SearchRequest
) -> np.ndarray:
    """Indices of the lines that the plan is likely to use: the best separate lines, and the best of each
    window."""
    ranks = best_first(preference(lines.quantities, order))
    ends = np.concatenate([_at(lines, lines.quantities[:, TIP]), _entries(lines)], axis=1)
    of_windows = np.sort(np.unique(window[ranks], return_index=True)[1])[: limits.max_paths]
    separation = max(limits.min_separation_mm, 1e-6)
    separate = _separate(ranks, ends, separation, limits.max_paths)
    return np.array(list(dict.fromkeys([*separate, *ranks[of_windows].tolist()])), int)


def _separate(ranks: np.ndarray, ends: np.ndarray, least_mm: float, most: int) -> list[int]:
    """Up to `most` lines in rank order, each at least `least_mm` from the previous ones at entry or tip."""
    picked: list[int] = []
    while len(ranks) and len(picked) < most:
        picked.append(int(ranks[0]))
        away = np.linalg.norm((ends[ranks] - ends[ranks[0]]).reshape(-1, 2, 3), axis=2).max(axis=1)
        ranks = ranks[away >= least_mm]
    return picked


def _distinct(
    order: list[MeasuredPath], window_of: dict[MeasuredPath, int], limits: SearchRequest
) -> list[MeasuredPath]:
    """At most `max_paths` in rank order, any two at least `min_separation_mm` apart. One window gives more
    than half of them only if the other windows have no more paths."""
    chosen: list[MeasuredPath] = []
    for most in ((limits.max_paths + 1) // 2, limits.max_paths):
        for m in order:
            of_window = sum(window_of[other] == window_of[m] for other in chosen)
            if (
                len(chosen) < limits.max_paths
                and of_window < most
                and m not in chosen
                and all(_apart(m, other, limits.min_separation_mm) for other in chosen)
            ):
                chosen.append(m)
    return [m for m in order if m in chosen]


def _apart(one: MeasuredPath, two: MeasuredPath, least_mm: float) -> bool:
    return bool(
        np.linalg.norm(one.entry_P - two.entry_P) >= least_mm
        or np.linalg.norm(one.tip_P - two.tip_P) >= least_mm
    )


def _window_ids(chosen: list[MeasuredPath], window_of: dict[MeasuredPath, int]) -> dict[int, str]:
    numbers = list(dict.fromkeys(window_of[m] for m in chosen))
    return {number: f"W{n + 1}" for n, number in enumerate(numbers)}


def _paths(
    scene: Scene, request: Request, chosen: list[MeasuredPath], window_of: dict[MeasuredPath, int]
) -> tuple[Path, ...]:
    ids, seed_mm = _window_ids(chosen, window_of), request.seeds.source.seed_length_mm
    return tuple(
        to_path(
            m,
            id=f"P{n + 1}",
            rank=n + 1,
            window=ids[window_of[m]],
            approach=approach_of(scene, m),
            pareto=flag,
            seeds=seed_drops(
                scene,
                m,
                margin_mm=request.target.margin_mm,
                spacing_mm=request.seeds.spacing_mm,
                seed_mm=seed_mm,
            ),
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
