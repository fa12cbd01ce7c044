"""Claims on the bore: the needle's hub, on its far end, stays inside the gantry's opening."""

import numpy as np

from planner.verify.claims import Claims
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.tolerances import DISTANCE_MM


def check_bore(claims: Claims, examined: ExaminedAxis) -> None:
    """The tip and the far end of the hub keep the hub's radius from the bore's wall. So does all between
    them, because the bore is convex."""
    radius = examined.request.hub_radius_mm
    claims.at_least(
        "the hub stays inside the bore", examined.subject, radius, bore_clearance_mm(examined), DISTANCE_MM
    )


def bore_clearance_mm(examined: ExaminedAxis) -> float:
    """Distance from the bore's wall to the tip or the far end of the hub, whichever is nearer. [mm]"""
    bore = examined.scene.pose.bore
    end_mm = examined.request.needle.max_length_mm + examined.request.pose.hub_length_mm
    ends_P = examined.points_P(0.0, end_mm)
    from_axis = np.linalg.norm(np.cross(bore.axis_P, ends_P - bore.centre_P), axis=1)
    return bore.radius_mm - float(from_axis.max())
