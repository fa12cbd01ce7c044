"""Ranges: the range of every number in a request, with the reason for its limits.

Keys are JSON pointers into the request, with * for any name and # for any index. The ranges find mistakes (cm
for mm, a missing zero) and prevent requests of unlimited size; they are settings [U] unless a reason names a
source.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A closed range in `unit`, and the reason for its limits."""

    low: float
    high: float
    unit: str
    reason: str

    def sentence(self) -> str:
        """The range and its reason, for an error message."""
        unit = f" {self.unit}" if self.unit else ""
        return f"from {self.low:.10g} to {self.high:.10g}{unit}: {self.reason}"


COORDINATE = Limit(-10_000.0, 10_000.0, "mm", "no table moves a patient farther from the scanner's origin")
AXIS = Limit(-1.001, 1.001, "", "an axis is a vector of length 1")
PERCENT = Limit(0.0, 100.0, "%", "a share of a volume")
ORGAN_DOSE = Limit(0.1, 2000.0, "Gy", "less is not measured, and 2000 Gy touches a seed; null is no limit")

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
    "/seeds/activity_mci": Limit(
        0.05, 5.0, "mCi", "the source series used 0.6 mCi; 1 mCi is 37 MBq of apparent activity"
    ),
    "/seeds/spacing_mm": Limit(4.5, 50.0, "mm", "seeds are 4.5 mm long or more and must not overlap"),
    "/seeds/min_spacing_mm": Limit(4.5, 50.0, "mm", "seeds are 4.5 mm long or more and must not overlap"),
    "/needle_set/grid_pitch_mm": Limit(1.0, 50.0, "mm", "templates have holes every 5 or 10 mm"),
    "/needle_set/clearance_mm": Limit(0.0, 20.0, "mm", "needles are put about 10 mm apart"),
    "/needle_set/puncture_cost_mm": Limit(
        0.0, 1000.0, "mm", "more than the lung is wide: nothing outweighs a puncture"
    ),
    "/needle_set/max_needles": Limit(
        1.0, 200.0, "", "published implants used 19 +- 13 needles (10.1186/s12885-020-07223-3)"
    ),
    "/needle_set/given_needles/#/entry_mm/#": COORDINATE,
    "/needle_set/given_needles/#/tip_mm/#": COORDINATE,
    "/needle_set/given_seeds/#/position_mm/#": COORDINATE,
    "/needle_set/given_seeds/#/axis/#": AXIS,
    "/prescription/dose_gy": Limit(
        10.0,
        500.0,
        "Gy",
        "the source series prescribed 110 to 160 Gy, given over months",
    ),
    "/prescription/goals/d90_gy": Limit(10.0, 1000.0, "Gy", "null takes the prescribed dose"),
    "/prescription/goals/v100_percent": PERCENT,
    "/prescription/goals/v150_percent": PERCENT,
    "/prescription/goals/v200_percent": PERCENT,
    "/prescription/organ_goals/*/d0_1cc_gy": ORGAN_DOSE,
    "/prescription/organ_goals/*/d1cc_gy": ORGAN_DOSE,
    "/prescription/organ_goals/*/d2cc_gy": ORGAN_DOSE,
    "/prescription/prior_external/dose_gy": Limit(
        0.0, 200.0, "Gy", "the whole dose of all fractions, not their BED"
    ),
    "/prescription/prior_external/fractions": Limit(1.0, 200.0, "", "twice a day for twenty weeks"),
    "/prescription/prior_external/interval_days": Limit(0.0, 36_500.0, "days", "a hundred years"),
    "/prescription/bed/alpha_beta_target_gy": Limit(0.5, 50.0, "Gy", "10 Gy is usual for acute effects"),
    "/prescription/bed/alpha_beta_organ_gy": Limit(0.5, 50.0, "Gy", "3 Gy is usual for late effects"),
    "/prescription/bed/repair_half_time_h": Limit(0.05, 48.0, "h", "tissues repair within minutes to a day"),
    "/robustness/samples": Limit(0.0, 10_000.0, "", "0 leaves robustness out; more tell no more"),
    "/random_seed": Limit(0.0, 2.0**32 - 1, "", "32 bits"),
}

FOUND_LIMITS: dict[str, Limit] = {
    "/seeds/#/position_mm/#": COORDINATE,
    "/seeds/#/axis/#": AXIS,
    "/needles/#/entry_mm/#": COORDINATE,
    "/needles/#/tip_mm/#": COORDINATE,
}
"""The numbers of findings in a patient: seeds after an implant, needles in place."""

MAX_NAMES = 500
"""Longest list or table of structure names in a request: more than four times TotalSegmentator's classes."""

MAX_NAME_LENGTH = 200
"""Longest structure name, in characters."""


MAX_NEEDLES, MAX_SEEDS = 200, 500
"""Longest lists of needles and of seeds: published implants had up to 105 seeds (PMC5808001)."""


def limit_at(pointer: str) -> Limit | None:
    """The limit at a JSON pointer, if there is one."""
    for pattern, limit in _PATTERNS:
        if pattern.fullmatch(pointer):
            return limit
    return None


def _pattern(pointer: str) -> re.Pattern[str]:
    parts = {"*": "[^/]*", "#": "[0-9]+"}
    return re.compile("/".join(parts.get(part, re.escape(part)) for part in pointer.split("/")))


_PATTERNS = [(_pattern(pointer), limit) for pointer, limit in (LIMITS | FOUND_LIMITS).items()]
