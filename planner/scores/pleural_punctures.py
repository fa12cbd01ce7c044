"""Pleural punctures."""

from planner.scores.score import Quantities, Score


def pleural_punctures(path: Quantities) -> float:
    """How often the pleura is punctured."""
    return float(path.pleural_punctures)


PLEURAL_PUNCTURES = Score(
    "pleural_punctures",
    pleural_punctures,
    "More than one: odds ratio 2.43 for pneumothorax (PMC7362905).",
)
