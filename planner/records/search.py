"""The search: what it proves, what blocks, the nearest miss, and what would open a path."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from planner.records.bounds import Count, NonNegative, Share
from planner.records.request.point import Point

DEFAULT, TABLE = "default", "table"
"""Keys of a request's clearances that name no structure: of all that have none of their own, and of a table
that is derived."""


class Proof(StrEnum):
    """What a search proves of all paths through the target."""

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
    """What was searched. `covering_radius_mm` is the radius reached; `complete` says that every cell of the
    net at that radius was tested or proved blocked, which what it `proves` rests on. `lung_bound_mm` is a
    true lower bound on the lung any safe path crosses; 0.0 says nothing. `least_lung_mm` is the least lung
    length of any safe line found, whatever the order of the paths; None where none was found. Lines are
    tested against voxels, which reach beyond surfaces by `surface_slack_mm` at most; 0.0 where no structure
    came as a surface. `claims` says what is proved."""

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
    """What a safe line keeps, and another line may lack."""

    CLEARANCE = "clearance"
    """The free distance asked for from a structure, for needle and hub."""
    MIN_CHORD = "min_chord"
    """A run in the target as long as asked for."""
    NEEDLE_LENGTH = "needle_length"
    """An entry within the needle's length."""
    TABLE = "table"
    """The free distance asked for from a derived table."""
    BORE = "bore"
    """A hub inside the gantry's opening."""
    FIELD_OF_VIEW = "field_of_view"
    """An entry through skin that is in view."""
    SECOND_ENTRY = "second_entry"
    """One entry into the body only."""
    COVERING_RADIUS = "covering_radius"
    """Safety under displacements up to the covering radius: the line itself lacks nothing."""


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
"""What stands in place of a structure's name where a constraint is about none. For people: code reads the
constraint."""

RESERVED = (DEFAULT, *(name for name in CONSTRAINT_NAMES.values() if name != TABLE))
"""Words that a structure's name must not be, or readers would take it for something else."""


@dataclass(frozen=True)
class Blocker:
    """A constraint and the share of directions through the target that it blocks. `structure` is the one
    whose clearance is not kept; for other constraints, their name in CONSTRAINT_NAMES.

    Each direction counts once, for the first of these that it lacks: a run in the target that is long enough;
    room at table and bore; clearance of the needle, from the tip outward; an exit through skin in view,
    within the needle's length, that is the only one; clearance of the hub.
    """

    constraint: Constraint
    structure: str
    share: Share


@dataclass(frozen=True)
class Relaxation:
    """A single change of the request that opens a path, as small as was found.

    `constraint` is CLEARANCE or NEEDLE_LENGTH; `setting` is a JSON pointer into the request, from and to in
    mm. `structure` is the key of a clearance: a structure, DEFAULT or TABLE; for the needle's length, its
    name in CONSTRAINT_NAMES. Entry and tip are the opened path's, `lung_length_mm` is what it crosses.
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
    """The line, of those tried, that comes closest to being safe, and changes of the request that open a
    path, the smallest first. One that runs through a structure comes closest only where all do.

    `missing_mm` is the most that it lacks of any constraint, and `constraint` the one that it lacks it of:
    CLEARANCE, from the wall of needle or hub to `structure`, or NEEDLE_LENGTH, TABLE or BORE; COVERING_RADIUS
    where it lacks nothing. A needle that runs through a structure lacks the clearance and its own radius.
    `structure` is otherwise the constraint's name in CONSTRAINT_NAMES.
    """

    entry_mm: Point
    tip_mm: Point
    constraint: Constraint
    structure: str
    missing_mm: float
    relaxations: tuple[Relaxation, ...]
