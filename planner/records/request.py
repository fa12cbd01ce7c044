"""The request: what is asked of a plan, in the field's terms, with every default and its source.

Values here are already checked for type; `checked` raises RequestError for numbers and combinations that
make no sense. Defaults that name no source are settings ([U] in the clinical notes): each can be changed
in the request and is written into the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from anatomy.patient.pose import Position
from planner.records.gauge import gauge_of
from planner.sources import source_named
from planner.sources.source import Source

Point = tuple[float, float, float]


@dataclass(frozen=True)
class TargetRequest:
    """What is treated. Several structures are treated as one target, their union.

    An empty `structures` means: the structures whose role is target.
    """

    structures: tuple[str, ...] = ()
    margin_mm: float = 5.0
    """PTV = GTV + 5 mm (Dong 2021, 10.1111/1759-7714.13932)."""
    min_chord_mm: float | None = None
    """How far the needle runs in the target at least: a track that grazes it misses it at the first error of
    the hand. None: a seed's length, or half the target's shortest side where that is less [U]."""
    cut_back: tuple[str, ...] = ()
    """Structures that the PTV leaves out: the margin does not reach into them."""


@dataclass(frozen=True)
class Needle:
    """The coaxial needle: 18 G (Dong 2021, 10.1111/1759-7714.13932), 1.27 mm outside.

    `max_length_mm` runs from the tip to the hub. The needle is that long: what stays outside the body
    must be clear of the body, table, cushion and bore as well.
    """

    outer_diameter_mm: float = 1.27
    max_length_mm: float = 200.0

    @property
    def gauge(self) -> str | None:
        """Its gauge, by the outer diameter; None where there is none."""
        return gauge_of(self.outer_diameter_mm)

    @property
    def radius_mm(self) -> float:
        """Half the outer diameter."""
        return self.outer_diameter_mm / 2


@dataclass(frozen=True)
class PoseRequest:
    """How the patient lies. `table` names a structure, or "derive": a half space under the body.

    Hub and guide are a cylinder of `hub_length_mm` by `hub_diameter_mm` beyond the needle's length, at least
    as thick as the needle. Of length 0.0, there is none.
    """

    position: Position = Position.SUPINE
    rotation_deg: float = 0.0
    table: str = "derive"
    bore_diameter_mm: float = 700.0
    hub_length_mm: float = 30.0
    hub_diameter_mm: float = 8.0

    def hub_radius_mm(self, needle: Needle) -> float:
        """Half the hub's diameter; the needle's radius where there is no hub, or a thinner one."""
        hub = self.hub_diameter_mm / 2 if self.hub_length_mm > 0.0 else 0.0
        return max(hub, needle.radius_mm)


@dataclass(frozen=True)
class SearchRequest:
    """How finely to search and how much to return.

    `covering_radius_mm`: every line through the target lies within this of a tested line between tip and
    skin, or was shown not to be safe. `min_separation_mm`: two returned paths of one window differ at least
    this much at entry or tip.
    """

    max_paths: int = 10
    covering_radius_mm: float = 2.0
    time_limit_s: float | None = None
    min_separation_mm: float = 10.0
    field_resolution_mm: float = 1.0


@dataclass(frozen=True)
class SeedRequest:
    """Seeds, and how they may stand along a track: 0.6 mCi (Dong 2021, 10.1111/1759-7714.13932); spacing 0.5
    to 1.0 cm centre to centre (10.21037/jtd JTD 2020;12:5996).

    `activity_mci` is apparent activity on `calibration_date`; it decays until `implant_date`. Without the two
    dates it is that of the implant.
    """

    model: str = "amersham_6711"
    activity_mci: float = 0.6
    spacing_mm: float = 10.0
    min_spacing_mm: float = 5.0
    calibration_date: date | None = None
    implant_date: date | None = None

    @property
    def source(self) -> Source:
        """The source of this model. Raises RequestError for a model that is not known."""
        return source_named(self.model)

    @property
    def decay_days(self) -> float:
        """Days from calibration to implant, 0.0 where the dates are not given."""
        if self.calibration_date is None or self.implant_date is None:
            return 0.0
        return float((self.implant_date - self.calibration_date).days)


class Arrangement(StrEnum):
    """How the needles of a set stand to each other."""

    FREE = "free"
    """Each at its own angle."""
    PARALLEL = "parallel"
    """One bundle, on the holes of a coplanar template."""


@dataclass(frozen=True)
class GivenNeedle:
    """A needle that is to be kept: where it enters, and where its tip is. [mm, P]"""

    entry_mm: Point
    tip_mm: Point


@dataclass(frozen=True)
class GivenSeed:
    """A seed that is to be kept, or is in already. [mm, P] Without an axis its dose is that of the 1D
    formalism."""

    position_mm: Point
    axis: Point | None = None


@dataclass(frozen=True)
class NeedleSetRequest:
    """The needles together. All lengths in mm.

    `clearance_mm` is the free distance between the shafts' walls. `grid_pitch_mm` is the distance of a
    template's holes, for a parallel bundle. `puncture_cost_mm` is how many mm of lung a pleural puncture
    counts as. What is given is kept, and the rest is planned around it.
    """

    arrangement: Arrangement = Arrangement.FREE
    grid_pitch_mm: float = 5.0
    clearance_mm: float = 1.0
    puncture_cost_mm: float = 10.0
    max_needles: int = 60
    given_needles: tuple[GivenNeedle, ...] = ()
    given_seeds: tuple[GivenSeed, ...] = ()


@dataclass(frozen=True)
class Goals:
    """What the dose in the PTV is to reach: D90 and V100 at least, V150 and V200 at most.

    `d90_gy` None: the prescribed dose. Ranges in use: V100 >= 90 to 95 %, V150 <= 50 to 70 %, V200 < 50 %
    (inferred from Wang 2022, 10.5114/jcb.2022.113548, and others; no guideline).
    """

    d90_gy: float | None = None
    v100_percent: float = 95.0
    v150_percent: float = 70.0
    v200_percent: float = 50.0


@dataclass(frozen=True)
class OrganGoal:
    """The most dose that the hottest part of an organ may get. [Gy] None: no limit."""

    d0_1cc_gy: float | None = None
    d1cc_gy: float | None = None
    d2cc_gy: float | None = None


@dataclass(frozen=True)
class PriorExternal:
    """External beam therapy given before: total dose, number of fractions, and the days since. The interval
    is stated and not counted as recovery."""

    dose_gy: float
    fractions: int
    interval_days: float | None = None


@dataclass(frozen=True)
class BedRequest:
    """What biologically effective dose is reckoned with: alpha/beta 10 Gy acute, 3 Gy late (Dong 2021,
    10.1111/1759-7714.13932); half-time of repair [U]; the protocols whose organ limits are compared."""

    alpha_beta_target_gy: float = 10.0
    alpha_beta_organ_gy: float = 3.0
    repair_half_time_h: float = 1.5
    protocols: tuple[str, ...] = ("RTOG_0813_5fx",)


@dataclass(frozen=True)
class Prescription:
    """The dose prescribed to the PTV's edge, and what the plan is to keep. 110 to 160 Gy, median 130 (Dong
    2021, 10.1111/1759-7714.13932); 120 Gy is a setting in that range [U]."""

    dose_gy: float = 120.0
    goals: Goals = Goals()
    organ_goals: Mapping[str, OrganGoal] = field(default_factory=lambda: MappingProxyType({}))
    prior_external: PriorExternal | None = None
    bed: BedRequest = BedRequest()

    @property
    def d90_goal_gy(self) -> float:
        """What D90 is to reach: the prescribed dose where nothing else is asked for."""
        return self.dose_gy if self.goals.d90_gy is None else self.goals.d90_gy


class Placement(StrEnum):
    """By what means needles are placed, which says how far they go wrong."""

    TEMPLATE = "template"
    ROBOT = "robot"
    ELECTROMAGNETIC = "electromagnetic"


@dataclass(frozen=True)
class RobustnessRequest:
    """How placement errors are sampled. No samples: robustness is not looked at."""

    placement: Placement = Placement.TEMPLATE
    samples: int = 200


LONGEST_NEEDLE_MM = 300.0
"""The longest needle thought of where the one asked for does not reach [U]."""

NEEDLE_LENGTH_POINTER = "/needle/max_length_mm"
"""JSON pointer (RFC 6901) to the needle's length in a request."""


def clearance_pointer(structure: str) -> str:
    """JSON pointer (RFC 6901) to a structure's clearance in a request."""
    return "/clearance_mm/" + structure.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True)
class NeedleAssembly:
    """What is driven into the patient: a needle, and the hub or guide at its outer end. [mm]"""

    length_mm: float
    radius_mm: float
    hub_length_mm: float
    hub_radius_mm: float


@dataclass(frozen=True)
class Clearances:
    """The free distance that each structure needs. `by_structure` counts from the needle's wall; its entry
    "default" applies to all other structures. [mm]"""

    by_structure: Mapping[str, float]
    needle_radius_mm: float

    def of(self, structure: str) -> float:
        """Free distance from the needle's wall that this structure needs. [mm]"""
        return self.by_structure.get(structure, self.by_structure.get("default", 2.0))

    def need_mm(self, structure: str) -> float:
        """Free distance from the needle's axis that this structure needs. [mm]"""
        return self.needle_radius_mm + self.of(structure)


@dataclass(frozen=True)
class PathOrder:
    """How paths are ordered: by `scores`, the first deciding; or by the weighted sum in `weights`, if there
    are weights."""

    scores: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


DEFAULT_RANKING = (
    "lung_length_mm",
    "pleural_punctures",
    "fissures_crossed",
    "clearance_mm",
    "length_mm",
)


@dataclass(frozen=True)
class Request:
    """Everything a plan depends on besides the scene.

    `clearance_mm` maps structure names to the free distance from the needle's wall; "default" holds for
    all others. `roles` overrides the roles that names imply. `ranking` names scores in falling order of
    weight; where `weights` is not empty, their weighted sum orders instead. Without a `prescription` paths
    alone are planned: no needle set, no dose.
    """

    target: TargetRequest = TargetRequest()
    needle: Needle = Needle()
    clearance_mm: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"default": 2.0}))
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pose: PoseRequest = PoseRequest()
    search: SearchRequest = SearchRequest()
    ranking: tuple[str, ...] = DEFAULT_RANKING
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    seeds: SeedRequest = SeedRequest()
    needle_set: NeedleSetRequest = NeedleSetRequest()
    prescription: Prescription | None = None
    robustness: RobustnessRequest = RobustnessRequest()
    random_seed: int = 0

    def clearance_of(self, structure: str) -> float:
        """Free distance from the needle's wall that this structure needs. [mm]"""
        return self.clearances.of(structure)

    @property
    def clearances(self) -> Clearances:
        """The free distance that each structure needs."""
        return Clearances(self.clearance_mm, self.needle.radius_mm)

    @property
    def needle_assembly(self) -> NeedleAssembly:
        """The needle with its hub."""
        return NeedleAssembly(
            self.needle.max_length_mm, self.needle.radius_mm, self.pose.hub_length_mm, self.hub_radius_mm
        )

    @property
    def path_order(self) -> PathOrder:
        """How paths are ordered."""
        return PathOrder(self.ranking, self.weights)

    @property
    def hub_radius_mm(self) -> float:
        """Radius of the hub, at least that of the needle."""
        return self.pose.hub_radius_mm(self.needle)

    def need_mm(self, structure: str) -> float:
        """Free distance from the needle's axis: its radius and the clearance. [mm]"""
        return self.clearances.need_mm(structure)
