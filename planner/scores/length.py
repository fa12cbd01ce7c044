"""Depth of the needle."""

from planner.scores.score import Quantities, Score


def length(path: Quantities) -> float:
    """From the skin to the tip. [mm]"""
    return path.length_mm


LENGTH = Score(
    "length_mm",
    length,
    "A needle's error grows with its depth (angle 2.8 +- 1.7 deg, 10.1093/jrr/rrab068).",
)
