"""Implant records: the needle set, its seeds and their dose, as they leave the planner. Frame P, mm, Gy.

NeedleSet
|-- PlacedSeed[s]      every seed, along the needle that carries it
|-- TooNear[g]         what needles that are in already lie too near to
`-- bounds             what no other set of the same candidates can beat
DoseReport             dose to water in water, TG-43, for ever (a permanent implant)
|-- TargetDose         PTV: what the goals are about, and GTV: VolumeDose
|-- OrganDose[o], DvhCurve[c], GoalResult[g], PointDose[p]
`-- BedReport          biologically effective dose, organ limits by protocol
Robustness             what the published errors of placement do to needles and dose
Achieved, ColdSpot[c]  what the seeds found after an implant give
Changes                what replanning around measured needles changed
"""

from dataclasses import dataclass
from enum import StrEnum

from planner.request import Point

REACH_MM = 5.0
"""How far from the nearest seed a place can be and still count as reached: one seed of 0.6 mCi gives about
60 Gy there, half of what is prescribed [U]."""

MEDIUM = "dose to water in water, TG-43"
"""What every dose here is: beside lung the true dose can differ by up to a quarter."""


@dataclass(frozen=True)
class PlacedSeed:
    """A seed of the set. `path_id` is the needle that carries it; None for a seed that was given, which then
    has no depth and no retraction, and no axis where none was given."""

    path_id: str | None
    position_mm: Point
    axis: Point | None
    depth_mm: float | None
    retraction_mm: float | None


@dataclass(frozen=True)
class TooNear:
    """A given needle, `path_id`, and what it lies too near to: a forbidden `structure`, or another given
    needle, `other_path_id`; the one that it is not is None.

    `parts` says what of it: "needle" for a structure; for two needles those parts that lack most, the part of
    `path_id` first. `clearance_mm` is free between walls and less than `asked_mm`; it is negative where two
    needles overlap, and minus the needle's radius where its axis runs through a structure.
    """

    path_id: str
    structure: str | None
    other_path_id: str | None
    parts: str
    clearance_mm: float
    asked_mm: float


@dataclass(frozen=True)
class NeedleSet:
    """Needles that do not touch and together cover the PTV, and their seeds.

    `path_ids` by rank; `order` is one of insertion in which no hub blocks a later needle. `objective` is what
    the set costs, in mm of lung: lung crossed, punctures at the request's cost, and 1 mm for each needle. No
    set of the `tracks_considered` that could leave a seed within `cover_radius_mm` of each of its seeds costs
    less than `bound`; `gap` is what lies between the two, as a share of the objective. `reachable_percent` of
    the PTV lies within REACH_MM of where some safe track may leave a seed. `seeds_bound` estimates, by a
    relaxed programme, how few seeds on these needles would reach the goal for V100, None (and no `seeds_gap`)
    where that is not known; by the same programme, `v100_reachable` says whether any number of them would.
    `time_ended` says that the request's time limit cut the exchange of needles short. `given_too_near` has
    all that given needles lie too near to, structures by needle first, then pairs; `given_seed_pairs_near`
    counts the pairs of given seeds that lie nearer to each other than a seed is long.
    """

    arrangement: str
    path_ids: tuple[str, ...]
    order: tuple[str, ...]
    conflicts_checked: int
    tracks_considered: int
    cover_radius_mm: float
    reachable_percent: float
    lung_length_mm: float
    pleural_punctures: int
    objective: float
    bound: float
    gap: float
    seeds: tuple[PlacedSeed, ...]
    seeds_bound: int | None
    seeds_gap: float | None
    v100_reachable: bool
    time_ended: bool
    given_too_near: tuple[TooNear, ...]
    given_seed_pairs_near: int
    claims: tuple[str, ...]


@dataclass(frozen=True)
class VolumeDose:
    """Dose in a volume to treat. D100 is the least dose of its sample points."""

    volume_cc: float
    d90_gy: float
    d100_gy: float
    v100_percent: float
    v150_percent: float
    v200_percent: float


@dataclass(frozen=True)
class TargetDose:
    """Dose in the PTV, with conformity (CI), external (EI) and homogeneity index (HI) as in Wang 2022
    (10.5114/jcb.2022.113548). HI is None where nothing in the PTV gets the prescribed dose."""

    volume_cc: float
    d90_gy: float
    d100_gy: float
    v100_percent: float
    v150_percent: float
    v200_percent: float
    ci: float
    ei: float
    hi: float | None


@dataclass(frozen=True)
class OrganDose:
    """The least dose in an organ's hottest 0.1, 1 and 2 cm3; None where it is smaller."""

    structure: str
    volume_cc: float
    d0_1cc_gy: float | None
    d1cc_gy: float | None
    d2cc_gy: float | None


@dataclass(frozen=True)
class DvhCurve:
    """Cumulative dose-volume histogram: the share of `structure` that gets at least each dose."""

    structure: str
    dose_gy: tuple[float, ...]
    volume_percent: tuple[float, ...]


@dataclass(frozen=True)
class GoalResult:
    """A goal of the prescription, and what was reached. `structure` is "PTV" or an organ. `at_least` says in
    which direction it is meant."""

    structure: str
    name: str
    at_least: bool
    wanted: float
    reached: float
    met: bool


@dataclass(frozen=True)
class PointDose:
    """The dose at a point, named for what is found there."""

    name: str
    position_mm: Point
    dose_gy: float


class LimitKind(StrEnum):
    """What a limit says of an organ."""

    MAX = "max"
    """No point gets more than the dose."""
    VOLUME = "volume"
    """Less than the volume gets the dose or more."""
    SPARED = "spared"
    """More than the volume gets less than the dose."""
    VOLUME_OR_SPARED = "volume or spared"
    """Sources give the same numbers for both."""
    RELATIVE = "relative"
    """A part of a prescription, or of an organ: nothing to hold an implant against."""
    UNSTATED = "unstated"
    """The table has the row, and no limit in it."""


class Doubt(StrEnum):
    """What a comparison with an organ limit leaves open. `planner.limit_wording` has the sentences."""

    NO_DOSE = "no_dose"
    """The row states no dose: nothing to compare."""
    NOT_IN_INPUT = "not_in_input"
    """The input has no voxel of the organ."""
    TINY = "tiny"
    """The organ is smaller than what stands for a point: its hottest sample does."""
    PART_GETS_MORE = "part_gets_more"
    """What stands for a point meets a maximum, and less than that gets more."""
    SMALL = "small"
    """The organ as segmented is no larger than what must be spared."""
    OTHER_READING = "other_reading"
    """Of the two readings of a row one is met, the other not."""
    UNVERIFIED = "unverified"
    """The row stands in one score card and is not known to be the protocol's."""
    WALL = "wall"
    """The row is said, without a source, to mean the wall away from the target only."""
    LACKING = "lacking"
    """The input lacks a part of the organ."""
    HOLDS_MORE = "holds_more"
    """The structure compared is more than the organ."""
    HOLDS_TARGET = "holds_target"
    """The structure compared is a solid that holds the target as well."""
    IN_SEED = "in_seed"
    """The BED stated is the highest known outside seeds: it is at least that."""
    BEAMS_IN_FULL = "beams_in_full"
    """External beams before count in full everywhere."""


@dataclass(frozen=True)
class LimitComparison:
    """A protocol's organ limit beside what the plan gives, both as BED.

    `met` False: exceeded, by what was segmented and as the row reads, whatever `doubts` leave open. True: met
    whatever they leave open. None: neither can be said. `achieved_bed_gy` is what the hottest `volume_cc` get
    at least (0.1 cc for a maximum), and `achieved_cc` the volume that gets `limit_bed_gy` or more; for a
    limit on what is spared, the volume that gets less. `organ_cc` is the volume of the structures compared.
    `lacking` names a part of the organ that the input lacks. `reason` says all of this in words.
    """

    protocol: str
    organ: str
    structure: str
    limit: str
    kind: LimitKind
    volume_cc: float | None
    limit_bed_gy: float | None
    achieved_bed_gy: float | None
    achieved_cc: float | None
    organ_cc: float | None
    met: bool | None
    doubts: tuple[Doubt, ...]
    lacking: str
    reason: str


@dataclass(frozen=True)
class BedReport:
    """Biologically effective dose, voxel by voxel, with what external beams gave before. [Gy]"""

    external_target_gy: float
    external_organ_gy: float
    target_d90_gy: float
    target_d90_eqd2_gy: float
    limits: tuple[LimitComparison, ...]


@dataclass(frozen=True)
class DoseReport:
    """The dose of a plan. `air_kerma_strength_u` is each seed's on the day of the implant."""

    medium: str
    source: str
    air_kerma_strength_u: float
    prescribed_gy: float
    target: TargetDose
    gtv: VolumeDose
    organs: tuple[OrganDose, ...]
    dvh: tuple[DvhCurve, ...]
    goals: tuple[GoalResult, ...]
    points: tuple[PointDose, ...]
    bed: BedReport


@dataclass(frozen=True)
class Touch:
    """How likely a needle that goes wrong as published touches a structure, from 0 to 1."""

    structure: str
    chance: float


@dataclass(frozen=True)
class NeedleRisk:
    """One needle under errors of placement. Turned about its entry by less than `tolerance_deg`, its wall
    touches no forbidden structure. `touches` names those that at least one sample touched; none for a given
    needle, which is in already."""

    path_id: str
    tolerance_deg: float
    touches: tuple[Touch, ...]


@dataclass(frozen=True)
class Spread:
    """5th, 50th and 95th percentile over the samples."""

    p5: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Robustness:
    """What errors of placement do, over `samples` of the errors published for `placement`; to the dose, over
    the first `dose_samples` of them."""

    placement: str
    samples: int
    dose_samples: int
    needles: tuple[NeedleRisk, ...]
    d90_gy: Spread
    v100_percent: Spread
    goals_met_share: float


SMALLEST_SPOT_CC = 0.02
"""Cold regions smaller than this are not named: two of the voxels of a common planning CT [U]."""


@dataclass(frozen=True)
class ColdSpot:
    """A connected region of the PTV that gets less than the prescribed dose: its volume, the centre of its
    volume, its least dose and where that is."""

    volume_cc: float
    centre_mm: Point
    least_dose_gy: float
    least_at_mm: Point


@dataclass(frozen=True)
class Achieved:
    """What seeds that were found after the implant give: their number, how many of them lie outside the PTV,
    how many pairs lie nearer to each other than a seed is long, the dose, that in organs with a goal, which
    goals it meets, and its cold spots, the largest first."""

    seeds_found: int
    seeds_outside_ptv: int
    seed_pairs_near: int
    target: TargetDose
    gtv: VolumeDose
    organs: tuple[OrganDose, ...]
    goals: tuple[GoalResult, ...]
    cold_spots: tuple[ColdSpot, ...]


@dataclass(frozen=True)
class NeedleChange:
    """A needle before and after replanning. What is None was not there. [mm]"""

    before_id: str | None
    after_id: str | None
    entry_moved_mm: float | None
    tip_moved_mm: float | None
    seeds_before: int
    seeds_after: int


@dataclass(frozen=True)
class Changes:
    """What replanning changed: needles, seeds on them, seeds that were in already, and what all give."""

    needles: tuple[NeedleChange, ...]
    seeds_before: int
    seeds_after: int
    given_seeds_before: int
    given_seeds_after: int
    d90_before_gy: float
    d90_after_gy: float
    v100_before_percent: float
    v100_after_percent: float
    sentences: tuple[str, ...]
