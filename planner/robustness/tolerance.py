r"""Tolerance: the angle by which a needle may turn about its entry, in any direction, without touching a
forbidden structure.

        entry E
           o          If it turns by an angle a about E, the axis' point at depth s moves by a chord of
          /|\                        2 s sin(a/2),
       a / | \        so a distance d(s) becomes d(s) - 2 s sin(a/2) at least. While at every s
        /  |  \                      2 s sin(a/2) < d(s) - radius
       '---T---'      the wall touches nothing:    a < min over s of 2 asin((d(s) - radius) / (2 s)).

This is a true lower bound for all directions together: in a single direction the needle may turn farther and
still pass a structure. For a point at an angle a, not farther from E than the tip, a needle without thickness
may turn by 2 asin(sin(a) / 2) or more: 0.005 deg less than a at 5 deg, 0.07 deg less at 12 deg [C]. asin((d -
radius) / s), which uses the foot of the perpendicular on the turned axis, would be no bound: where the tip
moves towards a structure, that foot lies beyond the tip.
"""

from heapq import heappop, heappush
from math import asin, degrees, radians, sin

import numpy as np
from jaxtyping import Float

from planner.measuring.clearance import Obstacles

MAX_TURN_RAD = radians(90.0)
"""The largest tolerance, if nothing is in the way: a needle turned by this angle runs along the skin."""

FINE = 0.01
"""The result is smaller than the exact bound by at most this share [U], because the axis is examined in
pieces."""

_GUARD_MM = 1e-6


def tolerance_deg(
    obstacles: Obstacles, entry_B: Float[np.ndarray, "3"], tip_B: Float[np.ndarray, "3"], radius_mm: float
) -> float:
    """The angle below which no turn about the entry brings the needle's wall to an obstacle. [deg]

    0.0 if it touches one already, at most MAX_TURN_RAD. The axis is halved again and again where it may
    be tightest: a piece from depth a to b that is D from the nearest box allows at least
    2 asin((D - radius) / 2b), and its tightest point at most as much with a for b.
    """
    along = tip_B - entry_B
    length = float(np.linalg.norm(along))
    at_most = MAX_TURN_RAD
    pieces = [(0.0, 0.0, length)]
    while True:
        at_least, a, b = heappop(pieces)
        if at_most - at_least <= FINE * at_most:
            return degrees(min(at_least, at_most))
        middle = 0.5 * (a + b)
        for first, last in ((a, middle), (middle, b)):
            # Beyond this distance the piece allows more than another piece.
            reach = radius_mm + 2.0 * last * sin(0.5 * at_most) + _GUARD_MM
            one, two = (entry_B + (s / length) * along for s in (first, last))
            free_mm = obstacles.nearest(one, two, reach)[0] - radius_mm
            at_most = min(at_most, _turn_rad(free_mm, first))
            heappush(pieces, (_turn_rad(free_mm, last), first, last))


def _turn_rad(free_mm: float, depth_mm: float) -> float:
    """The turn by which a point at that depth moves by the free distance. [rad]"""
    if free_mm <= 0.0:
        return 0.0
    if free_mm >= 2.0 * depth_mm * sin(0.5 * MAX_TURN_RAD):
        return MAX_TURN_RAD
    return 2.0 * asin(0.5 * free_mm / depth_mm)
