"""Appraisals: what is said of a needle that somebody holds to the patient."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.paths import Aim, Crossing
from planner.records.request.point import Point


class Lack(StrEnum):
    """What keeps a needle from being safe as asked: its way to the skin, its way in what it aims at, a tip
    that goes on beyond that, or free space around needle, hub and bore."""

    SKIN = "skin"
    TARGET = "target"
    TIP = "tip"
    NEEDLE = "needle"
    HUB = "hub"
    BORE = "bore"


@dataclass(frozen=True)
class NearbyStructure:
    """A structure near the needle: from the needle's wall to it, negative inside, and what it needs. [mm]"""

    structure: str
    clearance_mm: float
    needed_mm: float


class SkinLack(StrEnum):
    """Why the line from a tip does not reach the skin."""

    NEEDLE_LENGTH = "needle_length"
    FIELD_OF_VIEW = "field_of_view"
    SECOND_ENTRY = "second_entry"
    TIP_OUTSIDE = "tip_outside"


@dataclass(frozen=True)
class Reason:
    """What a needle lacks: its way to the skin, its way in the target or PTV, a tip that goes no farther than
    that, or free space beside a `structure`; how much there is and how much is needed [mm], and why it does
    not reach the skin. A tip that goes too far has only how far. `detail` says so."""

    lack: Lack
    structure: str | None
    found_mm: float | None
    needed_mm: float | None
    skin: SkinLack | None
    detail: str


@dataclass(frozen=True)
class Appraisal:
    """One needle, with the fields of a plan's path and a verdict. The tip is as given, the entry where the
    line leaves the skin; where it does not, what depends on it is null, and `crosses` counts from the entry
    given.

    `safe` is by its `aim`: what verification asks of a plan's path with that aim, but that a tip may end
    before the far edge. Nothing is asked of the tip of a needle with the aim "given", while skin, clearance,
    table and bore are asked as of others. Not verified by a second route, as plans are."""

    aim: Aim
    entry_mm: Point | None
    tip_mm: Point
    direction: Point
    length_mm: float | None
    lung_length_mm: float | None
    pleural_punctures: int | None
    fissures_crossed: int | None
    clearance_mm: float
    nearest_structure: str
    crosses: tuple[Crossing, ...]
    axial_angle_deg: float
    craniocaudal_angle_deg: float
    target_chord_mm: float
    clearances: tuple[NearbyStructure, ...]
    safe: bool
    reasons: tuple[Reason, ...]
