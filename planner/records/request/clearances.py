"""Clearances: the free distance that each structure needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from planner.records.bounds import Limit

ClearanceMm = Annotated[float, Limit(0.0, 50.0, "mm", "more than 50 mm from a structure leaves no chest")]


@dataclass(frozen=True)
class Clearances:
    """The free distance that each structure needs. `by_structure` counts from the needle's wall; its entry
    "default" applies to all other structures. [mm]"""

    by_structure: Mapping[str, ClearanceMm]
    needle_radius_mm: float

    def of(self, structure: str) -> float:
        """Free distance from the needle's wall that this structure needs. [mm]"""
        return self.by_structure.get(structure, self.by_structure.get("default", 2.0))

    def need_mm(self, structure: str) -> float:
        """Free distance from the needle's axis that this structure needs. [mm]"""
        return self.needle_radius_mm + self.of(structure)


def clearance_pointer(structure: str) -> str:
    """JSON pointer (RFC 6901) to a structure's clearance in a request."""
    return "/clearance_mm/" + structure.replace("~", "~0").replace("/", "~1")
