"""Length of lung traversed."""

from planner.scores.score import Quantities, Score


def lung_length(path: Quantities) -> float:
    """Aerated lung along the axis. 0.0, no lung at all, is a class of its own. [mm]"""
    return path.lung_length_mm


LUNG_LENGTH = Score(
    "lung_length_mm",
    lung_length,
    "First of 15 predictors of pneumothorax (10.12659/MSM.932137).",
)
