"""Organ limits compared with an implant, in BED: for each sample first, then the statistics.

    limit    D in N fractions  --N d (1 + d / (a/b))-->  BED  <--D (1 + R0 ...)--  implant, each sample
                                                          ^----- and external beams before

A comparison has one of three results. True: the limit is met. False: it is exceeded. None: neither can be
said. Doubts are named, and numbers are given where they are known. planner.dose.organ_limits.verdicts
decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from jaxtyping import Float

from planner.dose.bed import LATE, ExternalBeam, Tissue, external_bed_gy, summed_bed_gy
from planner.dose.dvh import DoseVolume, dose_volume
from planner.dose.organ_limits.organ_names import Match, match
from planner.dose.organ_limits.verdicts import Verdict, verdict_as_read, with_row_doubts
from planner.published_limits.limit import OrganLimit, Protocol
from planner.published_limits.organs import ORGAN_OF_ROW
from planner.published_limits.tables import PROTOCOLS
from planner.records.organ_limits import Doubt, LimitComparison
from planner.records.wording.organ_limits import reason_of


@dataclass(frozen=True, eq=False)
class OrganSamples:
    """Samples of one structure: the implant's dose until the seeds have decayed, infinity inside a seed, and
    volumes. An empty structure has no samples. [Gy, mm3]

    `holds_target`: it contains most of the target. `too_small`: it is too small to be the organ of its name.
    """

    name: str
    doses_gy: Float[np.ndarray, " n"]
    weights_mm3: Float[np.ndarray, " n"]
    holds_target: bool = False
    too_small: bool = False


@dataclass(frozen=True)
class Radiobiology:
    """The parameters that turn doses into BED: half-life of the seeds' isotope, tissue, earlier radiation.

    One tissue serves all organs: late reactions, which the limits are about [U]. [days]
    """

    half_life_days: float
    tissue: Tissue = LATE
    before: tuple[ExternalBeam, ...] = ()

    def bed_gy(self, doses_gy: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
        """BED of implant and external beams, in each sample. [Gy]"""
        return summed_bed_gy(doses_gy, self.half_life_days, self.tissue, self.before)


def compare_all(
    organs: Sequence[OrganSamples],
    radiobiology: Radiobiology,
    highest_gy: float = inf,
    protocols: Sequence[Protocol] = PROTOCOLS,
) -> tuple[LimitComparison, ...]:
    """Every limit of the protocols, in their order, against the organs' samples.

    Doses above `highest_gy` are lowered to it, and infinite ones, of samples inside seeds, to the organ's
    hottest dose outside: the result does not depend on how the dose in a seed is computed, see
    planner.dose.dvh. Structures that make up one organ are taken together: where they overlap, that part
    counts twice.
    """
    by_name = {organ.name: organ for organ in organs if len(organ.doses_gy)}
    solids = frozenset(organ.name for organ in organs if organ.holds_target)
    bed_by_structures: dict[tuple[str, ...], _Known] = {}
    comparisons = []
    for limit in (limit for protocol in protocols for limit in protocol.limits):
        matched = match(ORGAN_OF_ROW[limit.organ], by_name, solids)
        parts = [by_name[name] for name in matched.structures]
        some = next((part.name for part in parts if part.too_small), None)
        if some is not None and not matched.lacking:
            matched = replace(matched, lacking=f"most of {some}")
        if matched.structures not in bed_by_structures:
            bed_by_structures[matched.structures] = _bed_of(parts, radiobiology, highest_gy)
        comparisons.append(compare(limit, matched, *bed_by_structures[matched.structures], radiobiology))
    return tuple(comparisons)


_Known = tuple[DoseVolume | None, float]


def _bed_of(parts: Sequence[OrganSamples], radiobiology: Radiobiology, highest_gy: float) -> _Known:
    """BED of an organ's samples, and the BED above which it is not known (infinity: it is always known).
    [Gy]"""
    if not parts:
        return None, inf
    doses = np.concatenate([p.doses_gy for p in parts])
    outside = doses[np.isfinite(doses)]
    if len(outside) < len(doses):
        highest_gy = min(highest_gy, float(outside.max(initial=0.0)))
    bed = radiobiology.bed_gy(np.minimum(doses, highest_gy))
    weights = np.concatenate([p.weights_mm3 for p in parts])
    return dose_volume(bed, weights), float(radiobiology.bed_gy(np.array(highest_gy)))


def compare(
    limit: OrganLimit,
    matched: Match,
    bed: DoseVolume | None,
    highest_bed_gy: float,
    radiobiology: Radiobiology,
) -> LimitComparison:
    """One limit against the BED of the structures matched; `bed` is None where they have no sample. [Gy]

    The limit's BED is that of its dose in the fractions of its own protocol. A BED of `highest_bed_gy` means
    this much or more.
    """
    limit_bed: float | None = None
    if limit.dose_gy is None:
        verdict = Verdict(None, (Doubt.NO_DOSE,))
    else:
        limit_bed = external_bed_gy(ExternalBeam(limit.dose_gy, limit.fractions), radiobiology.tissue)
        verdict = Verdict(None, (Doubt.NOT_IN_INPUT,))
        if bed is not None:
            verdict = with_row_doubts(limit, matched, verdict_as_read(limit, limit_bed, bed))
            if verdict.bed_gy is not None and verdict.bed_gy >= highest_bed_gy:
                verdict = verdict.undecided_if_met(Doubt.IN_SEED)
            if radiobiology.before:
                verdict = verdict.with_doubt(Doubt.BEAMS_IN_FULL)
    compared = LimitComparison(
        protocol=limit.protocol,
        organ=limit.organ,
        structure=", ".join(matched.structures),
        limit=limit.words,
        kind=limit.kind,
        volume_cc=limit.volume_cc,
        limit_bed_gy=limit_bed,
        achieved_bed_gy=verdict.bed_gy,
        achieved_cc=verdict.achieved_cc,
        organ_cc=verdict.organ_cc,
        met=verdict.met,
        doubts=verdict.doubts,
        lacking=matched.lacking if Doubt.LACKING in verdict.doubts else "",
        reason="",
    )
    return replace(compared, reason=reason_of(compared))
