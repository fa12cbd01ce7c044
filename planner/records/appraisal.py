"""Appraisals: what is said of a needle that somebody holds to the patient."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.paths import Aim, Crossing
from planner.records.request import Point


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
    """A structure near the needle: from the needle's wall to it, and what it needs. [mm]"""

    structure: str
    clearance_mm: float
    needed_mm: float


@dataclass(frozen=True)
class Reason:
    """One lack, and beside which structure where it is one of free space."""

    lack: Lack
    structure: str | None
    detail: str


@dataclass(frozen=True)
class Appraisal:
    """One needle. What depends on the skin is None where the line from the tip does not reach it; `crosses`
    then counts from the entry as it was given. Otherwise fields are as in records.Path.

    `safe` is by its aim: what verification asks of a plan's path with that aim, but that a tip may end before
    the far edge. Nothing is asked of the tip of a given needle; skin, clearance, table and
    bore are asked of it as of others."""

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
