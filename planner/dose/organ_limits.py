"""Organ limits held against an implant, in BED: per sample first, then the statistics.

    limit    D in N fractions  --N d (1 + d / (a/b))-->  BED  <--D (1 + R0 ...)--  implant, each sample
                                                          ^----- and external beams before

A comparison may end in three ways. True: the limit is met. False: it is not. None: it cannot be said, and
`reason` says why; numbers are given all the same where there are any. planner.dose.verdicts decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Float

from planner.dose.bed import LATE, ExternalBeam, Tissue, external_bed_gy, summed_bed_gy
from planner.dose.dvh import DoseVolume, dose_volume
from planner.dose.limit_tables import PROTOCOLS
from planner.dose.limits import LimitKind, OrganLimit, Protocol
from planner.dose.organ_names import ORGAN_OF_ROW, Match, match
from planner.dose.verdicts import Verdict, doubted, judged, without_dose


@dataclass(frozen=True, eq=False)
class OrganDose:
    """One structure's samples: the implant's dose until the seeds have decayed, infinity inside a seed, and
    volumes; none where the structure is empty. [Gy, mm3]"""

    name: str
    doses_gy: Float[np.ndarray, " n"]
    weights_mm3: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Radiobiology:
    """What turns doses into BED: half-life of the seeds' isotope, the organs' tissue, radiation before.

    One tissue serves all organs: late reactions, which the limits are about [U]. [days]
    """

    half_life_days: float
    tissue: Tissue = LATE
    before: tuple[ExternalBeam, ...] = ()

    def bed_gy(self, doses_gy: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
        """BED of implant and external beams, in each sample. [Gy]"""
        return summed_bed_gy(doses_gy, self.half_life_days, self.tissue, self.before)


@dataclass(frozen=True)
class Comparison:
    """A limit, also in words, and what an implant does. `structures` are those compared, together. [Gy, cc]

    `achieved_bed_gy` is what the hottest `volume_cc` (POINT_CC for a maximum) get at least, and
    `achieved_cc` the volume that gets `limit_bed_gy` or more; for a limit on what is spared, `achieved_cc` is
    the volume that gets less. None where there is no such number.
    """

    protocol: str
    organ: str
    kind: LimitKind
    structures: tuple[str, ...]
    limit: str
    limit_gy: float | None
    limit_bed_gy: float | None
    volume_cc: float | None
    achieved_bed_gy: float | None
    achieved_cc: float | None
    met: bool | None
    reason: str


def compare_all(
    organs: Sequence[OrganDose],
    radiobiology: Radiobiology,
    highest_gy: float = inf,
    protocols: Sequence[Protocol] = PROTOCOLS,
) -> tuple[Comparison, ...]:
    """Every limit of the protocols, in their order, against the organs' samples.

    Doses above `highest_gy` count as that, and infinite ones, of samples inside seeds, as the organ's hottest
    outside: nothing depends on how dose in a seed is computed, see planner.dose.dvh. Structures that make up
    one organ are taken together: where they overlap, that part counts twice.
    """
    by_name = {organ.name: organ for organ in organs if len(organ.doses_gy)}
    known: dict[tuple[str, ...], _Known] = {}
    found = []
    for limit in (limit for protocol in protocols for limit in protocol.limits):
        matched = match(ORGAN_OF_ROW[limit.organ], by_name)
        parts = [by_name[name] for name in matched.structures]
        if matched.structures not in known:
            known[matched.structures] = _bed_of(parts, radiobiology, highest_gy)
        found.append(compare(limit, matched, *known[matched.structures], radiobiology))
    return tuple(found)


_Known = tuple[DoseVolume | None, float]


def _bed_of(parts: Sequence[OrganDose], radiobiology: Radiobiology, highest_gy: float) -> _Known:
    """BED of an organ's samples, and from where on it is not known, infinity if it always is. [Gy]"""
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
) -> Comparison:
    """One limit against the BED of the structures matched; `bed` is None where they have no sample. [Gy]

    The limit's BED is that of its dose in its own protocol's fractions. Of what reaches `highest_bed_gy` no
    more is known than that.
    """
    limit_bed: float | None = None
    if limit.dose_gy is None:
        verdict = Verdict(None, without_dose(limit))
    else:
        limit_bed = external_bed_gy(ExternalBeam(limit.dose_gy, limit.fractions), radiobiology.tissue)
        verdict = Verdict(None, "The input has no voxel of this organ: not compared.")
        if bed is not None:
            verdict = doubted(limit, matched, judged(limit, limit_bed, bed))
            if verdict.bed_gy is not None and verdict.bed_gy >= highest_bed_gy:
                verdict = verdict.floored()
            if radiobiology.before:
                verdict = verdict.but("External beams before count in full everywhere.")
    return Comparison(
        protocol=limit.protocol,
        organ=limit.organ,
        kind=limit.kind,
        structures=matched.structures,
        limit=limit.words,
        limit_gy=limit.dose_gy,
        limit_bed_gy=limit_bed,
        volume_cc=limit.volume_cc,
        achieved_bed_gy=verdict.bed_gy,
        achieved_cc=verdict.achieved_cc,
        met=verdict.met,
        reason=verdict.reason,
    )
