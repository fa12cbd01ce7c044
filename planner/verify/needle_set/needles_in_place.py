"""Claims on what needles and seeds in place are too near to: each distance is recomputed, and the list is
complete and has nothing else.

structures   distances to boxes and triangles, as for clearances (Passing)
pairs        gaps between parts of two needles, as for planned needles (Gap)
seeds        pairs whose centres are nearer than a seed's length
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

import numpy as np
from scipy.spatial import cKDTree

from planner.records.needle_set import NeedleParts, NeedleSet, TooNear
from planner.records.paths import Aim, Path
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request
from planner.verify.claims import Claims
from planner.verify.needle.clearance import Passing
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.needle_set.conflicts import NeedleSizes, gaps_in_place, needle_sizes_of
from planner.verify.tolerances import DISTANCE_MM, LENGTH_MM, RATIO

SUBJECT = "needle set"


@dataclass(frozen=True)
class TooNearBounds:
    """What a plan may state of a needle that is too near to something: the least and most clearance, for each
    of the parts that it may name. `surely`: the plan must list it. [mm]"""

    parts: dict[NeedleParts, tuple[float, float]]
    asked_mm: float
    surely: bool


TooNearKey = tuple[str, str | None, str | None]


def check_given(
    claims: Claims,
    needles: NeedleSet,
    request: Request,
    slack_mm: float,
    passed: Sequence[tuple[ExaminedAxis, Path, list[Passing]]],
) -> None:
    """All claims on what given needles are too near to. `passed` has the distances of all paths from the
    structures that are kept clear."""
    given_paths = [(examined, path, passings) for examined, path, passings in passed if path.aim is Aim.GIVEN]
    expected = {key: one for needle in given_paths for key, one in _structures(*needle, slack_mm)}
    expected |= dict(_pairs(needle_sizes_of(request), [path for _, path, _ in given_paths]))
    stated = [(near.path_id, near.structure, near.other_path_id) for near in needles.given_too_near]
    for near, key in zip(needles.given_too_near, stated, strict=True):
        _check_one(claims, near, expected.get(key))
    must_list = [key for key, one in expected.items() if one.surely or key in stated]
    claims.same(
        "what given needles are too near to, each once and in order",
        SUBJECT,
        _written(stated),
        _written(must_list),
    )


def check_seed_pairs(
    claims: Claims, subject: str, stated: int, seeds: Sequence[GivenSeed], seed_mm: float
) -> None:
    """The number of pairs of seeds that are nearer to each other than a seed's length. Rounding may
    decide."""
    least, most = (_near(seeds, seed_mm + off) for off in (-LENGTH_MM, LENGTH_MM))
    middle, off = 0.5 * (least + most), 0.5 * (most - least)
    claims.equal("pairs of seeds nearer than a seed is long", subject, float(stated), middle, off)


def _near(seeds: Sequence[GivenSeed], reach_mm: float) -> int:
    if not seeds:
        return 0
    return len(cKDTree(np.array([seed.position_mm for seed in seeds], float)).query_pairs(reach_mm))


def _structures(
    examined: ExaminedAxis, path: Path, passings: Sequence[Passing], slack_mm: float
) -> Iterator[tuple[TooNearKey, TooNearBounds]]:
    """Structures near the shaft. The planner measures to voxels, which reach beyond a surface by at most the
    slack."""
    request = examined.request
    for passing in passings:
        structure, need = passing.structure, request.clearance_of(passing.structure.name)
        free = passing.needle_mm - request.needle.radius_mm
        least = free if structure.surface is None else max(free - slack_mm, -request.needle.radius_mm)
        if least < need + DISTANCE_MM:
            bounds = TooNearBounds({NeedleParts.NEEDLE: (least, free)}, need, free < need - DISTANCE_MM)
            yield (path.id, structure.name, None), bounds


def _pairs(sizes: NeedleSizes, given_paths: Sequence[Path]) -> Iterator[tuple[TooNearKey, TooNearBounds]]:
    """Pairs of needles in conflict, ordered by the later needle, as in the plan. If several parts are too
    near by the same amount, any of them may be named."""
    for one, other in sorted(combinations(given_paths, 2), key=lambda pair: given_paths.index(pair[1])):
        gaps = gaps_in_place(one, other, sizes)
        most = min((gap.wall_mm - gap.need_mm for gap in gaps), default=inf)
        worst = [gap for gap in gaps if gap.wall_mm - gap.need_mm <= most + DISTANCE_MM]
        if most < DISTANCE_MM:
            parts = {gap.parts: (gap.wall_mm, gap.wall_mm) for gap in worst}
            yield (one.id, None, other.id), TooNearBounds(parts, worst[0].need_mm, most < -DISTANCE_MM)


def _check_one(claims: Claims, near: TooNear, bounds: TooNearBounds | None) -> None:
    other = near.structure if near.other_path_id is None else f"needle {near.other_path_id}"
    subject = f"needle {near.path_id}, {other}"
    agrees = bounds is not None and near.parts in bounds.parts
    result = "too near" if agrees else "not too near, or other parts of them"
    claims.holds("a given needle is too near", subject, near.parts, result, agrees)
    if bounds is None or near.parts not in bounds.parts:
        return
    least, most = bounds.parts[near.parts]
    stated = near.clearance_mm
    claims.at_most("its clearance is not understated", subject, stated, least, DISTANCE_MM)
    claims.at_least("its clearance is not overstated", subject, stated, most, DISTANCE_MM)
    claims.equal("what is asked for", subject, near.asked_mm, bounds.asked_mm, RATIO)
    claims.at_most("it is less than what is asked for", subject, near.asked_mm, stated, DISTANCE_MM)


def _written(keys: Sequence[TooNearKey]) -> str:
    return "; ".join(f"{one}, {structure or other}" for one, structure, other in keys) or "none"
