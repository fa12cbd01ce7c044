"""Claims on the seeds of a path: on the axis, in the target with its margin, distal first, apart.

tip |--seed 1--|      |--seed 2--|                          entry
    |<- retraction ->|                   depth grows from the entry

Where the axis runs within the margin is known exactly (planner.verify.geometry.grown). By a hair more decides
whether a seed may stand where it is, by a hair less whether one must: rounding refuses no true path.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Int

from planner.records.paths import SeedDrop
from planner.verify.claims import Claims
from planner.verify.geometry.axis_spans import triple
from planner.verify.geometry.grown import spans_within
from planner.verify.geometry.spans import Spans, minus, total
from planner.verify.geometry.voxels import near_axis
from planner.verify.needle.examined_axis import Trial
from planner.verify.tolerances import LENGTH_MM, UNIT


def check_seeds(
    claims: Claims, trial: Trial, seeds: tuple[SeedDrop, ...], target_voxels: Int[np.ndarray, "n 3"]
) -> None:
    """All claims on one path's seeds. `target_voxels` are the indices of all voxels of the target."""
    check_places(claims, trial, seeds)
    margin = trial.request.target.margin_mm
    allowed = _within(trial, target_voxels, margin + LENGTH_MM)
    for number, seed in enumerate(seeds, start=1):
        claims.at_most(
            "the seed is in the target with its margin",
            f"{trial.subject}, seed {number}",
            0.0,
            _outside(trial, seed.depth_mm, allowed),
            LENGTH_MM,
        )
    surely = _within(trial, target_voxels, max(0.0, margin - LENGTH_MM))
    _check_none_left_out(claims, trial, seeds, surely)


def _within(trial: Trial, target_voxels: Int[np.ndarray, "n 3"], margin_mm: float) -> Spans:
    """Where the axis runs within the margin of the target."""
    spacing, axis = triple(trial.scene.grid.spacing_mm), trial.axis
    near = near_axis(target_voxels, spacing, axis.tip_B, axis.outward_B, margin_mm)
    return spans_within(margin_mm, near, spacing, axis.tip_B, axis.outward_B)


def _outside(trial: Trial, depth_mm: float, allowed: Spans) -> float:
    """How much of a seed at that depth lies outside of what is allowed. [mm]"""
    middle = trial.axis.length_mm - depth_mm
    return total(minus(middle + np.array([[-0.5, 0.5]]) * trial.seed_mm, allowed))


def check_places(claims: Claims, trial: Trial, seeds: tuple[SeedDrop, ...]) -> None:
    """Where the seeds are said to be along the axis, whatever they are for."""
    for number, seed in enumerate(seeds, start=1):
        _check_place(claims, trial, seed, f"{trial.subject}, seed {number}")
    _check_spacing(claims, trial, seeds)


def _check_place(claims: Claims, trial: Trial, seed: SeedDrop, subject: str) -> None:
    """Position and depth say the same place on the axis, between entry and tip; the axis is the needle's."""
    place_P = trial.points_P(trial.axis.length_mm - seed.depth_mm)[0]
    off = float(np.abs(np.subtract(seed.position_mm, place_P)).max())
    claims.equal("the seed lies on the axis, at its depth", subject, 0.0, off, LENGTH_MM)
    inward_P = trial.scene.grid.vectors_to_patient(-trial.axis.outward_B)
    turned = float(np.abs(np.subtract(seed.axis, inward_P)).max())
    claims.equal("the seed's axis is the needle's", subject, 0.0, turned, UNIT)
    half = trial.seed_mm / 2
    claims.at_least("the seed lies beneath the skin", subject, 0.0, seed.depth_mm - half, LENGTH_MM)
    claims.at_most(
        "the seed lies within the needle's reach",
        subject,
        trial.axis.length_mm,
        seed.depth_mm + half,
        LENGTH_MM,
    )


def _check_spacing(claims: Claims, trial: Trial, seeds: tuple[SeedDrop, ...]) -> None:
    """Each seed more proximal than the last by its retraction, and by no less than seeds need."""
    apart = [0.0, *(distal.depth_mm - proximal.depth_mm for distal, proximal in pairwise(seeds))]
    least = max(trial.request.seeds.min_spacing_mm, trial.seed_mm)
    for number, (seed, back) in enumerate(zip(seeds, apart, strict=False), start=1):
        subject = f"{trial.subject}, seed {number}"
        claims.equal("retraction", subject, seed.retraction_mm, back, LENGTH_MM)
        if number > 1:
            claims.at_least("seeds are distal first and spaced", subject, least, back, LENGTH_MM)


def _check_none_left_out(claims: Claims, trial: Trial, seeds: tuple[SeedDrop, ...], surely: Spans) -> None:
    """From the tip, and from the asked spacing after each seed, the next begins where one first fits, and is
    there where one fits."""
    spacing_mm = trial.request.seeds.spacing_mm
    begins = [trial.axis.length_mm - seed.depth_mm - trial.seed_mm / 2 for seed in seeds]
    for number, (before, begin) in enumerate(pairwise([-spacing_mm, *begins, np.inf]), start=1):
        first = _first_fit(trial, before + spacing_mm, surely)
        if first is not None:
            claims.at_most("no seed is left out", f"{trial.subject}, seed {number}", first, begin, LENGTH_MM)


def _first_fit(trial: Trial, begin_mm: float, surely: Spans) -> float | None:
    """The first place, from there on, from which a whole seed surely may lie, beneath the skin. [mm from the
    tip]"""
    for first, last in surely.tolist():
        begin = max(first, begin_mm)
        if begin + trial.seed_mm <= min(last, trial.axis.length_mm):
            return float(begin)
    return None
