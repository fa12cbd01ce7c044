"""Clearance along a line, exact to the original voxel boxes.

    s --- free --->|- free ->|-exact-|---- free ---->      each bound of the free distance at s lets s advance

A lower bound of (distance - need) at s clears the axis over the same length to either side. If the screen's
bound is too small, the bound from all corners is used, and if that is too small too, the boxes themselves.
The result is that of the boxes: it does not depend on a field's resolution.
"""

from math import ceil, floor, sqrt

import numpy as np

from anatomy.runtime.jit import jit, jit_inline
from planner.measuring.segment_box import segment_box_distance2
from planner.search.kernels.lookup import bounds_from_corners, clamped
from planner.search.kernels.screen import PER_MM, tile_at, tile_walk

LEAP = np.int64(4)
"""At least this many steps from all obstacles, only the screen is used, not the fine field, which does not
fit into the processor's cache."""
PIECE_MM = 0.5
"""Length of axis that is compared with the original boxes at a time."""
ROUNDING_MM = 1e-9
"""If a distance is smaller than the need by less than this, it is float64 rounding, not a lack of
clearance."""


@jit_inline
def clear_until(fields, p, d, start, end, extra):  # type: ignore[no-untyped-def]
    """(s, margin): up to which s, from `start`, the axis keeps need + `extra` from obstacles; `end` if all is
    clear.

    The margin is the smallest (distance - need - extra) seen, a lower bound at the points visited; -1 if
    blocked.
    """
    lower, upper, field_step = fields.lower, fields.upper, fields.obstacle_step
    least_need = fields.needs_mm[1] if fields.needs_mm.shape[0] > 1 else 0.0
    needed = np.int64(ceil(extra * PER_MM))
    last = np.int64(ceil((end - start) * PER_MM))
    at, by = tile_walk(fields, p, d, start)
    least = 1e30
    step = np.int64(0)
    while step < last:
        tile = tile_at(fields.screen, at, by, step) - needed
        if tile >= LEAP:
            least = min(least, tile * (1.0 / PER_MM))
            step += tile
            continue
        s = start + step * (1.0 / PER_MM)
        x = clamped(p[0] + s * d[0], lower[0], upper[0])
        y = clamped(p[1] + s * d[1], lower[1], upper[1])
        z = clamped(p[2] + s * d[2], lower[2], upper[2])
        low, high = bounds_from_corners(fields.obstacle, lower, field_step, least_need, x, y, z)
        if high < extra:
            return s, -1.0
        free = low - extra
        if free * PER_MM >= 1.0:
            step += np.int64(free * PER_MM)
        else:
            piece_end = min(s + PIECE_MM, end)
            free = _exact_margin(
                fields.need_class, fields.needs_mm, fields.spacing, lower, upper, p, d, s, piece_end, extra
            )
            if free < -ROUNDING_MM:
                return s, -1.0
            # The piece keeps this margin up to its end, so the same length beyond it is clear.
            step += np.int64((PIECE_MM + max(free, 0.0)) * PER_MM)
        least = min(least, free)
    return end, least


@jit
def least_margin(fields, p, d, start, end):  # type: ignore[no-untyped-def]
    """Smallest (distance - need) over the axis from `start` to `end`: a lower bound, to about PIECE_MM. [mm]

    If the bound at a point is f, no point within f - least of it has a bound below the least so far.
    """
    lower, upper, field_step = fields.lower, fields.upper, fields.obstacle_step
    least_need = fields.needs_mm[1] if fields.needs_mm.shape[0] > 1 else 0.0
    at, by = tile_walk(fields, p, d, start)
    last = np.int64(ceil((end - start) * PER_MM))
    least = 1e30
    step = np.int64(0)
    while step < last:
        free = tile_at(fields.screen, at, by, step) * (1.0 / PER_MM)
        if free < least + PIECE_MM:
            s = start + step * (1.0 / PER_MM)
            x = clamped(p[0] + s * d[0], lower[0], upper[0])
            y = clamped(p[1] + s * d[1], lower[1], upper[1])
            z = clamped(p[2] + s * d[2], lower[2], upper[2])
            free, _ = bounds_from_corners(fields.obstacle, lower, field_step, least_need, x, y, z)
            least = min(least, free)
        step += np.int64(max(free - least, PIECE_MM) * PER_MM)
    return least


@jit
def _exact_margin(need_class, needs_mm, spacing, lower, upper, p, d, start, end, extra):  # type: ignore[no-untyped-def]
    """Smallest (distance - need - extra) over [start, end] of the axis to any obstacle's box, at most
    PIECE_MM.

    A point beyond the field of view is moved to the nearest point of its box: the axis becomes a polyline
    with corners where it crosses one of the six planes.
    """
    least = PIECE_MM
    s = start
    while s < end:
        cut = end
        for a in range(3):
            if d[a] != 0.0:
                for side in range(2):
                    at = ((lower[a] if side == 0 else upper[a]) - p[a]) / d[a]
                    if s + ROUNDING_MM < at < cut:
                        cut = at
        one = (
            clamped(p[0] + s * d[0], lower[0], upper[0]),
            clamped(p[1] + s * d[1], lower[1], upper[1]),
            clamped(p[2] + s * d[2], lower[2], upper[2]),
        )
        two = (
            clamped(p[0] + cut * d[0], lower[0], upper[0]),
            clamped(p[1] + cut * d[1], lower[1], upper[1]),
            clamped(p[2] + cut * d[2], lower[2], upper[2]),
        )
        least = _margin_to_boxes(need_class, needs_mm, spacing, one, two, extra, least)
        s = cut
    return least


@jit_inline
def _span(one, two, reach, spacing, count):  # type: ignore[no-untyped-def]
    """Voxel indices of one axis whose boxes come within `reach` of the interval one..two."""
    first = floor((min(one, two) - reach) / spacing + 0.5)
    last = floor((max(one, two) + reach) / spacing + 0.5)
    return max(first, 0), min(last, count - 1) + 1


@jit_inline
def _margin_to_boxes(need_class, needs_mm, spacing, one, two, extra, least):  # type: ignore[no-untyped-def]
    hx, hy, hz = spacing
    # Boxes that matter to a margin below `least`.
    reach = needs_mm[-1] + extra + least
    i0, i1 = _span(one[0], two[0], reach, hx, need_class.shape[0])
    j0, j1 = _span(one[1], two[1], reach, hy, need_class.shape[1])
    k0, k1 = _span(one[2], two[2], reach, hz, need_class.shape[2])
    middle = (0.5 * (one[0] + two[0]), 0.5 * (one[1] + two[1]), 0.5 * (one[2] + two[2]))
    half_length = 0.5 * sqrt((two[0] - one[0]) ** 2 + (two[1] - one[1]) ** 2 + (two[2] - one[2]) ** 2)
    for i in range(i0, i1):
        dx = max(0.0, abs(i * hx - middle[0]) - 0.5 * hx)
        for j in range(j0, j1):
            dy = max(0.0, abs(j * hy - middle[1]) - 0.5 * hy)
            for k in range(k0, k1):
                c = need_class[i, j, k]
                if c == 0:
                    continue
                need = needs_mm[c] + extra
                # No point of the segment is farther from the middle than half its length: most boxes are
                # excluded here.
                dz = max(0.0, abs(k * hz - middle[2]) - 0.5 * hz)
                beyond = least + need + half_length
                if dx * dx + dy * dy + dz * dz >= beyond * beyond:
                    continue
                low = ((i - 0.5) * hx, (j - 0.5) * hy, (k - 0.5) * hz)
                high = (low[0] + hx, low[1] + hy, low[2] + hz)
                least = min(least, sqrt(segment_box_distance2(one, two, low, high)) - need)
                if least < -ROUNDING_MM:
                    return least
    return least
