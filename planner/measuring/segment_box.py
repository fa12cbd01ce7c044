"""Exact distance from a segment to an axis-aligned box, used to measure a needle's clearance.

    squared distance (t) = sum over axes of excess_a(p_a + t d_a)^2,   0 <= t <= 1

    excess                /      how far a coordinate lies outside the box's interval, with sign:
             ____________/       negative below it, 0 inside, positive above
            /low      high
           /

An excess is piecewise linear and does not decrease as its coordinate grows, so the sum of squares is convex,
with at most six breakpoints: where the segment meets the planes of the box. Half its derivative, the sum of
d_a excess_a, does not decrease along t and is linear between breakpoints. The sign at each breakpoint narrows
[0, 1] to one linear piece, whose zero is the minimum: no iteration, no tolerance.

All arguments are in one frame whose axes are the box's; points and corners are 3-tuples or (3,) arrays. [mm]
"""

from math import sqrt

import numpy as np

from anatomy.runtime.jit import jit


@jit
def excess(v, low, high):  # type: ignore[no-untyped-def]
    """How far v lies outside [low, high], negative below, positive above. [mm]"""
    return v - low if v < low else (v - high if v > high else 0.0)


@jit
def point_box_distance2(p, lower, upper):  # type: ignore[no-untyped-def]
    """Squared distance from a point to a closed box given by its corners. [mm2]"""
    x = excess(p[0], lower[0], upper[0])
    y = excess(p[1], lower[1], upper[1])
    z = excess(p[2], lower[2], upper[2])
    return x * x + y * y + z * z


@jit
def _distance2_at(p, q, lower, upper, t):  # type: ignore[no-untyped-def]
    """Squared distance from the segment's point at t to the box."""
    x = excess(p[0] + t * (q[0] - p[0]), lower[0], upper[0])
    y = excess(p[1] + t * (q[1] - p[1]), lower[1], upper[1])
    z = excess(p[2] + t * (q[2] - p[2]), lower[2], upper[2])
    return x * x + y * y + z * z


@jit
def _half_slope(p, q, lower, upper, t):  # type: ignore[no-untyped-def]
    """Half the derivative of squared distance along the segment, at t."""
    dx, dy, dz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    return (
        dx * excess(p[0] + t * dx, lower[0], upper[0])
        + dy * excess(p[1] + t * dy, lower[1], upper[1])
        + dz * excess(p[2] + t * dz, lower[2], upper[2])
    )


@jit
def nearest_parameter(p, q, lower, upper):  # type: ignore[no-untyped-def]
    """The t in [0, 1] at which p + t (q - p) is nearest to the box; the least one where several are."""
    slope = _half_slope(p, q, lower, upper, 0.0)
    if slope >= 0.0:
        return 0.0
    last_slope = _half_slope(p, q, lower, upper, 1.0)
    if last_slope < 0.0:
        return 1.0
    first, last = 0.0, 1.0
    for a in range(3):
        d = q[a] - p[a]
        if d == 0.0:
            continue
        for plane in (lower[a], upper[a]):
            at = (plane - p[a]) / d
            if first < at < last:
                here = _half_slope(p, q, lower, upper, at)
                if here < 0.0:
                    first, slope = at, here
                else:
                    last, last_slope = at, here
    return first - slope * (last - first) / (last_slope - slope)


@jit
def segment_box_distance2(p, q, lower, upper):  # type: ignore[no-untyped-def]
    """Squared distance from the segment p-q to a closed box given by its corners. [mm2]

    Exact up to float64 rounding; 0.0 where they meet. p and q may coincide.
    """
    return _distance2_at(p, q, lower, upper, nearest_parameter(p, q, lower, upper))


@jit
def span_within(p, q, lower, upper, reach):  # type: ignore[no-untyped-def]
    """First and last t in [0, 1] with p + t (q - p) within `reach` mm of the box; (1.0, 0.0) if none.

    The part within reach is one interval, since squared distance is convex along the segment.
    """
    reach2 = reach * reach
    nearest = nearest_parameter(p, q, lower, upper)
    if _distance2_at(p, q, lower, upper, nearest) > reach2:
        return 1.0, 0.0
    return (
        _end_of_span(p, q, lower, upper, reach2, nearest, 0.0),
        _end_of_span(p, q, lower, upper, reach2, nearest, 1.0),
    )


@jit
def _end_of_span(p, q, lower, upper, reach2, within, beyond):  # type: ignore[no-untyped-def]
    """The t between `within` (in reach) and `beyond` (0.0 or 1.0) at which the reach ends."""
    if _distance2_at(p, q, lower, upper, beyond) <= reach2:
        return beyond
    end = beyond
    for a in range(3):
        d = q[a] - p[a]
        if d == 0.0:
            continue
        for plane in (lower[a], upper[a]):
            at = (plane - p[a]) / d
            if min(within, beyond) < at < max(within, beyond):
                if _distance2_at(p, q, lower, upper, at) <= reach2:
                    within = at
                else:
                    beyond = at
    # One quadratic is left between the two: A u^2 + 2 B u + C = 0, about their middle.
    middle = 0.5 * (within + beyond)
    A, B, C = 0.0, 0.0, -reach2
    for a in range(3):
        d = q[a] - p[a]
        e = excess(p[a] + middle * d, lower[a], upper[a])
        if e != 0.0:
            A += d * d
            B += d * e
            C += e * e
    if A == 0.0:
        return within
    root = sqrt(max(0.0, B * B - A * C))
    t = middle + (root - B) / A if end == 1.0 else middle - (root + B) / A
    return min(max(t, min(within, beyond)), max(within, beyond))


@jit
def clamped_polyline(p, q, lower, upper):  # type: ignore[no-untyped-def]
    """The segment p-q with each of its points moved to the nearest point of the box: (n, 3), 2 <= n <= 8.

    A scene continues beyond its field of view as at the nearest point of its box, so points of a needle out
    there are moved to that point: the result is a polyline, bent where the needle meets the planes of the
    box.
    """
    cuts = np.empty(8)
    cuts[0] = 0.0
    n = 1
    for a in range(3):
        d = q[a] - p[a]
        if d == 0.0:
            continue
        for plane in (lower[a], upper[a]):
            at = (plane - p[a]) / d
            if 0.0 < at < 1.0:
                cuts[n] = at
                n += 1
    cuts[n] = 1.0
    n += 1
    at_cuts = np.sort(cuts[:n])
    points = np.empty((n, 3))
    for i in range(n):
        for a in range(3):
            x = p[a] + at_cuts[i] * (q[a] - p[a])
            points[i, a] = min(max(x, lower[a]), upper[a])
    return points
