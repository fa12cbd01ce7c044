"""The world of the compiled loops: all that a line is tested against, as plain arrays and numbers."""

from typing import NamedTuple

import numpy as np

Triple = tuple[float, float, float]


class World(NamedTuple):
    """See the module's text. Lengths in mm, positions in B. Small vectors are tuples: compiled loops then
    keep them in registers."""

    spacing: Triple
    lower: Triple
    upper: Triple
    need_class: np.ndarray
    needs_mm: np.ndarray
    tissue: np.ndarray
    target: np.ndarray
    target_first_V: tuple[int, int, int]
    min_chord: float
    obstacle: np.ndarray
    obstacle_step: Triple
    screen: np.ndarray
    body: np.ndarray
    body_step: Triple
    near_target: np.ndarray
    near_target_lower: Triple
    near_target_step: Triple
    table_normal: Triple
    table_offset: float
    table_need: float
    bore_centre: Triple
    bore_axis: Triple
    bore_radius: float
    needle_length: float
    hub_length: float
    hub_radius: float
    hub_extra: float


def triple(v: np.ndarray) -> Triple:
    """A vector (3,) as three floats."""
    return float(v[0]), float(v[1]), float(v[2])
