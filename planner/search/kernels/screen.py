"""Screen: a small, coarse copy of the obstacle field that fits into the processor's cache and answers most
queries.

Most lines are blocked deep inside an organ, and most of a clear line is far from all organs. Neither case
needs the fine field: a tile of 2 x 2 x 2 nodes gives one byte for all points that are nearest to its nodes,

    < 0   certainly too near an obstacle
    n     (distance - need) is at least n / PER_MM; 0 gives no information
"""

from math import floor, sqrt

import numpy as np
from jaxtyping import Int8, Int16

from anatomy.geometry.distance_field import QUANTUM_MM, ROUNDING_QUANTA
from anatomy.runtime.jit import jit, jit_inline
from anatomy.runtime.parallel import parallel_for
from planner.search.kernels.lookup import clamped

TILE = 2
"""Nodes of a tile along each axis. Larger tiles are faster to walk, but the fine field is needed more
often."""
PER_MM = 4.0
LOOKS, LOOK_APART = 16, np.int64(28)
STRIDE = np.int64(20)
"""Number of looks at fixed positions and steps between them, and the largest step of the walk that follows:
larger steps miss thin obstacles, smaller ones take longer."""
ROUNDING_MM = 1e-5

_MAX_TILE = 127.0
_BITS = np.int64(32)
_ONE = 2.0**32


def screen(
    field: Int16[np.ndarray, "nx ny nz"], step_mm: tuple[float, float, float]
) -> Int8[np.ndarray, "mx my mz"]:
    """The tiles of an obstacle field, with values as above."""
    shape = [-(-n // TILE) for n in field.shape]
    out = np.empty((shape[0], shape[1], shape[2]), np.int8)
    reach = 0.5 * sqrt(step_mm[0] ** 2 + step_mm[1] ** 2 + step_mm[2] ** 2) + ROUNDING_MM
    parallel_for(lambda first, last: _fill(field, reach, out, first, last), shape[0])
    return out


@jit
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
                if (most + ROUNDING_QUANTA + 1.0) * QUANTUM_MM + reach < 0.0:
                    out[i, j, k] = -1
                else:
                    low = floor((least * QUANTUM_MM - reach) * PER_MM)
                    out[i, j, k] = clamped(low, 0.0, _MAX_TILE)


@jit_inline
def tile_walk(fields, p, d, start):  # type: ignore[no-untyped-def]
    """The line from s = `start` on, counted in whole steps of 1 / PER_MM: (x, y, z) and (dx, dy, dz).

    In fixed point, with the tile index in the upper bits, so that one step needs only a few fast
    instructions. Over a needle's length the rounding stays below ROUNDING_MM.
    """
    # The points nearest to a tile's nodes begin half a step before its first node.
    shift = 0.5 / TILE
    ix = 1.0 / (TILE * fields.obstacle_step[0])
    iy = 1.0 / (TILE * fields.obstacle_step[1])
    iz = 1.0 / (TILE * fields.obstacle_step[2])
    at = (
        np.int64(((p[0] + start * d[0] - fields.lower[0]) * ix + shift) * _ONE),
        np.int64(((p[1] + start * d[1] - fields.lower[1]) * iy + shift) * _ONE),
        np.int64(((p[2] + start * d[2] - fields.lower[2]) * iz + shift) * _ONE),
    )
    by = (
        np.int64(d[0] * ix * (_ONE / PER_MM)),
        np.int64(d[1] * iy * (_ONE / PER_MM)),
        np.int64(d[2] * iz * (_ONE / PER_MM)),
    )
    return at, by


@jit_inline
def tile_at(tiles, at, by, step):  # type: ignore[no-untyped-def]
    """The tile of the line of `tile_walk` after this many steps; beyond the field, the nearest tile."""
    nx, ny, nz = tiles.shape
    i = clamped((at[0] + step * by[0]) >> _BITS, 0, nx - 1)
    j = clamped((at[1] + step * by[1]) >> _BITS, 0, ny - 1)
    k = clamped((at[2] + step * by[2]) >> _BITS, 0, nz - 1)
    return np.int64(tiles[i, j, k])


@jit_inline
def surely_blocked(fields, p, d, start, end):  # type: ignore[no-untyped-def]
    """Whether a point between `start` and `end` is certainly too near an obstacle. Not all such points are
    found."""
    at, by = tile_walk(fields, p, d, start)
    last = np.int64((end - start) * PER_MM)
    in_view = False
    # Independent lookups overlap in the processor; most lines are decided here.
    for look in range(LOOKS):
        step = min(look * LOOK_APART, last)
        in_view |= tile_at(fields.screen, at, by, step) < 0
    if in_view:
        return True
    step = np.int64(0)
    while step < last:
        tile = tile_at(fields.screen, at, by, step)
        if tile < 0:
            return True
        step += max(tile, STRIDE)
    return False
