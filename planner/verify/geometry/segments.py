"""Distances between points and segments. Points are 3-tuples in mm; all distances are squared. [mm2]

The nearest points of two segments are two inner points where both derivatives vanish, or one of them is an
end. Of these five candidates, the one with the least distance is the result.

    p o------s------o q        s, t in (0, 1): the two derivatives vanish
             |
      a o----t---o b           else an end of one against the whole of the other
"""

from planner.verify.compiled import loop


@loop
def dot(u, v):  # type: ignore[no-untyped-def]
    """Inner product."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


@loop
def minus(u, v):  # type: ignore[no-untyped-def]
    """Difference u - v."""
    return (u[0] - v[0], u[1] - v[1], u[2] - v[2])


@loop
def cross(u, v):  # type: ignore[no-untyped-def]
    """Outer product."""
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])


@loop
def point_segment2(x, p, q):  # type: ignore[no-untyped-def]
    """From a point x to the segment p-q, which may be a point."""
    u = minus(q, p)
    w = minus(x, p)
    length2 = dot(u, u)
    s = dot(w, u) / length2 if length2 > 0.0 else 0.0
    s = min(1.0, max(0.0, s))
    away = (w[0] - s * u[0], w[1] - s * u[1], w[2] - s * u[2])
    return dot(away, away)


@loop
def segment_segment2(p, q, a, b):  # type: ignore[no-untyped-def]
    """Between the segments p-q and a-b, either of which may be a point."""
    least = min(
        min(point_segment2(p, a, b), point_segment2(q, a, b)),
        min(point_segment2(a, p, q), point_segment2(b, p, q)),
    )
    u, v, w = minus(q, p), minus(b, a), minus(p, a)
    uu, uv, vv, uw, vw = dot(u, u), dot(u, v), dot(v, v), dot(u, w), dot(v, w)
    # Zero for parallel segments and points, where the nearest points include an end.
    determinant = uu * vv - uv * uv
    if determinant > 0.0:
        s = (uv * vw - vv * uw) / determinant
        t = (uu * vw - uv * uw) / determinant
        if 0.0 < s < 1.0 and 0.0 < t < 1.0:
            away = (
                w[0] + s * u[0] - t * v[0],
                w[1] + s * u[1] - t * v[1],
                w[2] + s * u[2] - t * v[2],
            )
            least = min(least, dot(away, away))
    return least
