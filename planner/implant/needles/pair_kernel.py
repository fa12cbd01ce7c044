"""Two needles: the distance of stretches of their axes, and whether a part of one stops the other.

    tip p o----- a0 ===== a1 ------> u        a stretch is a0 <= s <= a1 of p + s u, u of unit length
    tip q o--- b0 ==== b1 ---------> v

The squared distance at (s, t), |w + s u - t v|^2 with w = p - q, is convex and quadratic. Its minimum over
both stretches takes three steps: the s where the lines are nearest, clamped to its stretch; the t nearest to
this s, clamped to its own; the s nearest to this t (C. Ericson, Real-Time Collision Detection, Morgan
Kaufmann 2005, section 5.1.9). The determinant there, 1 - (u.v)^2, loses digits where needles are nearly
parallel. By Lagrange's identity it equals |u x v|^2, which does not, and its numerator is (v x w).(u x v).
Because directions have unit length, a stretch of length 0 needs no special case.
"""

from typing import NamedTuple

from anatomy.runtime.jit import jit, jit_inline


class Sizes(NamedTuple):
    """Lengths of a needle's stretches, and the distances between axes below which two parts are too near.
    [mm]"""

    needle_length: float
    hub_length: float
    shafts: float
    hubs: float
    hub_and_shaft: float


@jit_inline
def clamped(x, low, high):  # type: ignore[no-untyped-def]
    """The number nearest to x in [low, high]."""
    return min(max(x, low), high)


@jit_inline
def stretch_distance2(p, u, a0, a1, q, v, b0, b1):  # type: ignore[no-untyped-def]
    """Squared distance between p + s u, a0 <= s <= a1, and q + t v, b0 <= t <= b1. [mm2]

    Points and unit vectors are 3-tuples in mm. Exact up to float64 rounding, parallel or not.
    """
    w0, w1, w2 = p[0] - q[0], p[1] - q[1], p[2] - q[2]
    uw = u[0] * w0 + u[1] * w1 + u[2] * w2
    vw = v[0] * w0 + v[1] * w1 + v[2] * w2
    uv = u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
    n0, n1, n2 = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
    sine2 = n0 * n0 + n1 * n1 + n2 * n2
    s = a0
    if sine2 > 0.0:
        # (v x w) . n, which is vw uv - uw.
        across = (v[1] * w2 - v[2] * w1) * n0 + (v[2] * w0 - v[0] * w2) * n1 + (v[0] * w1 - v[1] * w0) * n2
        s = clamped(across / sine2, a0, a1)
    t = clamped(vw + s * uv, b0, b1)
    s = clamped(t * uv - uw, a0, a1)
    x, y, z = w0 + s * u[0] - t * v[0], w1 + s * u[1] - t * v[1], w2 + s * u[2] - t * v[2]
    return x * x + y * y + z * z


@jit_inline
def clash(p, u, travel, q, v, sizes):  # type: ignore[no-untyped-def]
    """Whether two needles come too near: one with tip p, swept outward by `travel`, and one in place with tip
    q.

    A needle that is driven along its axis sweeps its final volume, extended by the travel: the shaft from the
    tip to needle_length + travel, the hub from needle_length to needle_length + hub_length + travel. [mm]
    """
    end, hub_end = sizes.needle_length, sizes.needle_length + sizes.hub_length
    if stretch_distance2(p, u, 0.0, end + travel, q, v, 0.0, end) < sizes.shafts * sizes.shafts:
        return True
    if sizes.hub_length == 0.0:
        return False
    hubs2 = stretch_distance2(p, u, end, hub_end + travel, q, v, end, hub_end)
    mixed2 = min(
        stretch_distance2(p, u, end, hub_end + travel, q, v, 0.0, end),
        stretch_distance2(p, u, 0.0, end + travel, q, v, end, hub_end),
    )
    return hubs2 < sizes.hubs * sizes.hubs or mixed2 < sizes.hub_and_shaft * sizes.hub_and_shaft


@jit
def clash_range(tips, outwards, travels, sizes, clashing, first, last):  # type: ignore[no-untyped-def]
    """Fill rows first to last of `clashing` (n, n): the row's needle is swept, the column's is in place."""
    for i in range(first, last):
        p = (tips[i, 0], tips[i, 1], tips[i, 2])
        u = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        for j in range(tips.shape[0]):
            if j != i:
                q = (tips[j, 0], tips[j, 1], tips[j, 2])
                v = (outwards[j, 0], outwards[j, 1], outwards[j, 2])
                clashing[i, j] = clash(p, u, travels[i], q, v, sizes)
