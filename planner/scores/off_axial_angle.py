"""Angulation out of the axial plane."""

from planner.scores.score import Quantities, Score


def off_axial_angle(path: Quantities) -> float:
    """Unsigned craniocaudal angle: 0 where one CT slice shows the whole needle. [deg]"""
    return abs(path.craniocaudal_angle_deg)


OFF_AXIAL_ANGLE = Score(
    "off_axial_angle_deg",
    off_axial_angle,
    "Geometry of axial imaging; its weight is a setting [U].",
)
