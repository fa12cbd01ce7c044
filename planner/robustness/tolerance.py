r"""Tolerance: how far a needle may turn about its entry, any way, and certainly touch nothing forbidden.

        entry E
           o          turned by an angle a about E, the axis' point at depth s moves by a chord of
          /|\                        2 s sin(a/2)
       a / | \       and the nearest structure, d(s) away before, is at least d(s) - 2 s sin(a/2) away. So while
        /  |  \                     2 s sin(a/2) < d(s) - radius     at every depth s,
       '---T---'      the wall touches nothing:    a = min over s of 2 asin((d(s) - radius) / (2 s)).

That is a true lower bound for all ways to turn at once, and no more: of a structure that is narrow the needle
may well pass beside. Towards a point it is exact but for terms in (radius / s)^2: the depth that is as far
from E as the point tells. With asin((d - radius) / s) instead, which is how far the axis' point is from the turned
axis, a structure beyond the tip's depth along the axis but within the tip's sweep would be missed.
"""

from heapq import heappop, heappush
from math import asin, degrees, radians, sin

import numpy as np
from jaxtyping import Float

from planner.clearance import Obstacles

MOST_RAD = radians(90.0)
"""Where nothing is in the way: a needle turned by this much runs along the skin. Tolerances end here."""

FINE_RAD = radians(0.01)
"""How much less than the bound at single depths is given at most, for depths are looked at in pieces [U]."""

_GUARD_MM = 1e-6


def tolerance_deg(
    obstacles: Obstacles, entry_B: Float[np.ndarray, "3"], tip_B: Float[np.ndarray, "3"], radius_mm: float
) -> float:
    """The angle below which no turn about the entry brings the wall to any obstacle. [deg]

    0.0 where it touches already, MOST_RAD at the most. The axis is halved, again and again, where it may be
    tightest: a piece from depth a to b that is D from the nearest box allows at least
    2 asin((D - radius) / 2b), and its tightest point at most as much with a for b.
    """
    along = tip_B - entry_B
    length = float(np.linalg.norm(along))
    at_most = MOST_RAD
    pieces = [(0.0, 0.0, length)]
    while True:
        at_least, a, b = heappop(pieces)
        if at_most - at_least <= FINE_RAD:
            return degrees(min(at_least, at_most))
        middle = 0.5 * (a + b)
        for first, last in ((a, middle), (middle, b)):
            # Farther off, the piece allows more than another does.
            reach = radius_mm + 2.0 * last * sin(0.5 * at_most) + _GUARD_MM
            one, two = (entry_B + (s / length) * along for s in (first, last))
            room = obstacles.nearest(one, two, reach)[0] - radius_mm
            at_most = min(at_most, _turn_rad(room, first))
            heappush(pieces, (_turn_rad(room, last), first, last))


def _turn_rad(room_mm: float, depth_mm: float) -> float:
    """The turn by which a point at that depth moves by that much."""
    if room_mm <= 0.0:
        return 0.0
    if room_mm >= 2.0 * depth_mm * sin(0.5 * MOST_RAD):
        return MOST_RAD
    return 2.0 * asin(0.5 * room_mm / depth_mm)
