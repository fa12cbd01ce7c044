"""Clearance to forbidden structures."""

from planner.scores.score import Quantities, Score


def clearance(path: Quantities) -> float:
    """Free distance from the needle's wall, negated: more is better. [mm]"""
    return -path.clearance_mm


CLEARANCE = Score(
    "clearance_mm",
    clearance,
    "Needle tips err by 4.4 +- 2.9 mm (10.1093/jrr/rrab068); the order itself is a setting [U].",
)
