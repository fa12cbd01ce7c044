"""What is given: needles and seeds that are to be kept, or are in already."""

from dataclasses import dataclass

from planner.records.request.point import Point


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
