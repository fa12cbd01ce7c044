"""Claims on the seeds of a path: on the axis, in the target with its margin, distal first, well apart.

tip |--seed 1--|      |--seed 2--|                          entry
    |<- retraction ->|                   depth grows from the entry

Where the axis runs within the margin is known exactly (planner.verify.geometry.grown). A margin that is
slightly larger decides where a seed may stand, a slightly smaller one where a seed must stand. So rounding
refuses no true path.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Int

from planner.records.paths import SeedDrop
from planner.verify.claims import Claims
from planner.verify.geometry.axis_spans import point_of
from planner.verify.geometry.grown import spans_within
from planner.verify.geometry.spans import Spans, minus, total
from planner.verify.geometry.voxels import near_axis
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.tolerances import LENGTH_MM, UNIT


def check_seeds(
    claims: Claims, examined: ExaminedAxis, seeds: tuple[SeedDrop, ...], target_voxels: Int[np.ndarray, "n 3"]
) -> None:
    """All claims on one path's seeds. `target_voxels` are the indices of all voxels of the target."""
    check_places(claims, examined, seeds)
    margin = examined.request.target.margin_mm
    allowed = _within(examined, target_voxels, margin + LENGTH_MM)
    for number, seed in enumerate(seeds, start=1):
        claims.at_most(
            "the seed is in the target with its margin",
            f"{examined.subject}, seed {number}",
            0.0,
            _outside(examined, seed.depth_mm, allowed),
            LENGTH_MM,
        )
    surely = _within(examined, target_voxels, max(0.0, margin - LENGTH_MM))
    _check_none_left_out(claims, examined, seeds, surely)


def _within(examined: ExaminedAxis, target_voxels: Int[np.ndarray, "n 3"], margin_mm: float) -> Spans:
    """Where the axis runs within the margin of the target."""
    spacing, axis = point_of(examined.scene.grid.spacing_mm), examined.axis
    near_voxels = near_axis(target_voxels, spacing, axis.tip_B, axis.outward_B, margin_mm)
    return spans_within(margin_mm, near_voxels, spacing, axis.tip_B, axis.outward_B)


def _outside(examined: ExaminedAxis, depth_mm: float, allowed: Spans) -> float:
    """Length of a seed at that depth that lies outside the allowed spans. [mm]"""
    middle = examined.axis.length_mm - depth_mm
    return total(minus(middle + np.array([[-0.5, 0.5]]) * examined.seed_mm, allowed))


def check_places(claims: Claims, examined: ExaminedAxis, seeds: tuple[SeedDrop, ...]) -> None:
    """The stated places of seeds along the axis, for ranked paths and for needles of a set."""
    for number, seed in enumerate(seeds, start=1):
        _check_place(claims, examined, seed, f"{examined.subject}, seed {number}")
    _check_spacing(claims, examined, seeds)


def _check_place(claims: Claims, examined: ExaminedAxis, seed: SeedDrop, subject: str) -> None:
    """Position and depth are the same place on the axis, between entry and tip. The seed's axis is the
    needle's."""
    place_P = examined.points_P(examined.axis.length_mm - seed.depth_mm)[0]
    off = float(np.abs(np.subtract(seed.position_mm, place_P)).max())
    claims.equal("the seed lies on the axis, at its depth", subject, 0.0, off, LENGTH_MM)
    inward_P = examined.scene.grid.vectors_to_patient(-examined.axis.outward_B)
    turned = float(np.abs(np.subtract(seed.axis, inward_P)).max())
    claims.equal("the seed's axis is the needle's", subject, 0.0, turned, UNIT)
    half = examined.seed_mm / 2
    claims.at_least("the seed lies beneath the skin", subject, 0.0, seed.depth_mm - half, LENGTH_MM)
    claims.at_most(
        "the seed lies within the needle's reach",
        subject,
        examined.axis.length_mm,
        seed.depth_mm + half,
        LENGTH_MM,
    )


def _check_spacing(claims: Claims, examined: ExaminedAxis, seeds: tuple[SeedDrop, ...]) -> None:
    """Each seed is more proximal than the one before by its retraction, and by at least the least spacing."""
    apart = [0.0, *(distal.depth_mm - proximal.depth_mm for distal, proximal in pairwise(seeds))]
    least = max(examined.request.seeds.min_spacing_mm, examined.seed_mm)
    for number, (seed, back) in enumerate(zip(seeds, apart, strict=False), start=1):
        subject = f"{examined.subject}, seed {number}"
        claims.equal("retraction", subject, seed.retraction_mm, back, LENGTH_MM)
        if number > 1:
            claims.at_least("seeds are distal first and spaced", subject, least, back, LENGTH_MM)


def _check_none_left_out(
    claims: Claims, examined: ExaminedAxis, seeds: tuple[SeedDrop, ...], surely: Spans
) -> None:
    """No place for a seed is left empty: from the tip, and from the requested spacing after each seed on, the
    next seed begins at the first place where one fits."""
    spacing_mm = examined.request.seeds.spacing_mm
    begins = [examined.axis.length_mm - seed.depth_mm - examined.seed_mm / 2 for seed in seeds]
    for number, (before, begin) in enumerate(pairwise([-spacing_mm, *begins, np.inf]), start=1):
        first = _first_fit(examined, before + spacing_mm, surely)
        if first is not None:
            claims.at_most(
                "no seed is left out", f"{examined.subject}, seed {number}", first, begin, LENGTH_MM
            )


def _first_fit(examined: ExaminedAxis, begin_mm: float, surely: Spans) -> float | None:
    """The first place, at or after `begin_mm`, where a whole seed surely may begin, below the skin. [mm from
    the tip]"""
    for first, last in surely.tolist():
        begin = max(first, begin_mm)
        if begin + examined.seed_mm <= min(last, examined.axis.length_mm):
            return float(begin)
    return None
