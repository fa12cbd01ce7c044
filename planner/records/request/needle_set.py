"""The needle set: how needles stand to each other, and what of them is given."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.request.given import GivenNeedle, GivenSeed


class Arrangement(StrEnum):
    """How the needles of a set stand to each other."""

    FREE = "free"
    """Each at its own angle."""
    PARALLEL = "parallel"
    """One bundle, on the holes of a coplanar template."""


@dataclass(frozen=True)
class NeedleSetRequest:
    """The needles together. All lengths in mm.

    `clearance_mm` is the free distance between the shafts' walls. `grid_pitch_mm` is the distance of a
    template's holes, for a parallel bundle. `puncture_cost_mm` is how many mm of lung a pleural puncture
    counts as. What is given is kept, and the rest is planned around it.
    """

    arrangement: Arrangement = Arrangement.FREE
    grid_pitch_mm: float = 5.0
    clearance_mm: float = 1.0
    puncture_cost_mm: float = 10.0
    max_needles: int = 60
    given_needles: tuple[GivenNeedle, ...] = ()
    given_seeds: tuple[GivenSeed, ...] = ()
