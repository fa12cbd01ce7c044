"""The search: what it proves, what blocks, the nearest miss, and what would open a path."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from planner.records.bounds import Count, NonNegative, Share
from planner.records.request.point import Point

DEFAULT, TABLE = "default", "table"
"""Keys of a request's clearances that are not structures: the default for all others, and the derived
table."""


class Proof(StrEnum):
    """What a search proves about all paths through the target."""

    NOTHING = "nothing"
    """It ended early: paths may have been missed."""
    NONE_IS_SAFE = "none_is_safe"
    """Every cell of the net was proved blocked with all its lines."""
    NONE_STAYS_SAFE = "none_stays_safe"
    """No path stays safe under all displacements up to the covering radius."""
    SAFE_LINE_NEAR_EACH = "safe_line_near_each"
    """Every path that stays safe under them has a safe tested line within that distance."""


@dataclass(frozen=True)
class SearchReport:
    """What was searched. `covering_radius_mm` is the radius reached. `complete`: every cell of the net at
    that radius was tested or proved blocked; `proves` depends on it. `lung_bound_mm` is a true lower bound on
    the lung that any safe path crosses; 0.0 says nothing. `least_lung_mm` is the least lung length of all
    safe lines found, independent of the order of the paths; None if none was found. Lines are tested against
    voxels, which extend beyond surfaces by at most `surface_slack_mm`; 0.0 if no structure was given as a
    surface. `claims` says in words what is proved."""

    lines_tested: Count
    cells_proved_blocked: Count
    safe_lines: Count
    covering_radius_mm: NonNegative
    complete: bool
    lung_bound_mm: NonNegative
    least_lung_mm: NonNegative | None
    surface_slack_mm: NonNegative
    proves: Proof
    claims: tuple[str, ...]


class Constraint(StrEnum):
    """A constraint that safe lines keep."""

    CLEARANCE = "clearance"
    """The requested free distance from a structure, for needle and hub."""
    MIN_CHORD = "min_chord"
    """A chord in the target as long as requested."""
    NEEDLE_LENGTH = "needle_length"
    """An entry within the needle's length from the tip."""
    TABLE = "table"
    """The requested free distance from a derived table."""
    BORE = "bore"
    """A hub inside the gantry's opening."""
    FIELD_OF_VIEW = "field_of_view"
    """An entry through skin that is in view."""
    SECOND_ENTRY = "second_entry"
    """Only one entry into the body."""
    COVERING_RADIUS = "covering_radius"
    """Safety under displacements up to the covering radius: the line itself keeps all other constraints."""


CONSTRAINT_NAMES = MappingProxyType(
    {
        Constraint.MIN_CHORD: "runs too short in the target",
        Constraint.NEEDLE_LENGTH: "needle length",
        Constraint.TABLE: TABLE,
        Constraint.BORE: "bore",
        Constraint.FIELD_OF_VIEW: "edge of the field of view",
        Constraint.SECOND_ENTRY: "body (second entry)",
        Constraint.COVERING_RADIUS: "covering radius",
    }
)
"""Text used in place of a structure's name if a constraint is not about a structure. It is for people; code
reads the constraint."""

RESERVED = (DEFAULT, *(name for name in CONSTRAINT_NAMES.values() if name != TABLE))
"""Words that are not allowed as names of structures, because readers would misunderstand them."""


@dataclass(frozen=True)
class Blocker:
    """A constraint and the share of directions through the target that it blocks. `structure` is the
    structure whose clearance is not kept; for other constraints, their name in CONSTRAINT_NAMES.

    Each direction counts once, for the first of these that it lacks: a long enough chord in the target; room
    at table and bore; clearance of the needle, from the tip outwards; a single exit through skin in view,
    within the needle's length; clearance of the hub.
    """

    constraint: Constraint
    structure: str
    share: Share


@dataclass(frozen=True)
class Relaxation:
    """A single change of the request that opens a path, the smallest that was found.

    `constraint` is CLEARANCE or NEEDLE_LENGTH; `setting` is a JSON pointer into the request; `from_mm` and
    `to_mm` are its values. `structure` is the key of a clearance: a structure, DEFAULT or TABLE; for the
    needle's length, its name in CONSTRAINT_NAMES. Entry and tip are those of the opened path, and
    `lung_length_mm` is the lung that it crosses.
    """

    constraint: Constraint
    setting: str
    structure: str
    from_mm: float
    to_mm: float
    entry_mm: Point
    tip_mm: Point
    lung_length_mm: NonNegative


@dataclass(frozen=True)
class NearestMiss:
    """The tested line that is closest to being safe, and changes of the request that open a path, the
    smallest first. A line through a structure is chosen only if all lines run through one.

    `missing_mm` is the most that the line lacks of any constraint, and `constraint` is that one: CLEARANCE,
    from the wall of needle or hub to `structure`, or NEEDLE_LENGTH, TABLE or BORE; COVERING_RADIUS if it
    lacks nothing. A needle that runs through a structure lacks the clearance and its own radius. For
    constraints other than CLEARANCE, `structure` is the constraint's name in CONSTRAINT_NAMES.
    """

    entry_mm: Point
    tip_mm: Point
    constraint: Constraint
    structure: str
    missing_mm: float
    relaxations: tuple[Relaxation, ...]
