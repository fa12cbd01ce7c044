"""Claims on the bore: the needle's hub, on its far end, stays inside the gantry's opening."""

import numpy as np

from planner.verify.claims import Claims
from planner.verify.tolerances import DISTANCE_MM
from planner.verify.trial import Trial


def check_room(claims: Claims, trial: Trial) -> None:
    """Tip and hub's far end are at least the hub's radius from the bore's wall, and so is all between."""
    pose, bore = trial.request.pose, trial.scene.pose.bore
    ends_P = trial.points_P(0.0, trial.request.needle.max_length_mm + pose.hub_length_mm)
    from_axis = float(np.linalg.norm(np.cross(bore.axis_P, ends_P - bore.centre_P), axis=1).max())
    claims.at_least(
        "the hub stays inside the bore",
        trial.subject,
        pose.hub_diameter_mm / 2,
        bore.radius_mm - from_axis,
        DISTANCE_MM,
    )
