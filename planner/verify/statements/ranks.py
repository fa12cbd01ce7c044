"""Claims on the paths together: their ranks, their Pareto front, and that they are distinct.

Paths to the target come first. The other needles of a set follow, in an order of their own. They are on no
front, and may be as near to each other as needles can be. Quantities are those that the paths state;
other modules check them against the scene. Two scores that differ by less than SCORE are equal, so that
either order is valid.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from math import fsum

import numpy as np

from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.verify.claims import Claims
from planner.verify.tolerances import LENGTH_MM, SCORE

LESS_IS_BETTER: Mapping[str, Callable[[Path], float]] = {
    "lung_length_mm": lambda p: p.lung_length_mm,
    "pleural_punctures": lambda p: float(p.pleural_punctures),
    "fissures_crossed": lambda p: float(p.fissures_crossed),
    "clearance_mm": lambda p: -p.clearance_mm,
    "length_mm": lambda p: p.length_mm,
    "target_chord_mm": lambda p: -p.target_chord_mm,
    "off_axial_angle_deg": lambda p: abs(p.craniocaudal_angle_deg),
}
"""The scores that paths can be ranked by. Less is better: clearance and chord are negated."""

FRONT = ("lung_length_mm", "pleural_punctures", "fissures_crossed", "clearance_mm", "length_mm")
"""The scores of the Pareto front."""


def check_order(claims: Claims, plan: Plan) -> None:
    """All claims of this module."""
    ranked = tuple(path for path in plan.paths if path.aim is Aim.TARGET)
    others = tuple(path for path in plan.paths if path.aim is not Aim.TARGET)
    _check_ranks(claims, plan, ranked)
    _check_order(claims, plan.request.ranking, plan.request.weights, (ranked, others))
    _check_front(claims, ranked)
    for path in others:
        claims.same("needles are on no front", f"path {path.id}", str(path.pareto), str(False))
    _check_distinct(claims, plan.request.search.min_separation_mm, ranked)


def _check_ranks(claims: Claims, plan: Plan, ranked: tuple[Path, ...]) -> None:
    ranks = ", ".join(str(p.rank) for p in plan.paths)
    counted = ", ".join(str(n) for n in range(1, len(plan.paths) + 1))
    claims.same("ranks count from 1", "paths", ranks, counted)
    ids = [p.id for p in plan.paths]
    claims.equal("path ids differ", "paths", float(len(ids)), float(len(set(ids))), 0.0)
    most = float(plan.request.search.max_paths)
    claims.at_most("no more paths than asked for", "paths", most, float(len(ranked)), 0.0)
    first = ", ".join(path.id for path in plan.paths[: len(ranked)])
    claims.same("paths to the target come first", "paths", first, ", ".join(path.id for path in ranked))


def _keys(
    ranking: Sequence[str], weights: Mapping[str, float]
) -> tuple[list[str], Callable[[Path], list[float]]]:
    """Names of the scores that decide the order, and the sort key of a path."""
    weighted = sorted(weights.items())
    if weighted:
        return [name for name, _ in weighted], lambda p: [
            fsum(w * LESS_IS_BETTER[name](p) for name, w in weighted)
        ]
    return list(ranking), lambda p: [LESS_IS_BETTER[name](p) for name in ranking]


def _check_order(
    claims: Claims,
    ranking: Sequence[str],
    weights: Mapping[str, float],
    groups: Sequence[tuple[Path, ...]],
) -> None:
    """The order of each group: the paths to the target, and the needles of the set, which follow them."""
    names, values = _keys(ranking, weights)
    unknown = sorted(set(names) - LESS_IS_BETTER.keys())
    claims.same("every score can be recomputed", "ranking", "all known", ", ".join(unknown) or "all known")
    if unknown:
        return
    for better, worse in (pair for group in groups for pair in pairwise(group)):
        claims.holds(
            "rank order",
            f"path {better.id} before path {worse.id}",
            ", ".join(names),
            f"{values(better)} before {values(worse)}",
            _may_precede(values(better), values(worse)),
        )


def _may_precede(one: list[float], two: list[float]) -> bool:
    for a, b in zip(one, two, strict=True):
        if a > b + SCORE:
            return False
        if a < b:
            return True
    return True


def _check_front(claims: Claims, paths: tuple[Path, ...]) -> None:
    values = [np.array([LESS_IS_BETTER[name](p) for name in FRONT]) for p in paths]
    for n, path in enumerate(paths):
        others = [v for m, v in enumerate(values) if m != n]
        beaten = any((v <= values[n]).all() and (v < values[n] - SCORE).any() for v in others)
        maybe = any((v <= values[n] + SCORE).all() and (v < values[n]).any() for v in others)
        claims.holds(
            "on the Pareto front",
            f"path {path.id}",
            str(path.pareto),
            str(not beaten),
            not beaten if path.pareto else maybe,
        )


def _check_distinct(claims: Claims, apart_mm: float, paths: tuple[Path, ...]) -> None:
    """Two paths of one window are at least `apart_mm` apart at the entry or at the tip."""
    for one, two in combinations(paths, 2):
        if one.window == two.window:
            ends = (
                np.subtract(one.entry_mm, two.entry_mm),
                np.subtract(one.tip_mm, two.tip_mm),
            )
            apart = max(float(np.linalg.norm(v)) for v in ends)
            subject = f"path {one.id}, path {two.id}"
            claims.at_least("paths of a window are distinct", subject, apart_mm, apart, LENGTH_MM)
