"""What is given: needles and seeds that are to be kept, or are in already."""

from dataclasses import dataclass
from typing import Annotated

from planner.records.bounds import Limit

Coordinate = Annotated[
    float, Limit(-10_000.0, 10_000.0, "mm", "no table moves a patient farther from the scanner's origin")
]
GivenPoint = tuple[Coordinate, Coordinate, Coordinate]
"""A point of the patient, P (LPS). [mm]"""

Component = Annotated[float, Limit(-1.001, 1.001, "", "an axis is a vector of length 1")]
GivenAxis = tuple[Component, Component, Component]
"""The direction of a seed's axis, P (LPS)."""


@dataclass(frozen=True)
class GivenNeedle:
    """A needle that the plan keeps: entry and tip in mm, in the frame of the patient (LPS)."""

    entry_mm: GivenPoint
    tip_mm: GivenPoint


@dataclass(frozen=True)
class GivenSeed:
    """A seed that the plan keeps: its centre in mm, in the frame of the patient (LPS). Without an axis
    its dose is that of the 1D formalism."""

    position_mm: GivenPoint
    axis: GivenAxis | None = None
