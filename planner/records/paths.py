"""Paths: what is recorded of each, and the lengths that tell lung, pleura and clearance apart."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import Count, NonNegative
from planner.records.request.point import Point

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
class PathMeasurements:
    """What is measured of a straight needle, from the skin to its tip; `Path` says what each number is."""

    entry_mm: Point
    tip_mm: Point
    direction: Point
    length_mm: NonNegative
    lung_length_mm: NonNegative
    pleural_punctures: Count
    fissures_crossed: Count
    clearance_mm: float
    nearest_structure: str
    crosses: tuple[Crossing, ...]
    axial_angle_deg: float
    craniocaudal_angle_deg: float
    target_chord_mm: NonNegative


@dataclass(frozen=True)
class PathIdentity:
    """Which path of a plan it is: its id and rank, its window, and from where it enters."""

    id: str
    rank: Count
    window: str
    approach: str


@dataclass(frozen=True)
class Path(PathMeasurements, PathIdentity):
    """A straight needle path, from the skin to what it aims at.

    Ranked paths aim at the target; needles of the set that are none of these follow them, with ranks of their
    own order, and name no window.
    `direction` is the unit vector from entry to tip. `lung_length_mm` is aerated lung along the axis, the
    target's own voxels left out. `clearance_mm` is from the needle's wall to the nearest forbidden
    structure, which `nearest_structure` names; it is measured over the whole needle. `axial_angle_deg` and
    `craniocaudal_angle_deg` are as dialled: see planner.measuring.measure.
    """

    # Fields of a dataclass begin with those of its last base: identity, measurements, then these.
    aim: Aim
    pareto: bool
    seeds: tuple[SeedDrop, ...]


@dataclass(frozen=True)
class WindowPlace:
    """Where a window enters: the approach, one of those in planner.paths.approach_names; the patient's side,
    None for approaches in the midline; the numbers of the ribs next above and below, where they tell an
    intercostal space (with one of them, there is no rib on the other side); the sector of the chest wall
    between ribs."""

    approach: str
    side: str | None
    rib_above: Count | None
    rib_below: Count | None
    sector: str | None


@dataclass(frozen=True)
class Window:
    """A connected region of safe lines at a `place`, from which it has its name, as a radiologist would give
    it; its paths, and the skin area through which they enter. [mm2]"""

    id: str
    name: str
    place: WindowPlace
    path_ids: tuple[str, ...]
    area_mm2: NonNegative
    best_lung_length_mm: NonNegative
