"""Limits: the range of every number in a request, and why it ends there.

Keys are JSON pointers into the request, with * for any name. The ranges keep out mistakes (cm for mm, a
missing zero) and requests without end; they are settings [U] unless a reason names a source.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A closed range in `unit`, and the reason for its ends."""

    low: float
    high: float
    unit: str
    reason: str

    def sentence(self) -> str:
        """The range and its reason, for an error message."""
        unit = f" {self.unit}" if self.unit else ""
        return f"from {self.low:.10g} to {self.high:.10g}{unit}: {self.reason}"


LIMITS: dict[str, Limit] = {
    "/target/margin_mm": Limit(
        0.0, 30.0, "mm", "the source series used 5 mm; 30 mm already crosses the mediastinum"
    ),
    "/target/min_chord_mm": Limit(0.0, 100.0, "mm", "null takes a seed's length, less for a small target"),
    "/needle/outer_diameter_mm": Limit(0.2, 5.0, "mm", "finer or thicker is no implant needle"),
    "/needle/max_length_mm": Limit(20.0, 400.0, "mm", "shorter reaches nothing, longer is not made"),
    "/clearance_mm/*": Limit(0.0, 50.0, "mm", "more than 50 mm from a structure leaves no chest"),
    "/pose/rotation_deg": Limit(-180.0, 180.0, "deg", "one turn"),
    "/pose/bore_diameter_mm": Limit(
        300.0, 2000.0, "mm", "a patient must fit; 2000 mm stands for no bore at all"
    ),
    "/pose/hub_length_mm": Limit(0.0, 300.0, "mm", "hub and guide are shorter than the bore is wide"),
    "/pose/hub_diameter_mm": Limit(0.0, 100.0, "mm", "hub and guide are held in a hand"),
    "/search/max_paths": Limit(1.0, 1000.0, "", "more than a person or a needle set can use"),
    "/search/covering_radius_mm": Limit(
        0.25, 20.0, "mm", "finer than any voxel grid, or coarser than any window"
    ),
    "/search/time_limit_s": Limit(0.01, 3600.0, "s", "null means no limit"),
    "/search/min_separation_mm": Limit(0.0, 200.0, "mm", "wider than that, one path is left"),
    "/search/field_resolution_mm": Limit(
        0.5, 4.0, "mm", "finer fills the memory, coarser loses thin vessels"
    ),
    "/ranking/weights/*": Limit(-1e6, 1e6, "", "weights of a sum"),
    "/seeds/spacing_mm": Limit(4.5, 50.0, "mm", "seeds are 4.5 mm long and must not overlap"),
    "/seeds/min_spacing_mm": Limit(4.5, 50.0, "mm", "seeds are 4.5 mm long and must not overlap"),
    "/random_seed": Limit(0.0, 2.0**32 - 1, "", "32 bits"),
}

MAX_NAMES = 500
"""Longest list or table of structure names in a request: over four times TotalSegmentator's classes."""

MAX_NAME_LENGTH = 200
"""Longest structure name, in characters."""


def limit_at(pointer: str) -> Limit | None:
    """The limit that holds at a JSON pointer, where there is one."""
    parent = pointer.rpartition("/")[0]
    return LIMITS.get(pointer) or LIMITS.get(f"{parent}/*")
