"""Voxel walk: the labels along a line, and where each begins and ends.

    s = 0                                    s = length
    o====|=======|===|==========|======|=====o
      3      3     0      7        7      3        ->  runs  3 3 | 0 | 7 7 | 3

The line goes from voxel to voxel through the face that it meets first (Amanatides and Woo, "A fast voxel
traversal algorithm for ray tracing", Eurographics 1987). Each face's position is computed from its index and
not accumulated, so rounding errors do not add up over hundreds of voxels.
"""

import numpy as np

from anatomy.runtime.jit import jit
from planner.measuring.voxel_faces import face, voxel_of

ROUNDING_MM = 1e-9
"""A shorter piece of a line inside a voxel is float64 rounding at an edge or corner: half a metre in mm has a
rounding of 1e-13, and divisions by small slopes lose a few more digits."""


@jit
def runs_along(layer, spacing, start_B, direction_B, length_mm):  # type: ignore[no-untyped-def]
    """Labels (n,) of the runs from `start_B` on, and the n + 1 positions that bound the runs. [mm from the
    start]

    `layer` (nx, ny, nz) holds labels, `spacing` (3,) the voxels' size, `direction_B` (3,) a unit vector.
    Beyond the layer the nearest voxel's label continues. Successive runs have different labels. A line not
    longer than ROUNDING_MM gives no run.
    """
    index = np.empty(3, np.int64)
    ends = np.empty(3)
    steps = 1
    for a in range(3):
        index[a] = voxel_of(start_B[a], direction_B[a], 0.0, spacing[a])
        ends[a] = face(start_B[a], direction_B[a], index[a], spacing[a])
        steps += 2 + int(abs(direction_B[a]) * length_mm / spacing[a])
    labels = np.empty(steps, np.int64)
    bounds = np.zeros(steps + 1)
    n = 0
    s = 0.0
    while s < length_mm - ROUNDING_MM:
        axis = np.argmin(ends)
        out = min(ends[axis], length_mm)
        if out - s > ROUNDING_MM:
            i = min(max(index[0], 0), layer.shape[0] - 1)
            j = min(max(index[1], 0), layer.shape[1] - 1)
            k = min(max(index[2], 0), layer.shape[2] - 1)
            here = np.int64(layer[i, j, k])
            if n == 0 or labels[n - 1] != here:
                labels[n] = here
                n += 1
            s = out
            bounds[n] = s
        index[axis] += 1 if direction_B[axis] > 0.0 else -1
        ends[axis] = face(start_B[axis], direction_B[axis], index[axis], spacing[axis])
    return labels[:n], bounds[: n + 1]


@jit
def span_in_box(lower, upper, start_B, direction_B):  # type: ignore[no-untyped-def]
    """First and last s at which start + s direction is in the box; first > last if it never is."""
    first, last = -np.inf, np.inf
    for a in range(3):
        d = direction_B[a]
        if d == 0.0:
            if start_B[a] < lower[a] or start_B[a] > upper[a]:
                return np.inf, -np.inf
        else:
            s = (lower[a] - start_B[a]) / d
            t = (upper[a] - start_B[a]) / d
            first = max(first, min(s, t))
            last = min(last, max(s, t))
    return first, last
