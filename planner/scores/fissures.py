"""Fissures crossed."""

from planner.scores.score import Quantities, Score


def fissures(path: Quantities) -> float:
    """How many fissures are crossed."""
    return float(path.fissures_crossed)


FISSURES = Score(
    "fissures_crossed",
    fissures,
    "A fissure crossed: odds ratio 3.75 for pneumothorax (PMC7362905).",
)
