"""Records: the plan's data types, as they leave the planner. Frame P (LPS), mm, degrees where named.

Plan
|-- Outcome            planned, or why not, in a sentence
|-- SearchReport       what was searched and what that proves
|-- Path[m]            ranked; each with Crossing[k] and SeedDrop[s]
|-- Window[w]          connected regions of safe lines
|-- NeedleSet, DoseReport, Robustness   the implant, where a dose is prescribed (planner.implant_records)
|-- Blocker[b], NearestMiss, Relaxation     why nothing, or not more, fits
`-- Verification       every claim recomputed by another route
"""

from dataclasses import dataclass
from enum import StrEnum

from anatomy.structures import InputDigest
from planner.implant_records import DoseReport, NeedleSet, Robustness
from planner.request import Point, Request

SCHEMA = "seedpath.plan/2"

SOFTWARE = "seedpath 0.1.0"
"""Name and version as plans state them; a test holds the version to the distribution's."""

PLEURAL_GAP_MM = 5.0
"""Two runs through lung that lie closer than this along the axis are one pleural puncture: segmented lobes
leave gaps at fissures [U]."""

PLEURAL_RUN_MM = 2.0
"""Less lung than this in one place is no pleural puncture: it is what a segmentation does not resolve, an
island in the mediastinum or a clip of an edge [U]. It is lung all the same, and counts as length."""

LOBE_RUN_MM = 2.0
"""A lobe that holds less of the axis than this in one place makes no fissure: single voxels of one lobe in
another are less [U]."""

LUNG_ROUNDING_MM = 1e-6
"""Shorter stretches of lung are none, and lengths nearer to the three above than this are equal to them: it
is above the rounding of a walk from voxel to voxel, and far below what can be measured or driven."""

CLEARANCE_CAP_MM = 100.0
"""Clearance is reported up to here: beyond, no organ is near in any sense that matters [U]."""


class Status(StrEnum):
    """How planning ended."""

    PLANNED = "planned"
    NO_PATH = "no_path"
    GOALS_NOT_MET = "goals_not_met"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Outcome:
    """How planning ended, and a sentence a clinician can act on."""

    status: Status
    message: str


@dataclass(frozen=True)
class Crossing:
    """A structure that the needle's axis runs through, between two depths from the entry. [mm]"""

    structure: str
    from_mm: float
    to_mm: float


@dataclass(frozen=True)
class SeedDrop:
    """One seed: its centre, its axis (the needle's, entry to tip), the depth of its centre from the entry,
    and how far the needle was drawn back from the stop before (0.0 for the first)."""

    position_mm: Point
    axis: Point
    depth_mm: float
    retraction_mm: float


class Aim(StrEnum):
    """What a path's tip is at."""

    TARGET = "target"
    """The distal edge of the target, as paths are ranked."""
    PTV = "ptv"
    """The distal edge of the PTV, where a needle of the set begins to leave seeds."""
    GIVEN = "given"
    """Where a needle of the request has it."""


@dataclass(frozen=True)
class Path:
    """A straight needle path, from the skin to what it aims at.

    Ranked paths aim at the target; needles of the set that are none of these follow them, with ranks of their
    own order, and name no window.
    `direction` is the unit vector from entry to tip. `lung_length_mm` is aerated lung along the axis, the
    target's own voxels left out. `clearance_mm` is from the needle's wall to the nearest forbidden
    structure, which `nearest_structure` names; it is measured over the whole needle. `axial_angle_deg` and
    `craniocaudal_angle_deg` are as dialled: see planner.measure.
    """

    id: str
    rank: int
    window: str
    approach: str
    entry_mm: Point
    tip_mm: Point
    direction: Point
    length_mm: float
    lung_length_mm: float
    pleural_punctures: int
    fissures_crossed: int
    clearance_mm: float
    nearest_structure: str
    crosses: tuple[Crossing, ...]
    axial_angle_deg: float
    craniocaudal_angle_deg: float
    target_chord_mm: float
    aim: Aim
    pareto: bool
    seeds: tuple[SeedDrop, ...]


@dataclass(frozen=True)
class Window:
    """A connected region of safe lines, named as a radiologist would; its paths, and the skin area through
    which they enter. [mm2]"""

    id: str
    name: str
    path_ids: tuple[str, ...]
    area_mm2: float
    best_lung_length_mm: float


@dataclass(frozen=True)
class SearchReport:
    """What was searched. `covering_radius_mm` is the radius reached; `complete` says that every cell of the
    net at that radius was tested or proved blocked, which the two statements in `claims` rest on.
    `lung_bound_mm` is a true lower bound on the lung any safe path crosses; 0.0 says nothing.
    `least_lung_mm` is the least lung length of any safe line found, whatever the order of the paths; None
    where none was found."""

    lines_tested: int
    cells_proved_blocked: int
    safe_lines: int
    covering_radius_mm: float
    complete: bool
    lung_bound_mm: float
    least_lung_mm: float | None
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Blocker:
    """A structure (or limit) and the share of directions through the target that it blocks.

    Each direction counts once, for the first of these that it lacks: a run in the target that is long enough;
    room at table and bore; clearance of the needle, from the tip outward; an exit through skin in view,
    within the needle's length, that is the only one; clearance of the hub.
    """

    structure: str
    share: float


@dataclass(frozen=True)
class Relaxation:
    """A single change of the request that opens a path, as small as was found: `setting` is a JSON pointer
    into the request, from and to in mm. Entry and tip are the opened path's, `lung_length_mm` is what it
    crosses."""

    setting: str
    structure: str
    from_mm: float
    to_mm: float
    entry_mm: Point
    tip_mm: Point
    lung_length_mm: float


NEEDLE_LENGTH, TABLE, BORE, NARROW = "needle length", "table", "bore", "covering radius"
"""What a line may lack besides room beside a structure. NARROW: nothing, but displaced by the covering radius
it is safe no longer."""

SHORT_CHORD = "runs too short in the target"
VIEW_EDGE, SECOND_ENTRY = "edge of the field of view", "body (second entry)"
"""What else may block a direction."""

LIMITS = (SHORT_CHORD, NEEDLE_LENGTH, TABLE, BORE, VIEW_EDGE, SECOND_ENTRY)
RESERVED = ("default", SHORT_CHORD, NEEDLE_LENGTH, BORE, NARROW, VIEW_EDGE, SECOND_ENTRY)
"""Words that a structure's name must not be, or it would be taken for something else."""


@dataclass(frozen=True)
class NearestMiss:
    """The line, of those tried, that comes closest to being safe, and changes of the request that open a
    path, the smallest first. One that runs through a structure comes closest only where all do.

    `missing_mm` is the most that it lacks of anything, and `structure` what it lacks it of: of the clearance
    asked for from the wall of needle or hub, or of NEEDLE_LENGTH, TABLE or BORE. A needle that runs through a
    structure lacks the clearance and its own radius.
    """

    entry_mm: Point
    tip_mm: Point
    structure: str
    missing_mm: float
    relaxations: tuple[Relaxation, ...]


@dataclass(frozen=True)
class Check:
    """One claim, recomputed: passed only if |claimed - recomputed| <= tolerance (or as the name says).
    `subject` is the path, structure or input it is about."""

    name: str
    subject: str
    claimed: float | str
    recomputed: float | str
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Verification:
    """All claims, recomputed from the original data by another route. `not_recomputed` are JSON pointers to
    what only making the plan again can tell; "*" stands for every item."""

    passed: bool
    checks: tuple[Check, ...]
    not_recomputed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The whole answer. `request` has every default resolved; `roles` is every structure's role as used."""

    schema: str
    software: str
    frame: str
    inputs: tuple[InputDigest, ...]
    request: Request
    roles: tuple[tuple[str, str], ...]
    skin_source: str
    missing_structures: tuple[str, ...]
    notes: tuple[str, ...]
    outcome: Outcome
    search: SearchReport
    paths: tuple[Path, ...]
    windows: tuple[Window, ...]
    blocked_by: tuple[Blocker, ...]
    nearest_miss: NearestMiss | None
    needle_set: NeedleSet | None = None
    dose: DoseReport | None = None
    robustness: Robustness | None = None
    verification: Verification | None = None
