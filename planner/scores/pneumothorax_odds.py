"""Relative odds of pneumothorax by a cited meta-analysis: shown next to the ranking, never part of it.

Pooled odds ratios of 36 papers with 23,104 patients (PMC7362905) for those factors that differ from path to
path and can be read off the labels: a fissure crossed, more than one pleural puncture, a depth of 3 cm or
more. The ratios are univariate and the factors correlated, so their product overestimates: it gives an order,
not a probability of pneumothorax. Factors of the patient and the lesion cancel between paths of one plan.
Bullae, emphysema and the side against the table are not known here and are left out.
"""

from planner.scores.score import Quantities, Score

FISSURE_CROSSED = 3.75
SEVERAL_PUNCTURES = 2.43
DEPTH_OVER_3_CM = 2.38
"""Odds ratios (PMC7362905)."""

DEEP_MM = 30.0


def pneumothorax_odds(path: Quantities) -> float:
    """Odds relative to a path with none of the three factors; 1.0 for that, and for one without lung.

    Depth is taken as the lung traversed [U]: needle depth beneath the pleura, not beneath the skin.
    """
    odds = 1.0
    if path.fissures_crossed > 0:
        odds *= FISSURE_CROSSED
    if path.pleural_punctures > 1:
        odds *= SEVERAL_PUNCTURES
    if path.lung_length_mm >= DEEP_MM:
        odds *= DEPTH_OVER_3_CM
    return odds


PNEUMOTHORAX_ODDS = Score(
    "pneumothorax_odds",
    pneumothorax_odds,
    "Univariate pooled odds ratios (PMC7362905), multiplied: an order, not a prediction.",
)
