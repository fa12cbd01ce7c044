"""Implant records: the needle set, its seeds and their dose, as they leave the planner. Frame P, mm, Gy.

NeedleSet
|-- PlacedSeed[s]      every seed, along the needle that carries it
|-- TooNear[g]         what needles that are in already lie too near to
`-- bounds             what no other set of the same candidates can beat
DoseReport             dose to water in water, TG-43, until all activity has decayed (a permanent implant)
|-- TargetDose         PTV: what the goals are about, and GTV: VolumeDose
|-- OrganDose[o], DvhCurve[c], GoalResult[g], PointDose[p]
`-- BedReport          biologically effective dose, organ limits by protocol
Robustness             what the published errors of placement do to needles and dose
Achieved, ColdSpot[c]  what the seeds found after an implant give
Changes                what replanning around measured needles changed
"""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import NonNegative, Percent
from planner.records.organ_limits import LimitComparison
from planner.records.request.point import Point

MEDIUM = "dose to water in water, TG-43"
"""The meaning of every dose here. Near lung the true dose can differ by up to a quarter."""


@dataclass(frozen=True)
class VolumeDose:
    """Dose in a treated volume. D100 is the least dose of its sample points."""

    volume_cc: NonNegative
    d90_gy: NonNegative
    d100_gy: NonNegative
    v100_percent: Percent
    v150_percent: Percent
    v200_percent: Percent


@dataclass(frozen=True)
class TargetDose(VolumeDose):
    """Dose in the PTV, with conformity (CI), external (EI) and homogeneity index (HI) as in Wang 2022
    (10.5114/jcb.2022.113548). HI is None if nothing in the PTV gets the prescribed dose."""

    ci: float
    ei: float
    hi: float | None


@dataclass(frozen=True)
class OrganDose:
    """The least dose in the hottest 0.1, 1 and 2 cm3 of an organ; None if the organ is smaller."""

    structure: str
    volume_cc: NonNegative
    d0_1cc_gy: NonNegative | None
    d1cc_gy: NonNegative | None
    d2cc_gy: NonNegative | None


@dataclass(frozen=True)
class DvhCurve:
    """Cumulative dose-volume histogram: the share of `structure` that gets at least each dose."""

    structure: str
    dose_gy: tuple[NonNegative, ...]
    volume_percent: tuple[Percent, ...]


@dataclass(frozen=True)
class GoalResult:
    """A goal of the prescription, and the value reached. `structure` is "PTV" or an organ. `at_least` says
    whether the goal is a least or a largest value."""

    structure: str
    name: str
    at_least: bool
    wanted: float
    reached: float
    met: bool


class PointKind(StrEnum):
    """What a point is in its structure."""

    COLDEST = "coldest"
    """The sample with the least dose."""
    HOTTEST = "hottest"
    """The sample outside seeds with the most dose."""


@dataclass(frozen=True)
class PointDose:
    """The dose at a point: the coldest or hottest sample of a structure, of "PTV" or of "GTV". `name` says
    which."""

    kind: PointKind
    structure: str
    name: str
    position_mm: Point
    dose_gy: NonNegative


@dataclass(frozen=True)
class BedReport:
    """Biologically effective dose, voxel by voxel, including external beams given before. [Gy]"""

    external_target_gy: NonNegative
    external_organ_gy: NonNegative
    target_d90_gy: NonNegative
    target_d90_eqd2_gy: NonNegative
    limits: tuple[LimitComparison, ...]


@dataclass(frozen=True)
class DoseReport:
    """The dose of a plan. `air_kerma_strength_u` is the strength of each seed on the day of the implant."""

    medium: str
    source: str
    air_kerma_strength_u: NonNegative
    prescribed_gy: NonNegative
    target: TargetDose
    gtv: VolumeDose
    organs: tuple[OrganDose, ...]
    dvh: tuple[DvhCurve, ...]
    goals: tuple[GoalResult, ...]
    points: tuple[PointDose, ...]
    bed: BedReport


def hottest_gy(organ: OrganDose) -> float:
    """The dose by which organs are ordered: that of their smallest reported part. [Gy]"""
    return next((d for d in (organ.d0_1cc_gy, organ.d1cc_gy, organ.d2cc_gy) if d is not None), 0.0)
