"""Implant plan schema: the plan's needle set, its dose and its robustness as strict models of JSON.

Frame P (LPS), mm, Gy. `planner.records.dose` says what each quantity means.
"""

from planner.records.organ_limits import Doubt, LimitKind
from service.schemas.json.strict import Strict
from service.schemas.plan.fields import Count, Gy, Length, Percent, PointMm, Share


class PlacedSeedModel(Strict):
    """A seed of the set; one that was given has no path, depth or retraction."""

    path_id: str | None
    position_mm: PointMm
    axis: PointMm | None
    depth_mm: float | None
    retraction_mm: float | None


class TooNearModel(Strict):
    """A given needle, and the structure or the other given needle that it lies too near to."""

    path_id: str
    structure: str | None
    other_path_id: str | None
    parts: str
    clearance_mm: float
    asked_mm: float


class NeedleSetModel(Strict):
    """Needles that together cover the PTV, their seeds, and what no other set can beat."""

    arrangement: str
    path_ids: tuple[str, ...]
    order: tuple[str, ...]
    conflicts_checked: Count
    tracks_considered: Count
    cover_radius_mm: Length
    reachable_percent: Percent
    lung_length_mm: Length
    pleural_punctures: Count
    objective: Length
    bound: float
    gap: float
    seeds: tuple[PlacedSeedModel, ...]
    seeds_bound: Count | None
    seeds_gap: float | None
    v100_reachable: bool
    time_ended: bool
    given_too_near: tuple[TooNearModel, ...]
    given_seed_pairs_near: Count
    claims: tuple[str, ...]


class VolumeDoseModel(Strict):
    """Dose in a volume to treat."""

    volume_cc: Length
    d90_gy: Gy
    d100_gy: Gy
    v100_percent: Percent
    v150_percent: Percent
    v200_percent: Percent


class TargetDoseModel(Strict):
    """Dose in the PTV, with its indices of conformity and homogeneity."""

    volume_cc: Length
    d90_gy: Gy
    d100_gy: Gy
    v100_percent: Percent
    v150_percent: Percent
    v200_percent: Percent
    ci: float
    ei: float
    hi: float | None


class OrganDoseModel(Strict):
    """The least dose in an organ's hottest parts; null where the organ is smaller."""

    structure: str
    volume_cc: Length
    d0_1cc_gy: Gy | None
    d1cc_gy: Gy | None
    d2cc_gy: Gy | None


class DvhCurveModel(Strict):
    """A cumulative dose-volume histogram."""

    structure: str
    dose_gy: tuple[Gy, ...]
    volume_percent: tuple[Percent, ...]


class GoalResultModel(Strict):
    """A goal, and what was reached."""

    structure: str
    name: str
    at_least: bool
    wanted: float
    reached: float
    met: bool


class PointDoseModel(Strict):
    """The dose at a named point."""

    name: str
    position_mm: PointMm
    dose_gy: Gy


class LimitComparisonModel(Strict):
    """A protocol's organ limit beside what the plan gives; met false: exceeded, whatever the doubts; null:
    neither can be said."""

    protocol: str
    organ: str
    structure: str
    limit: str
    kind: LimitKind
    volume_cc: Length | None
    limit_bed_gy: Gy | None
    achieved_bed_gy: Gy | None
    achieved_cc: Length | None
    organ_cc: Length | None
    met: bool | None
    doubts: tuple[Doubt, ...]
    lacking: str
    reason: str


class BedReportModel(Strict):
    """Biologically effective dose, with what external beams gave before."""

    external_target_gy: Gy
    external_organ_gy: Gy
    target_d90_gy: Gy
    target_d90_eqd2_gy: Gy
    limits: tuple[LimitComparisonModel, ...]


class DoseReportModel(Strict):
    """The dose of a plan."""

    medium: str
    source: str
    air_kerma_strength_u: Length
    prescribed_gy: Gy
    target: TargetDoseModel
    gtv: VolumeDoseModel
    organs: tuple[OrganDoseModel, ...]
    dvh: tuple[DvhCurveModel, ...]
    goals: tuple[GoalResultModel, ...]
    points: tuple[PointDoseModel, ...]
    bed: BedReportModel


class TouchModel(Strict):
    """How likely a needle that goes wrong touches a structure."""

    structure: str
    chance: Share


class NeedleRiskModel(Strict):
    """One needle under errors of placement."""

    path_id: str
    tolerance_deg: Length
    touches: tuple[TouchModel, ...]


class SpreadModel(Strict):
    """5th, 50th and 95th percentile."""

    p5: float
    p50: float
    p95: float


class RobustnessModel(Strict):
    """What errors of placement do to needles and dose."""

    placement: str
    samples: Count
    dose_samples: Count
    needles: tuple[NeedleRiskModel, ...]
    d90_gy: SpreadModel
    v100_percent: SpreadModel
    goals_met_share: Share
