"""Scores: one function of a path in each file. A new score is a new file and an entry in SCORES."""

from planner.scores.clearance import CLEARANCE
from planner.scores.fissures import FISSURES
from planner.scores.length import LENGTH
from planner.scores.lung_length import LUNG_LENGTH
from planner.scores.off_axial_angle import OFF_AXIAL_ANGLE
from planner.scores.pleural_punctures import PLEURAL_PUNCTURES
from planner.scores.pneumothorax_odds import PNEUMOTHORAX_ODDS
from planner.scores.score import Quantities, Score
from planner.scores.target_chord import TARGET_CHORD

SCORES = (
    LUNG_LENGTH,
    PLEURAL_PUNCTURES,
    FISSURES,
    CLEARANCE,
    LENGTH,
    TARGET_CHORD,
    OFF_AXIAL_ANGLE,
)
"""The scores by which a request may rank."""

RISK_MODELS = (PNEUMOTHORAX_ODDS,)
"""Cited models, shown next to the ranking. They never change it, so a request cannot rank by them."""

__all__ = ["RISK_MODELS", "SCORES", "Quantities", "Score"]
