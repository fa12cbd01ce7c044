"""Bundles: parallel lines through the holes of a coplanar template, for each of a few directions.

template  o   o   o   o        holes `grid_pitch_mm` apart, on a square lattice across the direction
          |   |   |   |
          v   v   v   v        the lattice passes through the centre of the PTV
         (     PTV     )
"""

import numpy as np
from jaxtyping import Float

from planner.search.kernels.line import LUNG, PUNCTURES, test_lines
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.scene_fields import target_corners_B
from planner.search.search import SafeLines

DIRECTIONS = 150
"""Number of directions whose lattices are tested [U]."""
APART_DEG = 8.0
"""Least angle between two directions [U]."""
BUNDLES = 3
"""Number of bundles that a set is chosen from: those with the most open holes, then the cheapest [U]."""


def bundles(aimed: SearchFields, lines: SafeLines, pitch: float, price: float) -> list[SafeLines]:
    """The safe lines of the most promising bundles, the best first. [B]

    `pitch` is the distance of the template's holes, `price` the cost of a puncture. [mm]
    """
    candidates = []
    for direction in _directions(lines, price):
        points = _holes(target_corners_B(aimed), direction, pitch)
        outward = np.tile(direction, (len(points), 1))
        verdicts, quantities = test_lines(aimed, points, outward)
        safe = np.flatnonzero(verdicts == SAFE)
        if len(safe):
            candidates.append(SafeLines(points[safe], outward[safe], quantities[safe]))
    candidates.sort(key=lambda bundle: (-len(bundle), _mean_cost(bundle, price)))
    return candidates[:BUNDLES]


def _mean_cost(bundle: SafeLines, price: float) -> float:
    return round(float(_cost(bundle, price).mean()), 6)


def _cost(lines: SafeLines, price: float) -> np.ndarray:
    return np.asarray(lines.quantities[:, LUNG] + price * lines.quantities[:, PUNCTURES])


def _directions(lines: SafeLines, price: float) -> list[Float[np.ndarray, "3"]]:
    """Directions of the cheapest lines, each well apart from all chosen before."""
    order = np.argsort(_cost(lines, price), kind="stable")
    remaining = lines.outward_B[order]
    max_cosine = np.cos(np.radians(APART_DEG))
    chosen: list[Float[np.ndarray, 3]] = []
    while len(remaining) and len(chosen) < DIRECTIONS:
        chosen.append(remaining[0])
        remaining = remaining[remaining @ remaining[0] <= max_cosine]
    return chosen


def _holes(
    corners_B: Float[np.ndarray, "n 3"], direction: Float[np.ndarray, "3"], pitch_mm: float
) -> Float[np.ndarray, "m 3"]:
    """Points of a square lattice across the direction, as wide as the corners projected along it. Its rows
    are as horizontal as possible."""
    along_k = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    e1 = np.cross(along_k, direction)
    e1 /= np.linalg.norm(e1)
    e2 = np.cross(direction, e1)
    middle = 0.5 * (corners_B.min(axis=0) + corners_B.max(axis=0))
    across = np.stack([(corners_B - middle) @ e1, (corners_B - middle) @ e2], axis=1)
    first, last = np.floor(across.min(axis=0) / pitch_mm), np.ceil(across.max(axis=0) / pitch_mm)
    a, b = np.meshgrid(np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1), indexing="ij")
    return np.asarray(middle + pitch_mm * (a.reshape(-1, 1) * e1 + b.reshape(-1, 1) * e2))
