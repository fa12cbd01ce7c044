"""Claims on the bore: the needle's hub, on its far end, stays inside the gantry's opening."""

import numpy as np

from planner.verify.claims import Claims
from planner.verify.tolerances import DISTANCE_MM
from planner.verify.trial import Trial


def check_room(claims: Claims, trial: Trial) -> None:
    """The hub's far end is at least the hub's radius from the bore's wall."""
    pose, bore = trial.request.pose, trial.scene.pose.bore
    end_P = trial.points_P(trial.request.needle.max_length_mm + pose.hub_length_mm)[0]
    from_axis = float(np.linalg.norm(np.cross(bore.axis_P, end_P - bore.centre_P)))
    claims.at_least(
        "the hub stays inside the bore",
        trial.subject,
        pose.hub_diameter_mm / 2,
        bore.radius_mm - from_axis,
        DISTANCE_MM,
    )
