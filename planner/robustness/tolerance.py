r"""Tolerance: how far a needle may turn about its entry, any way, and certainly touch nothing forbidden.

        entry E
           o          Turned by an angle a about E, the axis' point at depth s moves by a chord of
          /|\                        2 s sin(a/2),
       a / | \        so what was d(s) away is still d(s) - 2 s sin(a/2) away at least. While at every s
        /  |  \                      2 s sin(a/2) < d(s) - radius
       '---T---'      the wall touches nothing:    a < min over s of 2 asin((d(s) - radius) / (2 s)).

That is a true lower bound for all ways to turn at once, and no more: turned one way, the needle may well pass
beside a structure. Of a point at an angle a, no farther from E than the tip, a needle without thickness is
allowed 2 asin(sin(a) / 2) or more: 0.005 deg less than a at 5 deg, 0.07 at 12 [C]. asin((d - radius) / s),
which compares with the foot on the turned axis, would be no bound: where the tip sweeps towards a structure,
that foot lies beyond the tip.
"""

from heapq import heappop, heappush
from math import asin, degrees, radians, sin

import numpy as np
from jaxtyping import Float

from planner.measuring.clearance import Obstacles

MAX_TURN_RAD = radians(90.0)
"""Where nothing is in the way: a needle turned by this much runs along the skin. Tolerances end here."""

FINE = 0.01
"""By this part of it at most, what is given falls short of the bound at single depths [U]: depths are looked
at in pieces."""

_GUARD_MM = 1e-6


def tolerance_deg(
    obstacles: Obstacles, entry_B: Float[np.ndarray, "3"], tip_B: Float[np.ndarray, "3"], radius_mm: float
) -> float:
    """The angle below which no turn about the entry brings the wall to any obstacle. [deg]

    0.0 where it touches already, MAX_TURN_RAD at the most. The axis is halved again and again where it may
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
    if room_mm >= 2.0 * depth_mm * sin(0.5 * MAX_TURN_RAD):
        return MAX_TURN_RAD
    return 2.0 * asin(0.5 * room_mm / depth_mm)
