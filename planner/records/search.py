"""The search: what it proves, what blocks, the nearest miss, and what would open a path."""

from dataclasses import dataclass

from planner.records.bounds import Count, NonNegative, Share
from planner.records.request import Point


@dataclass(frozen=True)
class SearchReport:
    """What was searched. `covering_radius_mm` is the radius reached; `complete` says that every cell of the
    net at that radius was tested or proved blocked, which the two statements in `claims` rest on.
    `lung_bound_mm` is a true lower bound on the lung any safe path crosses; 0.0 says nothing.
    `least_lung_mm` is the least lung length of any safe line found, whatever the order of the paths; None
    where none was found."""

    lines_tested: Count
    cells_proved_blocked: Count
    safe_lines: Count
    covering_radius_mm: NonNegative
    complete: bool
    lung_bound_mm: NonNegative
    least_lung_mm: NonNegative | None
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Blocker:
    """A structure (or limit) and the share of directions through the target that it blocks.

    Each direction counts once, for the first of these that it lacks: a run in the target that is long enough;
    room at table and bore; clearance of the needle, from the tip outward; an exit through skin in view,
    within the needle's length, that is the only one; clearance of the hub.
    """

    structure: str
    share: Share


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
    lung_length_mm: NonNegative


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
