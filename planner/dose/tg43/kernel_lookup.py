"""The compiled loops of the dose kernel: where in the table a point lies, and what stands there.

The table holds D q: dose D of one seed by the product q of a point's distances to both ends of the active
line, nearly flat where D has its poles. Rows are steps in r, columns steps in theta:

    row    20 r           up to 10 mm      each 0.05 mm
           160 + 4 r      up to 100 mm     each 0.25 mm
           460 + r        up to 1 m        each 1 mm
    column 2 theta        up to 90 deg     each 0.5 deg

so that the radii of published g and F, and the angles of F, where both have kinks, lie on nodes.

    q^2 = ((z - L/2)^2 + rho^2) ((z + L/2)^2 + rho^2) = (r^2 + L^2/4)^2 - L^2 z^2

Work is done for BLOCK points at a time, in two passes. The first has no branch and no look-up, so that the
compiler does it for 8 points at once; were it one loop, a look-up might, for all it knows, read what was just
written. Coordinates and squares are float64, roots and what follows float32: their rounding, some 1e-7, is
far below what interpolation leaves.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float

from anatomy.runtime.jit import jit, jit_inline

BLOCK = 256
"""Points of one pass: what is kept between the two passes stays in the innermost cache."""

ROWS, COLUMNS = 1461, 181
REACH_MM = 1000.0
"""Where the table ends: farther apart than any two points of a patient. Beyond, dose is taken as 0: there no
source gives more than 4e-16 Gy/U."""

_f = np.float32
_LAST_ROW, _LAST_COLUMN = (np.nextafter(_f(n - 1), _f(0.0)) for n in (ROWS, COLUMNS))
_NEAR, _MIDDLE, _MIDDLE_OFFSET, _FAR_OFFSET = _f(20.0), _f(4.0), _f(160.0), _f(460.0)
_ZERO, _ONE = _f(0.0), _f(1.0)

# Columns by theta = 45 deg + atan w, w = (rho - z) / (rho + z), |w| <= 1. The arc tangent is that of Hastings
# (Abramowitz and Stegun 4.4.47), |error| <= 1e-5 rad: 0.001 of a column.
_COLUMN_45 = _f(90.0)
_A1, _A3, _A5, _A7, _A9 = (
    _f(a * 360.0 / np.pi) for a in (0.9998660, -0.3302995, 0.1801410, -0.0851330, 0.0208351)
)


def node_radii_mm() -> Float[np.ndarray, " rows"]:
    """The radius r of each row. [mm]"""
    row = np.arange(float(ROWS))
    return np.asarray(np.maximum(np.maximum(row / 20.0, (row - 160.0) / 4.0), row - 460.0))


def node_angles_deg() -> Float[np.ndarray, " columns"]:
    """The angle theta of each column. [deg]"""
    return np.arange(float(COLUMNS)) / 2.0


@jit_inline
def _locate(kernel, x, y, z, seed, axis, cell, place):  # type: ignore[no-untyped-def]
    """First pass: the table cell of each point about one seed; how far it lies through it, and 1 / q.

    `place` holds three quantities one after another, BLOCK each: one array, since the compiler must show
    that what is written overlaps with nothing that is read, and gives up over many.
    """
    for i in range(len(x)):
        dx, dy, dz = x[i] - seed[0], y[i] - seed[1], z[i] - seed[2]
        along = dx * axis[0] + dy * axis[1] + dz * axis[2]
        # rho from the part across the axis: r^2 - along^2 would lose all digits near the axis.
        dx, dy, dz = dx - along * axis[0], dy - along * axis[1], dz - along * axis[2]
        rho2 = dx * dx + dy * dy + dz * dz
        along = abs(along)
        rho2 = kernel.radius2 if (along <= kernel.tip) & (rho2 < kernel.radius2) else rho2
        along2 = along * along
        r2 = along2 + rho2
        r2 = r2 if r2 > kernel.radius2 else kernel.radius2
        sum2 = r2 + kernel.half_line2
        q = sqrt(np.float32(sum2 * sum2 - 4.0 * kernel.half_line2 * along2))
        rho, r, along = sqrt(np.float32(rho2)), sqrt(np.float32(r2)), np.float32(along)
        # Above 0: where along is 0, rho is the capsule's radius or more.
        both = rho + along
        inverse = _ONE / (both * q)
        w = (rho - along) * q * inverse
        w2 = w * w
        v = _COLUMN_45 + w * (_A1 + w2 * (_A3 + w2 * (_A5 + w2 * (_A7 + w2 * _A9))))
        # Written so that a NaN ends at a bound: what is not a number must not become an address.
        v = v if v < _LAST_COLUMN else _LAST_COLUMN
        v = v if v > _ZERO else _ZERO
        near, middle, far = _NEAR * r, _MIDDLE_OFFSET + _MIDDLE * r, _FAR_OFFSET + r
        u = near if near < middle else middle
        u = u if u < far else far
        u = u if u < _LAST_ROW else _LAST_ROW
        row, column = np.int32(u), np.int32(v)
        cell[i] = row * COLUMNS + column
        place[i] = u - np.float32(row)
        place[BLOCK + i] = v - np.float32(column)
        place[2 * BLOCK + i] = both * inverse


@jit_inline
def _dose(table, cell, place, i):  # type: ignore[no-untyped-def]
    """Second pass, one point: bilinear in the table, by q. [Gy/U]"""
    c, u, v = np.uint64(cell[i]), place[i], place[BLOCK + i]
    nearer = table[c] + v * (table[c + np.uint64(1)] - table[c])
    c += np.uint64(COLUMNS)
    farther = table[c] + v * (table[c + np.uint64(1)] - table[c])
    return (nearer + u * (farther - nearer)) * place[2 * BLOCK + i]


@jit
def add_doses(kernel, points, seeds, axes, doses, first, last):  # type: ignore[no-untyped-def]
    """Add the doses of all seeds (m, 3), in their order, to `doses` (n,) of points (3, n) first..last."""
    cell, place = np.empty(BLOCK, np.int32), np.empty(3 * BLOCK, np.float32)
    for a in range(first, last, BLOCK):
        b = min(a + BLOCK, last)
        x, y, z, out = points[0, a:b], points[1, a:b], points[2, a:b], doses[a:b]
        for s in range(len(seeds)):
            seed, axis = (seeds[s, 0], seeds[s, 1], seeds[s, 2]), (axes[s, 0], axes[s, 1], axes[s, 2])
            _locate(kernel, x, y, z, seed, axis, cell, place)
            for i in range(len(x)):
                out[i] += _dose(kernel.table, cell, place, i)


@jit
def fill_doses(kernel, points, seeds, axes, doses, first, last):  # type: ignore[no-untyped-def]
    """Write the dose of each seed (m, 3) at points (3, n) first..last to its row of `doses` (m, n)."""
    cell, place = np.empty(BLOCK, np.int32), np.empty(3 * BLOCK, np.float32)
    for a in range(first, last, BLOCK):
        b = min(a + BLOCK, last)
        x, y, z = points[0, a:b], points[1, a:b], points[2, a:b]
        for s in range(len(seeds)):
            seed, axis = (seeds[s, 0], seeds[s, 1], seeds[s, 2]), (axes[s, 0], axes[s, 1], axes[s, 2])
            _locate(kernel, x, y, z, seed, axis, cell, place)
            out = doses[s, a:b]
            for i in range(len(x)):
                out[i] = _dose(kernel.table, cell, place, i)
