"""Appraisals: the immediate judgement of needles that a user positions by hand."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.paths import Aim, Crossing
from planner.records.request.point import Point


class Lack(StrEnum):
    """What keeps a needle from being safe as requested: the way to the skin, the length in what it aims at, a
    tip beyond that, or free space around needle, hub and bore."""

    SKIN = "skin"
    TARGET = "target"
    TIP = "tip"
    NEEDLE = "needle"
    HUB = "hub"
    BORE = "bore"


@dataclass(frozen=True)
class NearbyStructure:
    """A structure near the needle: its distance from the needle's wall, negative inside, and the distance
    needed. [mm]"""

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
    """What a needle lacks: a way to the skin, length in the target or PTV, a tip that is not too far, or free
    space beside a `structure`. `found_mm` and `needed_mm` are the value and the least value needed [mm];
    `skin` is why it does not reach the skin. A tip that is too far has only `found_mm`. `detail` is the
    sentence."""

    lack: Lack
    structure: str | None
    found_mm: float | None
    needed_mm: float | None
    skin: SkinLack | None
    detail: str


@dataclass(frozen=True)
class Appraisal:
    """One needle, with the fields of a plan's path and a verdict. The tip is as given, and the entry is where
    the line leaves the skin. If it does not reach the skin, fields that depend on the skin are null, and the
    depths of `crosses` start at the entry given.

    `safe` depends on `aim`: it has the conditions that verification has for a plan's path with this aim,
    except that the tip may end before the far edge. The tip of a needle with the aim "given" has no
    condition; skin, clearance, table and bore apply to it as to others. An appraisal is not verified by a
    second method, as plans are.
    """

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
