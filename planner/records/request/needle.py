"""The needle: its size, and what is driven into the patient with it."""

from dataclasses import dataclass
from typing import Annotated

from planner.records.bounds import Limit
from planner.records.request.gauge import gauge_of


@dataclass(frozen=True)
class Needle:
    """The coaxial needle: 18 G (Dong 2021, 10.1111/1759-7714.13932), 1.27 mm outside.

    `max_length_mm` runs from the tip to the hub. The needle is that long: what stays outside the body
    must be clear of the body, table, cushion and bore as well.
    """

    outer_diameter_mm: Annotated[
        float, Limit(0.2, 5.0, "mm", "finer or thicker is not an implant needle")
    ] = 1.27
    max_length_mm: Annotated[
        float, Limit(20.0, 400.0, "mm", "shorter reaches nothing, longer is not made")
    ] = 200.0

    @property
    def gauge(self) -> str | None:
        """Its gauge, by the outer diameter; None where there is none."""
        return gauge_of(self.outer_diameter_mm)

    @property
    def radius_mm(self) -> float:
        """Half the outer diameter."""
        return self.outer_diameter_mm / 2


NEEDLE_LENGTH_POINTER = "/needle/max_length_mm"
"""JSON pointer (RFC 6901) to the needle's length in a request."""


LONGEST_NEEDLE_MM = 300.0
"""The longest needle that a relaxation proposes where the requested one does not reach [U]."""


@dataclass(frozen=True)
class NeedleAssembly:
    """What is driven into the patient: a needle, and the hub or guide at its outer end. [mm]"""

    length_mm: float
    radius_mm: float
    hub_length_mm: float
    hub_radius_mm: float
