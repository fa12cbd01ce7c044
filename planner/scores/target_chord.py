"""Target along the needle."""

from planner.scores.score import Quantities, Score


def target_chord(path: Quantities) -> float:
    """Length of the axis inside the target, negated: more is better. [mm]"""
    return -path.target_chord_mm


TARGET_CHORD = Score(
    "target_chord_mm",
    target_chord,
    "A longer chord holds more seeds of one needle; a setting [U].",
)
