"""Claims on doses in volumes: D and V values of PTV and GTV, the hottest cm3 of organs, and histograms."""

from dataclasses import replace
from itertools import pairwise
from math import ceil, inf, isfinite

import numpy as np
from scipy.spatial import cKDTree

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask
from planner.records.dose import DvhCurve, OrganDose, TargetDose, VolumeDose
from planner.verify.claims import Claims
from planner.verify.dose.coldest import ColdestBounds
from planner.verify.dose.dvh import Recomputed, SampledDoses, sampled_doses
from planner.verify.dose.grid_alignment import alignment_error_in
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.geometry.voxels import voxels_of
from planner.verify.tolerances import DOSE, DOSE_GY, RATIO

TREATED_POINTS, ORGAN_POINTS = 100_000, 20_000
"""Most points of a target volume, and of an organ [U]."""
TREATED_PART_MM, ORGAN_PART_MM = 0.5, 1.0
TREATED_PART_MM3, ORGAN_PART_MM3 = TREATED_PART_MM**3, ORGAN_PART_MM**3
"""Largest side and volume of the part that a plan's sample stands for, near seeds."""
NEAR_MM = 30.0
"""Within this distance of a seed, voxels of organs are divided into such parts. Beyond, each is one
sample."""
FEW_VOXELS = 50_000
"""A mask of more voxels is assumed to reach farther than that [U]."""
D90_PERCENT = 90.0 - 1e-7
"""A share that is 90 % except for rounding counts as 90 %: shares are quotients of sums of volumes."""
LEVELS_PERCENT = range(0, 305, 5)
"""Dose levels of a histogram, in percent of the prescription [U]."""
MANY_VOXELS = 1_000_000
"""Organs of more voxels may be sampled in blocks of them, far from seeds."""


def sampled(mask: VoxelMask, grid: Grid, seeds: SeedDoses, organ_voxels: int | None = None) -> SampledDoses:
    """Doses at points of a mask: no more points than the plan has samples.

    The mask is a target volume, or, with `organ_voxels`, an organ of this many voxels or a part of it.
    """
    count = points_of(mask, grid, seeds, organ_voxels)
    samples = sampled_doses(mask, grid, seeds.doses, count)
    part = TREATED_PART_MM if organ_voxels is None else ORGAN_PART_MM
    off_mm3 = alignment_error_in([mask], grid, seeds, part)
    return replace(samples, highest_gy=seeds.highest_outside_gy, off_mm3=off_mm3)


def points_of(mask: VoxelMask, grid: Grid, seeds: SeedDoses, organ_voxels: int | None = None) -> int:
    """Number of points that `sampled` takes."""
    voxel = grid.voxel_volume_mm3
    part, most = TREATED_PART_MM3, TREATED_POINTS
    if organ_voxels is not None:
        part, most = ORGAN_PART_MM3, ORGAN_POINTS
        if not _near(mask, grid, seeds):
            part = max(part, voxel * ceil(organ_voxels / MANY_VOXELS))
    return max(1, min(most, int(mask.count * voxel / part)))


def _near(mask: VoxelMask, grid: Grid, seeds: SeedDoses) -> bool:
    """Whether all of a small mask lies within NEAR_MM of seeds."""
    if mask.count > FEW_VOXELS or not len(seeds.centres_P):
        return False
    centres_B = voxels_of(mask, outer_only=False) * grid.spacing_mm
    away, _ = cKDTree(grid.to_box(seeds.centres_P)).query(centres_B)
    return bool(away.max() <= NEAR_MM)


def check_treated(
    claims: Claims,
    name: str,
    stated: VolumeDose | TargetDose,
    samples: SampledDoses,
    bounds: ColdestBounds,
    prescribed_gy: float,
) -> None:
    """D90, D100 and V100 to V200 of PTV or GTV. D100 is the dose of one sample."""
    subject, cc = f"dose in the {name}", samples.volume_mm3 / MM3_PER_CC
    claims.equal("volume", subject, stated.volume_cc, cc, RATIO * max(1.0, cc))
    check_within(
        claims, "D90", subject, stated.d90_gy, outside_seeds(samples.covering_percent(90.0), samples)
    )
    off = DOSE * bounds.most if isfinite(bounds.most) else 0.0
    claims.at_least("D100 is not overstated", subject, stated.d100_gy, bounds.most, off)
    claims.at_most("D100 is not understated", subject, stated.d100_gy, bounds.least, DOSE * bounds.least)
    for part, percent in (
        (1.0, stated.v100_percent),
        (1.5, stated.v150_percent),
        (2.0, stated.v200_percent),
    ):
        name = f"V{100 * part:.0f}"
        check_within(claims, name, subject, percent, samples.percent_at(part * prescribed_gy), 100.0)


def check_organ(claims: Claims, stated: OrganDose, volume_cc: float, hot: SampledDoses) -> None:
    """The least dose of an organ's hottest 0.1, 1 and 2 cm3, from samples of its hottest part."""
    subject = f"dose in {stated.structure}"
    claims.equal("volume", subject, stated.volume_cc, volume_cc, RATIO * max(1.0, volume_cc))
    for cc, dose in ((0.1, stated.d0_1cc_gy), (1.0, stated.d1cc_gy), (2.0, stated.d2cc_gy)):
        name = f"D{cc:g}cc"
        # For an organ of exactly this volume, rounding decides whether it has the dose.
        if abs(volume_cc - cc) > RATIO * cc:
            stated_text, expected_text = (
                "none" if none else "a dose" for none in (dose is None, volume_cc < cc)
            )
            claims.same(f"{name} where the organ is large enough", subject, stated_text, expected_text)
        recomputed = hot.hottest_cc(cc)
        if dose is not None and recomputed is not None:
            check_within(claims, name, subject, dose, outside_seeds(recomputed, hot))


def check_curve(claims: Claims, curve: DvhCurve, samples: SampledDoses, prescribed_gy: float) -> None:
    """A histogram falls from 100 % at 0 Gy, as the samples do. There is one check of its shares: at the level
    where it exceeds the tolerance of the samples most."""
    subject = f"histogram of {curve.structure}"
    levels, shares = curve.dose_gy, curve.volume_percent
    lengths = (len(levels), len(shares))
    claims.equal("each level has its share", subject, float(lengths[0]), float(lengths[1]), 0.0)
    first = (levels[0], shares[0]) if min(lengths) else (inf, 0.0)
    claims.equal("the first level is no dose", subject, first[0], 0.0, 0.0)
    claims.equal("all of the volume gets the first level", subject, first[1], 100.0, 100.0 * RATIO)
    rising = all(a < b for a, b in pairwise(levels))
    falling = all(a >= b for a, b in pairwise(shares))
    levels_gy = [prescribed_gy * percent / 100.0 for percent in LEVELS_PERCENT]
    as_asked = len(levels) == len(levels_gy) and all(
        abs(a - b) <= RATIO * b for a, b in zip(levels, levels_gy, strict=True)
    )
    kind = "as they should be" if as_asked else f"{len(levels)} of another kind"
    claims.holds("its levels", subject, f"{len(levels_gy)} to 300 %", kind, as_asked)
    in_order = rising and falling
    order = "in order" if in_order else "out of order"
    claims.holds("levels rise and shares fall", subject, "in order", order, in_order)
    worst, at = -inf, (0.0, Recomputed(0.0, 0.0, 0.0), 0.0)
    for level, share in zip(levels[1:], shares[1:], strict=False):
        recomputed = samples.percent_at(level)
        beyond = max(share - recomputed.most, recomputed.least - share)
        if beyond > worst:
            worst, at = beyond, (share, recomputed, level)
    check_within(claims, f"share at {at[2]:g} Gy", subject, at[0], at[1], 100.0)


def check_levels(
    claims: Claims,
    curve: DvhCurve,
    stated: VolumeDose | TargetDose,
    samples: SampledDoses,
    prescribed_gy: float,
) -> None:
    """The histogram agrees with V100, V150, V200 and D90: at D90 it falls below 90 %."""
    for part, percent in (
        (1.0, stated.v100_percent),
        (1.5, stated.v150_percent),
        (2.0, stated.v200_percent),
    ):
        level = part * prescribed_gy
        shares = [
            share
            for dose, share in zip(curve.dose_gy, curve.volume_percent, strict=False)
            if abs(dose - level) <= RATIO * level
        ]
        for share in shares:
            name = f"the histogram gives V{100 * part:.0f}"
            claims.equal(name, f"histogram of {curve.structure}", share, percent, 100.0 * RATIO)
    _check_d90(claims, curve, stated, samples)


def _check_d90(
    claims: Claims, curve: DvhCurve, stated: VolumeDose | TargetDose, samples: SampledDoses
) -> None:
    """The histogram falls below 90 % at D90. Where it never does, D90 is above its last level, or it is the
    dose of the hottest sample outside seeds."""
    pairs = list(zip(curve.dose_gy, curve.volume_percent, strict=False))
    above = max((dose for dose, share in pairs if share >= D90_PERCENT), default=0.0)
    below = min((dose for dose, share in pairs if share < D90_PERCENT), default=inf)
    if below == inf:
        outside = samples.doses_gy[np.isfinite(samples.doses_gy)]
        above = min(above, 0.5 * float(outside.max(initial=0.0)))
    holds = above * (1.0 - RATIO) <= stated.d90_gy <= below * (1.0 + RATIO)
    subject, between = f"histogram of {curve.structure}", f"{above:g} to {below:g} Gy"
    claims.holds("the histogram gives D90", subject, f"{stated.d90_gy:g} Gy", between, holds)


def check_within(
    claims: Claims, name: str, subject: str, stated: float, recomputed: Recomputed, scale: float = 0.0
) -> None:
    """A value from the plan's own samples, within the bounds of the value recomputed here. Doses have their
    tolerance in addition; other values, on the given `scale`, that of RATIO."""
    off = (
        recomputed.most - recomputed.value
        if stated > recomputed.value
        else recomputed.value - recomputed.least
    )
    off += max(DOSE_GY, DOSE * recomputed.value) if scale == 0.0 else RATIO * scale
    if isfinite(off):
        claims.equal(name, subject, stated, recomputed.value, off)
    else:
        claims.at_least(name, subject, min(stated, recomputed.value), recomputed.value, 0.0)


def outside_seeds(recomputed: Recomputed, samples: SampledDoses) -> Recomputed:
    """The value as a plan states it. Where a D is the dose of a sample inside a seed, the plan states that of
    its hottest sample outside, which depends on where the samples are: the bounds are wide."""
    if isfinite(recomputed.value):
        return recomputed
    outside = samples.doses_gy[np.isfinite(samples.doses_gy)]
    highest = float(outside.max(initial=0.0))
    return Recomputed(highest, min(recomputed.least, 0.5 * highest), samples.highest_gy)
