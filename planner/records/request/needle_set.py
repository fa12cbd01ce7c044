"""The needle set: how needles stand to each other, and what of them is given."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from planner.records.bounds import Limit
from planner.records.request.given import GivenNeedle, GivenSeed

MaxNeedles = Annotated[
    int, Limit(1.0, 200.0, "", "published implants used 19 +- 13 needles (10.1186/s12885-020-07223-3)")
]


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
    grid_pitch_mm: Annotated[float, Limit(1.0, 50.0, "mm", "templates have holes every 5 or 10 mm")] = 5.0
    clearance_mm: Annotated[float, Limit(0.0, 20.0, "mm", "needles are put about 10 mm apart")] = 1.0
    puncture_cost_mm: Annotated[
        float, Limit(0.0, 1000.0, "mm", "more than the lung is wide: nothing outweighs a puncture")
    ] = 10.0
    max_needles: MaxNeedles = 60
    given_needles: tuple[GivenNeedle, ...] = ()
    given_seeds: tuple[GivenSeed, ...] = ()
