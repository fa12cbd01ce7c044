"""Claims on the bore: the needle's hub, on its far end, stays inside the gantry's opening."""

import numpy as np

from planner.verify.claims import Claims
from planner.verify.needle.examined_axis import Trial
from planner.verify.tolerances import DISTANCE_MM


def check_room(claims: Claims, trial: Trial) -> None:
    """Tip and hub's far end are at least the hub's radius from the bore's wall, and so is all between."""
    radius = trial.request.hub_radius_mm
    claims.at_least("the hub stays inside the bore", trial.subject, radius, bore_room(trial), DISTANCE_MM)


def bore_room(trial: Trial) -> float:
    """From the bore's wall to the nearer of tip and hub's far end. [mm]"""
    bore = trial.scene.pose.bore
    end_mm = trial.request.needle.max_length_mm + trial.request.pose.hub_length_mm
    ends_P = trial.points_P(0.0, end_mm)
    from_axis = np.linalg.norm(np.cross(bore.axis_P, ends_P - bore.centre_P), axis=1)
    return bore.radius_mm - float(from_axis.max())
