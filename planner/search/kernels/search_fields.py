"""Search fields: everything that a line is tested against, as plain arrays and numbers for compiled loops."""

from typing import NamedTuple

import numpy as np

Vector3 = tuple[float, float, float]


class SearchFields(NamedTuple):
    """The fields: planner.search.scene_fields describes and builds them. Lengths in mm, positions in B. Small
    vectors are tuples, so that compiled loops keep them in registers."""

    spacing: Vector3
    lower: Vector3
    upper: Vector3
    need_class: np.ndarray
    needs_mm: np.ndarray
    tissue: np.ndarray
    target: np.ndarray
    target_first_V: tuple[int, int, int]
    min_chord: float
    obstacle: np.ndarray
    obstacle_step: Vector3
    screen: np.ndarray
    body: np.ndarray
    body_step: Vector3
    near_target: np.ndarray
    near_target_lower: Vector3
    near_target_step: Vector3
    table_normal: Vector3
    table_offset: float
    table_need: float
    bore_centre: Vector3
    bore_axis: Vector3
    bore_radius: float
    needle_length: float
    hub_length: float
    hub_radius: float
    hub_extra: float


def vector3(v: np.ndarray) -> Vector3:
    """A vector (3,) as three floats."""
    return float(v[0]), float(v[1]), float(v[2])
