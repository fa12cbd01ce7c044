"""Lookups in distance fields: bounds that are true at the given point, not only at a node.

All take a point inside the field's box and return mm. There are two kinds of bound:

nearest node: a distance is 1-Lipschitz, so it differs from the node's value by |x - node| at most.

trilinear: for a closed set K, d(x)^2 - |x|^2 = min over k in K of (|k|^2 - 2 k.x) is concave, hence never
below its own interpolation, and trilinear weights w_i average the corners to x itself. So
    d(x)^2  >=  sum_i w_i d_i^2  -  sum_i w_i |x_i - x|^2
            =   trilinear(d^2)   -  sum over axes of step^2 t (1 - t)
which is exact if the whole cell has the same nearest point. K here is the set of obstacles, each dilated by
the amount by which its need exceeds the smallest need.
"""

from math import sqrt

from anatomy.geometry.distance_field import QUANTUM_MM, ROUNDING_QUANTA
from anatomy.runtime.jit import jit_inline

_UP = (ROUNDING_QUANTA + 1.0) * QUANTUM_MM
"""How far a stored value may lie below the true one: one quantum more than for a distance, because an
obstacle field has a need subtracted that was rounded up."""


@jit_inline
def clamped(v, low, high):  # type: ignore[no-untyped-def]
    """v, limited to [low, high]."""
    return low if v < low else (high if v > high else v)


@jit_inline
def bounds_from_node(field, lower, step, x, y, z):  # type: ignore[no-untyped-def]
    """Lower and upper bound of a 1-Lipschitz field at (x, y, z), from the nearest node."""
    nx, ny, nz = field.shape
    u = (x - lower[0]) * (1.0 / step[0])
    v = (y - lower[1]) * (1.0 / step[1])
    w = (z - lower[2]) * (1.0 / step[2])
    i = clamped(int(u + 0.5), 0, nx - 1)
    j = clamped(int(v + 0.5), 0, ny - 1)
    k = clamped(int(w + 0.5), 0, nz - 1)
    du = (u - i) * step[0]
    dv = (v - j) * step[1]
    dw = (w - k) * step[2]
    away = sqrt(du * du + dv * dv + dw * dw)
    value = field[i, j, k] * QUANTUM_MM
    return value - away, value + away + _UP


@jit_inline
def bounds_from_corners(field, lower, step, least_need, x, y, z):  # type: ignore[no-untyped-def]
    """Lower and upper bound of the obstacle field at (x, y, z), from all corners of the cell that contains
    it.

    The lower bound uses the concavity of squared distance, the upper bound the nearest corner.
    """
    nx, ny, nz = field.shape
    u = (x - lower[0]) * (1.0 / step[0])
    v = (y - lower[1]) * (1.0 / step[1])
    w = (z - lower[2]) * (1.0 / step[2])
    i = clamped(int(u), 0, nx - 2)
    j = clamped(int(v), 0, ny - 2)
    k = clamped(int(w), 0, nz - 2)
    fu = u - i
    fv = v - j
    fw = w - k
    squared = 0.0
    for di in range(2):
        wi = fu if di == 1 else 1.0 - fu
        for dj in range(2):
            wj = wi * (fv if dj == 1 else 1.0 - fv)
            for dk in range(2):
                e = field[i + di, j + dj, k + dk] * QUANTUM_MM + least_need
                if e > 0.0:
                    squared += wj * (fw if dk == 1 else 1.0 - fw) * e * e
    gu, gv, gw = step[0] * min(fu, 1.0 - fu), step[1] * min(fv, 1.0 - fv), step[2] * min(fw, 1.0 - fw)
    variance = gu * (step[0] - gu) + gv * (step[1] - gv) + gw * (step[2] - gw)
    nearest = field[i + (fu > 0.5), j + (fv > 0.5), k + (fw > 0.5)] * QUANTUM_MM
    high = nearest + sqrt(gu * gu + gv * gv + gw * gw) + _UP
    low = sqrt(squared - variance) - least_need if squared > variance else -least_need
    return low, high
