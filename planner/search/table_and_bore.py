"""Table and bore: the distance of points from the table's plane and from the bore's wall."""

import numpy as np
from jaxtyping import Float

from planner.search.kernels.search_fields import SearchFields


def table_distance(fields: SearchFields, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Distance of points in B to the table's plane, positive on the patient's side; infinite without a table.
    [mm]"""
    return np.asarray(fields.table_offset - points_B @ np.array(fields.table_normal))


def bore_distance(fields: SearchFields, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Distance of points in B to the bore's wall, positive inside. [mm]"""
    from_axis = np.cross(points_B - np.array(fields.bore_centre), np.array(fields.bore_axis))
    return np.asarray(fields.bore_radius - np.linalg.norm(from_axis, axis=1))
