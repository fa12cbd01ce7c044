"""Room: how far points lie from the table's plane and the bore's wall, as the search's world has them."""

import numpy as np
from jaxtyping import Float

from planner.search.kernels.world import World


def table_distance(world: World, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """From points in B to the table's plane, positive on the patient's side; infinite without one. [mm]"""
    return np.asarray(world.table_offset - points_B @ np.array(world.table_normal))


def bore_distance(world: World, points_B: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """From points in B to the bore's wall, positive inside. [mm]"""
    from_axis = np.cross(points_B - np.array(world.bore_centre), np.array(world.bore_axis))
    return np.asarray(world.bore_radius - np.linalg.norm(from_axis, axis=1))
