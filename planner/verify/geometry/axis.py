"""The axis that a path's entry and tip define, in B, and the needle and hub about it.

              outward
    tip o========== needle ===============================|--- hub ---|
        s = 0             | entry                         | needle length
                          s = length

Beyond the field of view, the scene continues as at the nearest point of its box: a point outside is clamped
to the box, and a straight segment becomes a polyline with corners where it crosses the planes of the box.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from planner.verify.tolerances import GRAZE_MM

Pieces = Float[np.ndarray, "n 8"]
"""Straight pieces, one in each row: s at both ends, then both ends in B. [mm]"""


@dataclass(frozen=True, eq=False)
class BoxedAxis:
    """The line tip_B + s outward_B of a path, and the box of the field of view. [mm]"""

    tip_B: Float[np.ndarray, "3"]
    outward_B: Float[np.ndarray, "3"]
    length_mm: float
    lower_B: Float[np.ndarray, "3"]
    upper_B: Float[np.ndarray, "3"]

    def at(self, s_mm: float) -> Float[np.ndarray, "3"]:
        """The point at s, in B."""
        return self.tip_B + s_mm * self.outward_B

    def readings(self) -> Iterator["BoxedAxis"]:
        """The axis itself, then the axis shifted by GRAZE_MM towards each corner of a voxel."""
        yield self
        for signs in product((1.0, -1.0), repeat=3):
            yield replace(self, tip_B=self.tip_B + GRAZE_MM * np.array(signs))

    def clamped(self, first_mm: float, last_mm: float) -> Pieces:
        """The part from s = first to s = last, clamped to the box, as a polyline."""
        cuts = [s for s in self._plane_crossings() if first_mm < s < last_mm]
        stops = [first_mm, *sorted(cuts), last_mm]
        return np.array([self._piece(a, b) for a, b in pairwise(stops)])

    def in_view(self) -> Pieces:
        """The part of the infinite line in the field of view, as one piece or none."""
        first, last = -np.inf, np.inf
        for p, d, low, high in zip(self.tip_B, self.outward_B, self.lower_B, self.upper_B, strict=True):
            if d == 0.0:
                if not low <= p <= high:
                    return np.empty((0, 8))
                continue
            one, two = (low - p) / d, (high - p) / d
            first, last = max(first, min(one, two)), min(last, max(one, two))
        return np.array([self._piece(first, last)]) if first < last else np.empty((0, 8))

    def _piece(self, first_mm: float, last_mm: float) -> Float[np.ndarray, "8"]:
        ends = np.clip([self.at(first_mm), self.at(last_mm)], self.lower_B, self.upper_B)
        return np.concatenate([[first_mm, last_mm], *ends])

    def _plane_crossings(self) -> list[float]:
        moving = self.outward_B != 0.0
        planes = np.stack([self.lower_B, self.upper_B])[:, moving]
        crossings = (planes - self.tip_B[moving]) / self.outward_B[moving]
        return [float(s) for s in crossings.ravel()]


def axis_of(grid: Grid, entry_P: Float[np.ndarray, "3"], tip_P: Float[np.ndarray, "3"]) -> BoxedAxis | None:
    """The axis from two points in P, or None where they coincide."""
    entry_B, tip_B = grid.to_box(entry_P), grid.to_box(tip_P)
    length = float(np.linalg.norm(entry_B - tip_B))
    if length == 0.0:
        return None
    return BoxedAxis(tip_B, (entry_B - tip_B) / length, length, grid.lower_B, grid.upper_B)
