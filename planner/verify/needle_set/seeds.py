"""Claims on the seeds of a set: each is entirely in the PTV, along its needle, distal first, without overlap.

tip |--seed 1--|        |--seed 2--|            entry       seeds may be anywhere in the PTV's voxels, at
    <------------------ PTV ------------------>             least as far apart as seeds must be
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from anatomy.geometry.masks import VoxelMask
from planner.records.needle_set import NeedleSet, PlacedSeed
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.verify.claims import Claims, first_agreeing
from planner.verify.geometry.axis_spans import point_of
from planner.verify.geometry.spans import Spans, minus, total
from planner.verify.geometry.voxels import spans_in_mask
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.needle.seeds import check_places
from planner.verify.tolerances import LENGTH_MM, UNIT


def check_tip_in(claims: Claims, examined: ExaminedAxis, ptv: VoxelMask) -> None:
    """A planned needle ends in the PTV. The check states the distance outside it. [mm]"""
    outside = (_outside(spans, 0.0) for spans in _readings(examined, ptv))
    claims.any_of("the tip is in the PTV", examined.subject, 0.0, outside, LENGTH_MM)


def check_set_seeds(claims: Claims, examined: ExaminedAxis, path: Path, ptv: VoxelMask) -> None:
    """All claims on the seeds of one needle of a set."""
    if path.aim is not Aim.GIVEN:
        claims.at_least("the needle carries a seed", examined.subject, 1.0, float(len(path.seeds)), 0.0)
    check_places(claims, examined, path.seeds)
    half = examined.seed_mm / 2
    for number, seed in enumerate(path.seeds, start=1):
        s = examined.axis.length_mm - seed.depth_mm
        seed_span = np.array([[s - half, s + half]])
        lengths = (total(minus(seed_span, spans)) for spans in _readings(examined, ptv))
        outside = first_agreeing(lengths, lambda length: length <= LENGTH_MM)
        subject = f"{examined.subject}, seed {number}"
        claims.at_most("the whole seed lies in the PTV", subject, 0.0, outside, LENGTH_MM)


def _readings(examined: ExaminedAxis, ptv: VoxelMask) -> Iterator[Spans]:
    spacing = point_of(examined.scene.grid.spacing_mm)
    for axis in examined.axis.readings():
        yield spans_in_mask(ptv, spacing, axis.in_view())


def _outside(spans: Spans, s_mm: float) -> float:
    """Distance from a place on the axis to the nearest of the spans. [mm]"""
    beyond = np.maximum(0.0, np.maximum(spans[:, 0] - s_mm, s_mm - spans[:, 1]))
    return float(beyond.min(initial=np.inf))


def check_seeds_of_set(claims: Claims, plan: Plan, needles: NeedleSet) -> None:
    """The set's seeds are those of its needles, then the given ones; and no two are at the same place."""
    expected = [
        PlacedSeed(path.id, seed.position_mm, seed.axis, seed.depth_mm, seed.retraction_mm)
        for path in plan.paths
        if path.aim is not Aim.TARGET
        for seed in path.seeds
    ]
    expected += [
        PlacedSeed(None, s.position_mm, s.axis, None, None) for s in plan.request.needle_set.given_seeds
    ]
    listed, counted = float(len(needles.seeds)), float(len(expected))
    claims.equal(
        "the set's seeds are those of its needles and those given", "needle set", listed, counted, 0.0
    )
    for number, (seed, planned) in enumerate(zip(needles.seeds, expected, strict=False), start=1):
        subject = f"needle set, seed {number}"
        claims.same("the seed's needle", subject, _named(seed.path_id), _named(planned.path_id))
        off = _off(seed, planned)
        claims.equal("the seed is that of its needle, or the given one", subject, 0.0, off, LENGTH_MM)
    _check_apart(claims, needles, plan.request.seeds.source.seed_length_mm)


def _named(path_id: str | None) -> str:
    return "given" if path_id is None else path_id


def _off(one: PlacedSeed, two: PlacedSeed) -> float:
    """The largest difference of two seeds. [mm] That of their axes is scaled by LENGTH_MM / UNIT. Infinity
    where one seed states a value that the other does not."""
    off = [float(np.abs(np.subtract(one.position_mm, two.position_mm)).max())]
    for a, b in ((one.depth_mm, two.depth_mm), (one.retraction_mm, two.retraction_mm)):
        if (a is None) != (b is None):
            return np.inf
        off.append(0.0 if a is None or b is None else abs(a - b))
    if (one.axis is None) != (two.axis is None):
        return np.inf
    if one.axis is not None and two.axis is not None:
        off.append(float(np.abs(np.subtract(one.axis, two.axis)).max()) * LENGTH_MM / UNIT)
    return max(off)


def _check_apart(claims: Claims, needles: NeedleSet, seed_mm: float) -> None:
    """The centres of a planned seed and any other are at least a seed's length apart."""
    least, nearest = np.inf, "seeds"
    for (m, one), (n, two) in combinations(enumerate(needles.seeds, start=1), 2):
        if one.path_id is not None or two.path_id is not None:
            apart = float(np.linalg.norm(np.subtract(one.position_mm, two.position_mm)))
            if apart < least:
                least, nearest = apart, f"needle set, seed {m} and seed {n}"
    claims.at_least("no two seeds share a place", nearest, seed_mm, least, LENGTH_MM)
