"""Claims on organ limits: every row of the tables asked for, its numbers again, and how each ends.

rows      those of the published tables, each once; what they leave in doubt
BED       rises with dose, D (1 + k D) + beams: that of the dose in so much of an organ is that of its BED
volumes   by counting points of the structures compared, of equal parts
names     the structures of the organ and what they lack of it, by `organ_match`
ends      exceeded, met, or neither, from the numbers and doubts as stated
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log, sqrt

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.published_limits.limit import OrganLimit, Scope
from planner.published_limits.organs import ORGAN_OF_ROW
from planner.published_limits.tables import PROTOCOLS
from planner.records.dose import BedReport, OrganDose
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.records.request import Prescription
from planner.records.wording.organ_limits import reason_of
from planner.sources.source import Source
from planner.verify.claims import Claims
from planner.verify.dose.alike import off_in
from planner.verify.dose.all_seeds import Planted
from planner.verify.dose.dvh import CC_MM3, Recomputed, SampledDoses, sampled_doses
from planner.verify.dose.hottest import field_of, hottest_part
from planner.verify.dose.organ_limits.organ_match import Matched, matched
from planner.verify.dose.tiny_organ import hottest_sample
from planner.verify.dose.volume_dose import ORGAN_PART_MM, check_within, outside_seeds, points_of
from planner.verify.geometry.voxels import voxels_of
from planner.verify.needle_set.ptv import holds
from planner.verify.tolerances import DOSE_NEAR, RATIO

POINT_CC, HOTTEST_CC = 0.1, 2.0
"""What stands for a point of an organ; and volumes up to which its hottest part alone is looked at."""
ENDS = {True: "met", False: "exceeded", None: "neither can be said"}


@dataclass(frozen=True)
class Effect:
    """BED of a dose D: D (1 + k D) + beams. [Gy]"""

    alpha_beta_gy: float
    per_gy: float
    beams_gy: float

    def bed_gy(self, dose_gy: float) -> float:
        """Of implant and beams."""
        return dose_gy * (1.0 + self.per_gy * dose_gy) + self.beams_gy

    def dose_gy(self, bed_gy: float) -> float:
        """The implant's dose of which that is the BED; 0 where beams alone have it."""
        rest = max(0.0, bed_gy - self.beams_gy)
        return 2.0 * rest / (1.0 + sqrt(1.0 + 4.0 * self.per_gy * rest))

    def of_fractions(self, dose_gy: float, fractions: int) -> float:
        """BED of external beams. [Gy]"""
        each = dose_gy / fractions
        return fractions * each * (1.0 + each / self.alpha_beta_gy)


def effect_of(asked: Prescription, source: Source, beams_gy: float) -> Effect:
    """On organs, with what beams before have given. [Gy]"""
    repair, decay = log(2.0) * 24.0 / asked.bed.repair_half_time_h, log(2.0) / source.half_life_d
    alpha_beta = asked.bed.alpha_beta_organ_gy
    return Effect(alpha_beta, decay / ((repair + decay) * alpha_beta), beams_gy)


@dataclass(frozen=True, eq=False)
class Compared:
    """The structures that a row is compared with, together: where they overlap, that part counts twice."""

    masks: tuple[VoxelMask, ...]
    grid: Grid
    seeds: Planted

    @property
    def volume_cc(self) -> float:
        """Of all. [cc]"""
        return sum(mask.count for mask in self.masks) * self.grid.voxel_volume_mm3 / CC_MM3

    @cached_property
    def whole(self) -> SampledDoses:
        """Doses at points of all their voxels."""
        return self._sampled(self.masks)

    @cached_property
    def hottest(self) -> SampledDoses:
        """Doses at points of their hottest part."""
        field = field_of(self.seeds, self.grid) if len(self.seeds.centres_P) else None
        return self._sampled([hottest_part(mask, self.grid, self.seeds, field) for mask in self.masks])

    def _sampled(self, parts: Sequence[VoxelMask]) -> SampledDoses:
        """Points as dense in every part as in the one where they are sparsest."""
        voxel = self.grid.voxel_volume_mm3
        counts = [
            points_of(part, self.grid, self.seeds, mask.count)
            for part, mask in zip(parts, self.masks, strict=True)
        ]
        density = min(count / part.count for count, part in zip(counts, parts, strict=True))
        doses = [
            sampled_doses(part, self.grid, self.seeds.doses, max(1, round(density * part.count))).doses_gy
            for part in parts
        ]
        volume = sum(part.count for part in parts) * voxel
        off_mm3 = off_in(parts, self.grid, self.seeds, ORGAN_PART_MM)
        return SampledDoses(np.concatenate(doses), volume, self.seeds.highest_outside_gy, off_mm3)

    def hottest_gy(self, volume_cc: float) -> Recomputed | None:
        """The least dose of their hottest volume, outside seeds; None where there is less. [Gy]"""
        if volume_cc > self.volume_cc * (1.0 + RATIO):
            return None
        samples = self.hottest if volume_cc <= HOTTEST_CC else self.whole
        found = samples.hottest_cc(volume_cc)
        return None if found is None else outside_seeds(found, samples)

    def in_seeds(self, volume_cc: float) -> bool | None:
        """Whether their hottest volume lies in seeds; None where another sample may say otherwise."""
        if volume_cc > self.volume_cc:
            return None
        return (self.hottest if volume_cc <= HOTTEST_CC else self.whole).in_seeds(volume_cc)

    def reaching_cc(self, dose_gy: float) -> Recomputed:
        """The volume that gets a dose or more, of which tables leave so much open. [cc]"""
        hot = _reaching(self.hottest, dose_gy)
        return hot if hot.most <= HOTTEST_CC else _reaching(self.whole, dose_gy)


def _reaching(samples: SampledDoses, dose_gy: float) -> Recomputed:
    sure, there, maybe = (samples.percent_at(dose_gy * (1.0 + off)) for off in (DOSE_NEAR, 0.0, -DOSE_NEAR))
    cc = 0.01 * samples.volume_mm3 / CC_MM3
    return Recomputed(cc * there.value, cc * sure.least, cc * maybe.most)


def check_limits(
    claims: Claims,
    asked: Prescription,
    bed: BedReport,
    effect: Effect,
    organs: Mapping[str, VoxelMask],
    grid: Grid,
    seeds: Planted,
    target: VoxelMask,
    stated: Sequence[OrganDose] = (),
    too_small: Collection[str] = (),
) -> None:
    """All claims of this module; `stated` are the doses of single organs, `too_small` what is too little to
    be one."""
    tables = {protocol.name: protocol.limits for protocol in PROTOCOLS}
    rows = [row for name in asked.bed.protocols for row in tables.get(name, ())]
    wanted = [f"{row.protocol}, {row.organ}: {row.words}" for row in rows]
    told = [f"{limit.protocol}, {limit.organ}: {limit.limit}" for limit in bed.limits]
    claims.same("the limits are those of the protocols asked for", "BED", "; ".join(told), "; ".join(wanted))
    if told != wanted:
        return
    there = {name: mask for name, mask in organs.items() if mask.count}
    centres_B = voxels_of(target, outer_only=False) * grid.spacing_mm
    # A body's mask holds the target; a shell may share a voxel with it.
    solids = [name for name, mask in there.items() if holds(mask, grid.spacing_mm, centres_B).mean() > 0.5]
    known: dict[tuple[str, ...], Compared | None] = {}
    doses = {(organ.structure,): organ for organ in stated}
    for row, limit in zip(rows, bed.limits, strict=True):
        found = matched(ORGAN_OF_ROW[row.organ], there, solids)
        little = [name for name in found.structures if name in too_small]
        if little and not found.lacking:
            found = replace(found, lacking=f"most of {little[0]}")
        if found.structures not in known:
            masks = tuple(there[name] for name in found.structures)
            known[found.structures] = Compared(masks, grid, seeds) if masks else None
        _check_limit(claims, asked, effect, row, limit, found, known[found.structures])
        if found.structures in doses:
            _check_as_told(claims, effect, row, limit, doses[found.structures])


def _check_limit(
    claims: Claims,
    asked: Prescription,
    effect: Effect,
    row: OrganLimit,
    limit: LimitComparison,
    found: Matched,
    compared: Compared | None,
) -> None:
    subject = f"limit {limit.limit} of {limit.organ}"
    said, means = (f"{one.kind}, {one.volume_cc}" for one in (limit, row))
    claims.same("what the row says", subject, said, means)
    claims.same(
        "the structures compared", subject, limit.structure or "none", ", ".join(found.structures) or "none"
    )
    _check_numbers(claims, subject, effect, row, limit, compared)
    doubts = _doubts(asked, effect, row, limit, found, compared)
    lacking = found.lacking if Doubt.LACKING in doubts else ""
    claims.same("what the organ lacks", subject, limit.lacking or "nothing", lacking or "nothing")
    stated = [doubt for doubt in limit.doubts if doubt is not Doubt.IN_SEED]
    claims.same("what is in doubt", subject, ", ".join(sorted(stated)), ", ".join(sorted(doubts)))
    _check_in_seeds(claims, subject, row, limit, compared)
    claims.same("how the limit ends", subject, ENDS[limit.met], ENDS[_ends(row, limit)])
    written = reason_of(replace(limit, reason=""))
    claims.same("what is said of the limit", subject, limit.reason, written)


def _check_as_told(
    claims: Claims, effect: Effect, row: OrganLimit, limit: LimitComparison, organ: OrganDose
) -> None:
    """That a limit's BED is that of the dose which the plan states of the organ. What lies in seeds has
    none."""
    told = {0.1: organ.d0_1cc_gy, 1.0: organ.d1cc_gy, 2.0: organ.d2cc_gy}.get(row.volume_cc or POINT_CC)
    if told is None or limit.achieved_bed_gy is None or {Doubt.TINY, Doubt.IN_SEED} & set(limit.doubts):
        return
    wanted = effect.bed_gy(told)
    subject = f"limit {limit.limit} of {limit.organ}"
    name = "the BED is that of the organ's dose"
    claims.equal(name, subject, limit.achieved_bed_gy, wanted, RATIO * max(1.0, wanted))


def _check_in_seeds(
    claims: Claims, subject: str, row: OrganLimit, limit: LimitComparison, compared: Compared | None
) -> None:
    """Whether the hottest part lies in seeds, of whose dose nothing is known. Where single samples decide, a
    plan's own do."""
    stated = Doubt.IN_SEED in limit.doubts
    found: bool | None = False
    if compared is not None and limit.achieved_bed_gy is not None:
        found = None if Doubt.TINY in limit.doubts else compared.in_seeds(row.volume_cc or POINT_CC)
    if found is not None:
        said, wanted = ("in seeds" if inside else "outside" for inside in (stated, found))
        claims.same("where the hottest part lies", subject, said, wanted)


def _check_numbers(
    claims: Claims,
    subject: str,
    effect: Effect,
    row: OrganLimit,
    limit: LimitComparison,
    compared: Compared | None,
) -> None:
    """The limit's BED, and what the structures get."""
    if row.dose_gy is None or compared is None:
        numbers = [limit.achieved_bed_gy, limit.achieved_cc, limit.organ_cc]
        numbers += [] if row.dose_gy is not None else [limit.limit_bed_gy]
        found = "some" if any(number is not None for number in numbers) else "none"
        claims.same("what is not compared has no numbers", subject, found, "none")
    if row.dose_gy is None:
        return
    most = effect.of_fractions(row.dose_gy, row.fractions)
    _check_number(claims, "the limit as BED", subject, limit.limit_bed_gy, Recomputed(most, most, most))
    if compared is None:
        return
    whole = compared.volume_cc
    all_of_it = Recomputed(whole, whole, whole)
    _check_number(claims, "volume compared", subject, limit.organ_cc, all_of_it)
    beams_alone = most <= effect.beams_gy
    reaching = all_of_it if beams_alone else compared.reaching_cc(effect.dose_gy(most))
    hottest = None
    if row.kind is LimitKind.SPARED:
        reaching = Recomputed(whole - reaching.value, whole - reaching.most, whole - reaching.least)
    else:
        hottest = compared.hottest_gy(row.volume_cc or POINT_CC)
    name = "volume that is spared" if row.kind is LimitKind.SPARED else "volume that gets the limit's BED"
    _check_number(claims, name, subject, limit.achieved_cc, reaching)
    if Doubt.TINY in limit.doubts:
        # A single sample stands for it.
        hottest = hottest_sample(compared.masks, compared.grid, compared.seeds)
    _check_number(claims, "BED of the hottest part", subject, limit.achieved_bed_gy, _as_bed(effect, hottest))


def _as_bed(effect: Effect, dose: Recomputed | None) -> Recomputed | None:
    if dose is None:
        return None
    least, most = dose.least * (1.0 - DOSE_NEAR), dose.most * (1.0 + DOSE_NEAR)
    return Recomputed(effect.bed_gy(dose.value), effect.bed_gy(least), effect.bed_gy(most))


def _check_number(
    claims: Claims, name: str, subject: str, stated: float | None, found: Recomputed | None
) -> None:
    if stated is None or found is None:
        said, wanted = ("none" if value is None else "a number" for value in (stated, found))
        claims.same(name, subject, said, wanted)
    else:
        check_within(claims, name, subject, stated, found, max(1.0, found.value))


def _doubts(
    asked: Prescription,
    effect: Effect,
    row: OrganLimit,
    limit: LimitComparison,
    found: Matched,
    compared: Compared | None,
) -> list[Doubt]:
    """Those that row, names, volumes and numbers as stated call for."""
    if row.dose_gy is None:
        return [Doubt.NO_DOSE]
    if compared is None:
        return [Doubt.NOT_IN_INPUT]
    whole, got = limit.organ_cc or 0.0, limit.achieved_cc or 0.0
    few = row.volume_cc is None or got < row.volume_cc
    tiny = row.volume_cc is None and whole < POINT_CC * (1.0 - RATIO)
    bed, most = limit.achieved_bed_gy, limit.limit_bed_gy
    met = row.volume_cc is None and bed is not None and most is not None and bed <= most
    more = got > 0.0
    if more and met and bed is not None and bed == most:
        # Beams alone may give all of it just what is allowed, and seeds nothing.
        more = effect.bed_gy(float(compared.hottest.doses_gy.max())) > bed
    calls = {
        Doubt.TINY: tiny,
        # What stands for a point meets a maximum, and some get more.
        Doubt.PART_GETS_MORE: met and not tiny and more,
        Doubt.SMALL: row.kind is LimitKind.SPARED and whole <= (row.volume_cc or 0.0),
        Doubt.OTHER_READING: row.kind is LimitKind.VOLUME_OR_SPARED
        and few != (whole - got > (row.volume_cc or 0.0)),
        Doubt.UNVERIFIED: row.scope is Scope.UNVERIFIED,
        Doubt.WALL: row.scope is Scope.NOT_ADJACENT,
        Doubt.LACKING: bool(found.lacking),
        Doubt.HOLDS_MORE: found.holds_more and not found.holds_target,
        Doubt.HOLDS_TARGET: found.holds_target,
        Doubt.BEAMS_IN_FULL: asked.prior_external is not None,
    }
    return [doubt for doubt, called in calls.items() if called]


def _ends(row: OrganLimit, limit: LimitComparison) -> bool | None:
    """Exceeded or met by the numbers as stated, unless a doubt undoes it."""
    most, bed, got = limit.limit_bed_gy, limit.achieved_bed_gy, limit.achieved_cc
    excused = {Doubt.HOLDS_TARGET}
    undone = {Doubt.PART_GETS_MORE, Doubt.OTHER_READING, Doubt.UNVERIFIED, Doubt.IN_SEED}
    spares = row.kind in (LimitKind.SPARED, LimitKind.VOLUME_OR_SPARED)
    undone |= {Doubt.HOLDS_MORE} if spares else set()
    # What an organ lacks could only add to what is spared.
    (excused if row.kind is LimitKind.SPARED else undone).add(Doubt.LACKING)
    if most is None or got is None or Doubt.SMALL in limit.doubts:
        return None
    if row.volume_cc is None:
        met = bed is not None and bed <= most
    elif row.kind is LimitKind.SPARED:
        met = got > row.volume_cc
    else:
        met = got < row.volume_cc * (1.0 - RATIO)
    if met:
        return None if undone & set(limit.doubts) else True
    return None if excused & set(limit.doubts) else False
