"""Clearance along a line, exact to the original voxel boxes.

    s --- free --->|- free ->|-exact-|---- free ---->      each bound of the free distance at s lets s advance

A lower bound of (distance - need) at s clears the axis for as much to either side. Where the nearest node's
bound fails the concave one is asked, and where that fails too, the boxes themselves. The answer is that of
the boxes: no field's resolution enters it.
"""

from math import floor, sqrt

from planner.kernels.jit import loop
from planner.kernels.lookup import bounds, clamped, concave_bound
from planner.segments import segment_box_distance2

EXACT_STEP_MM = 0.5
"""Length of axis that is held against the original boxes at a time."""
LEAST_ADVANCE_MM = 0.125
"""Bounds that clear less than this go to the boxes, so that the walk always ends."""
ROUNDING_MM = 1e-9
"""A distance this little short of the need is float64 rounding, not a lack of clearance."""


@loop
def clear_until(world, p, d, start, end, extra):  # type: ignore[no-untyped-def]
    """(s, margin): how far from `start` the axis keeps need + `extra` from obstacles; `end` if all is clear.

    The margin is the least (distance - need - extra) met, a lower bound at the points visited; -1 if blocked.
    """
    lower, upper, step = world.lower, world.upper, world.obstacle_step
    least_need = world.needs_mm[1] if world.needs_mm.shape[0] > 1 else 0.0
    least = 1e30
    s = start
    while s < end:
        x = clamped(p[0] + s * d[0], lower[0], upper[0])
        y = clamped(p[1] + s * d[1], lower[1], upper[1])
        z = clamped(p[2] + s * d[2], lower[2], upper[2])
        low, high = bounds(world.obstacle, lower, step, x, y, z)
        if high < extra:
            return s, -1.0
        free = low - extra
        if free < EXACT_STEP_MM:
            free = max(free, concave_bound(world.obstacle, lower, step, least_need, x, y, z) - extra)
        if free >= LEAST_ADVANCE_MM:
            s += free
        else:
            piece_end = min(s + EXACT_STEP_MM, end)
            free = _exact_margin(world, p, d, s, piece_end, extra)
            if free < -ROUNDING_MM:
                return s, -1.0
            # The piece keeps this margin to its end, so as much more of the axis is clear.
            s = piece_end + max(free, 0.0)
        least = min(least, free)
    return end, least


@loop
def _exact_margin(world, p, d, start, end, extra):  # type: ignore[no-untyped-def]
    """Least (distance - need - extra) from the axis over [start, end] to any obstacle's box.

    Beyond the field of view a point is judged at the nearest point of its box: the axis becomes a polyline
    with corners where it crosses one of the six planes.
    """
    least = 1e30
    s = start
    while s < end:
        cut = end
        for a in range(3):
            if d[a] != 0.0:
                for side in range(2):
                    at = ((world.lower[a] if side == 0 else world.upper[a]) - p[a]) / d[a]
                    if s + ROUNDING_MM < at < cut:
                        cut = at
        one = (
            clamped(p[0] + s * d[0], world.lower[0], world.upper[0]),
            clamped(p[1] + s * d[1], world.lower[1], world.upper[1]),
            clamped(p[2] + s * d[2], world.lower[2], world.upper[2]),
        )
        two = (
            clamped(p[0] + cut * d[0], world.lower[0], world.upper[0]),
            clamped(p[1] + cut * d[1], world.lower[1], world.upper[1]),
            clamped(p[2] + cut * d[2], world.lower[2], world.upper[2]),
        )
        least = min(least, _margin_to_boxes(world, one, two, extra))
        s = cut
    return least


@loop
def _span(one, two, reach, spacing, count):  # type: ignore[no-untyped-def]
    """Voxel indices of one axis whose boxes come within `reach` of the interval one..two."""
    first = floor((min(one, two) - reach) / spacing + 0.5)
    last = floor((max(one, two) + reach) / spacing + 0.5)
    return max(first, 0), min(last, count - 1) + 1


@loop
def _margin_to_boxes(world, one, two, extra):  # type: ignore[no-untyped-def]
    hx, hy, hz = world.spacing
    # Boxes that matter to a margin of up to EXACT_STEP_MM, the most that is reported.
    reach = world.needs_mm[-1] + extra + EXACT_STEP_MM
    i0, i1 = _span(one[0], two[0], reach, hx, world.need_class.shape[0])
    j0, j1 = _span(one[1], two[1], reach, hy, world.need_class.shape[1])
    k0, k1 = _span(one[2], two[2], reach, hz, world.need_class.shape[2])
    least = EXACT_STEP_MM
    for i in range(i0, i1):
        for j in range(j0, j1):
            for k in range(k0, k1):
                c = world.need_class[i, j, k]
                if c != 0:
                    low = ((i - 0.5) * hx, (j - 0.5) * hy, (k - 0.5) * hz)
                    high = (low[0] + hx, low[1] + hy, low[2] + hz)
                    away = sqrt(segment_box_distance2(one, two, low, high))
                    least = min(least, away - world.needs_mm[c] - extra)
    return least
