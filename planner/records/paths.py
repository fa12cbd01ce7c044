"""Paths: the record of a path, and the lengths that define lung, pleural punctures and clearance."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import Count, NonNegative
from planner.records.request.point import Point

PLEURAL_GAP_MM = 5.0
"""Two runs through lung closer than this along the axis are one pleural puncture: segmented lobes leave gaps
at fissures [U]."""


PLEURAL_RUN_MM = 2.0
"""Less lung than this in one place is not a pleural puncture: a segmentation does not resolve it, or it is an
island in the mediastinum, or the axis only touches an edge [U]. It still counts as lung length."""


LOBE_RUN_MM = 2.0
"""A lobe with less of the axis than this in one place makes no fissure: single voxels of one lobe in another
are shorter [U]."""


LUNG_ROUNDING_MM = 1e-6
"""Shorter stretches of lung do not count, and a length closer than this to one of the three above is equal to
it. The value is above the rounding of a walk from voxel to voxel, and far below what can be measured."""


CLEARANCE_CAP_MM = 100.0
"""Clearance is reported up to this value: a farther organ has no influence [U]."""


@dataclass(frozen=True)
class Crossing:
    """A structure that the needle's axis runs through, between two depths from the entry. [mm]"""

    structure: str
    from_mm: float
    to_mm: float


@dataclass(frozen=True)
class SeedDrop:
    """One seed: its centre, its axis (that of the needle, entry to tip), the depth of its centre from the
    entry, and how far the needle is drawn back from the previous stop (0.0 for the first)."""

    position_mm: Point
    axis: Point
    depth_mm: float
    retraction_mm: float


class Aim(StrEnum):
    """What the tip of a path aims at."""

    TARGET = "target"
    """The distal edge of the target, as paths are ranked."""
    PTV = "ptv"
    """The distal edge of the PTV, where a needle of the set drops its first seed."""
    GIVEN = "given"
    """The tip of a needle that the request gives."""


@dataclass(frozen=True)
class PathMeasurements:
    """What is measured of a straight needle, from the skin to its tip; `Path` describes each number."""

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
    """Which path of a plan it is: its id and rank, its window, and the approach from which it enters."""

    id: str
    rank: Count
    window: str
    approach: str


@dataclass(frozen=True)
class Path(PathMeasurements, PathIdentity):
    """A straight needle path, from the skin to what it aims at.

    Ranked paths aim at the target. Needles of the set that are not ranked paths follow them, with ranks of
    their own, and name no window. `direction` is the unit vector from entry to tip. `lung_length_mm` is
    aerated lung along the axis, without the target's own voxels. `clearance_mm` is the distance from the
    needle's wall to the nearest forbidden structure, `nearest_structure`, over the whole needle.
    `axial_angle_deg` and `craniocaudal_angle_deg` are defined in planner.measuring.measure.
    """

    # Fields of a dataclass begin with those of its last base: identity, measurements, then these.
    aim: Aim
    pareto: bool
    seeds: tuple[SeedDrop, ...]


@dataclass(frozen=True)
class WindowPlace:
    """The place of a window: the approach, one of those in planner.paths.approach_names; the patient's side,
    None for approaches in the midline; the numbers of the next ribs above and below, if they define an
    intercostal space (if one is None, there is no rib on that side); the sector of the chest wall between
    ribs."""

    approach: str
    side: str | None
    rib_above: Count | None
    rib_below: Count | None
    sector: str | None


@dataclass(frozen=True)
class Window:
    """A connected region of safe lines at a `place`, which gives its name as a radiologist would say it; its
    paths, and the skin area through which they enter. [mm2]"""

    id: str
    name: str
    place: WindowPlace
    path_ids: tuple[str, ...]
    area_mm2: NonNegative
    best_lung_length_mm: NonNegative
