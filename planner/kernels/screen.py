"""The screen: a coarse, small copy of the obstacle field that finds surely blocked lines fast.

Most lines are blocked deep inside an organ. To see that needs no fine field: tiles of 2 x 2 x 2 nodes hold a
lower and an upper bound of (distance - need) over all points nearest to their nodes, in quarters of a
millimetre. They take a byte each and stay in cache, where the fine field does not.
"""

from math import ceil, floor, sqrt

import numpy as np
from jaxtyping import Int8, Int16

from anatomy.distance import QUANTUM_MM, ROUNDING_QUANTA
from anatomy.threads import spread
from planner.kernels.jit import loop
from planner.kernels.lookup import clamped

TILE = 2
"""Nodes of a tile along each axis: of 2, 3 and 4 the fastest (benchmarks/line_tests.py)."""
PER_MM = 4.0
LEAST_STEP_MM = 3.0
"""A longer step can miss a block, never invent one; what is missed the exact walk finds."""


def screen(
    field: Int16[np.ndarray, "nx ny nz"], step_mm: tuple[float, float, float]
) -> Int8[np.ndarray, "mx my mz 2"]:
    """Lower and upper bounds of tiles. [1 / PER_MM mm]"""
    shape = [-(-n // TILE) for n in field.shape]
    out = np.empty((shape[0], shape[1], shape[2], 2), np.int8)
    reach = 0.5 * sqrt(step_mm[0] ** 2 + step_mm[1] ** 2 + step_mm[2] ** 2)
    spread(lambda first, last: _fill(field, reach, out, first, last), shape[0])
    return out


@loop
def _fill(field, reach, out, first, last):  # type: ignore[no-untyped-def]
    nx, ny, nz = field.shape
    for i in range(first, last):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                least, most = 32767, -32768
                for a in range(i * TILE, min((i + 1) * TILE, nx)):
                    for b in range(j * TILE, min((j + 1) * TILE, ny)):
                        for c in range(k * TILE, min((k + 1) * TILE, nz)):
                            value = field[a, b, c]
                            least = min(least, value)
                            most = max(most, value)
                low = floor((least * QUANTUM_MM - reach) * PER_MM)
                high = ceil(((most + ROUNDING_QUANTA) * QUANTUM_MM + reach) * PER_MM)
                out[i, j, k, 0] = clamped(low, -127.0, 127.0)
                out[i, j, k, 1] = clamped(high, -127.0, 127.0)


@loop
def blocked_at(world, p, d, start, end):  # type: ignore[no-untyped-def]
    """Some s of [start, end) where p + s d is surely too near an obstacle, or `end` if none shows."""
    tiles = world.screen
    nx, ny, nz, _ = tiles.shape
    ix, iy, iz = (
        1.0 / (TILE * world.obstacle_step[0]),
        1.0 / (TILE * world.obstacle_step[1]),
        1.0 / (TILE * world.obstacle_step[2]),
    )
    # Points nearest to a tile's nodes begin half a step before its first node.
    shift = 0.5 / TILE
    x = (p[0] - world.lower[0]) * ix + shift
    y = (p[1] - world.lower[1]) * iy + shift
    z = (p[2] - world.lower[2]) * iz + shift
    dx, dy, dz = d[0] * ix, d[1] * iy, d[2] * iz
    s = start
    while s < end:
        i = clamped(int(x + s * dx), 0, nx - 1)
        j = clamped(int(y + s * dy), 0, ny - 1)
        k = clamped(int(z + s * dz), 0, nz - 1)
        if tiles[i, j, k, 1] < 0:
            return s
        s += max(tiles[i, j, k, 0] * (1.0 / PER_MM), LEAST_STEP_MM)
    return end
