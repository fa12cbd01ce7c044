"""Touched structures: the structures that the wall of a needle touches, for many needles at once.

    . . . x x . .        only voxels within the needle's radius of its axis matter: a few for each part of the
    o-----x-x-----|      axis, most of them of no structure. For the others the distance from the axis to the
    . . . . x . .        voxel's box is computed, until one touches.

The result is that of the original voxels: no distance field, no error beyond rounding. Beyond the field of
view the scene continues as at the nearest point of its box, as for clearance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.frames import Grid
from anatomy.runtime.jit import jit
from anatomy.runtime.parallel import parallel_for
from anatomy.structures import Structure
from planner.measuring.crossings import by_layer
from planner.measuring.segment_box import clamped_polyline, segment_box_distance2

PART_MM = 2.0
"""Length of axis that is examined at a time. It only affects speed."""

_NOTHING = -1
_GUARD_MM = 1e-9


@dataclass(frozen=True, eq=False)
class TouchedStructures:
    """Which structures (columns, by name) each of n needles touches."""

    names: tuple[str, ...]
    by: Bool[np.ndarray, "n s"]


def touched_structures(
    structures: Iterable[Structure],
    grid: Grid,
    one_B: Float[np.ndarray, "n 3"],
    two_B: Float[np.ndarray, "n 3"],
    radius_mm: float,
) -> TouchedStructures:
    """Which structures lie within the radius of each axis from `one_B` to `two_B`. [mm]"""
    layers = by_layer(structures)
    groups = [group for layer in layers for group in layer.structures.values()]
    touches = np.zeros((len(one_B), len(groups)), bool)
    axes = np.ascontiguousarray(np.stack([one_B, two_B], axis=1))
    box = (grid.spacing_mm, grid.lower_B, grid.upper_B)
    first = 0
    for layer in layers:
        columns = np.full(int(layer.voxels.max()) + 1, _NOTHING, np.int64)
        for column, label in enumerate(layer.structures, start=first):
            columns[label] = column
        first += len(layer.structures)
        _on_all_threads(layer.voxels, columns, box, axes, radius_mm, touches)
    by_name = sorted((s.name, column) for column, group in enumerate(groups) for s in group)
    return TouchedStructures(
        tuple(name for name, _ in by_name), touches[:, [column for _, column in by_name]]
    )


def _on_all_threads(
    voxels: np.ndarray,
    columns: np.ndarray,
    box: tuple[np.ndarray, np.ndarray, np.ndarray],
    axes: np.ndarray,
    radius_mm: float,
    touches: np.ndarray,
) -> None:
    """Fill `touches`, each range of rows by one thread."""
    parallel_for(lambda a, b: _touch_range(voxels, columns, *box, axes, radius_mm, touches, a, b), len(axes))


@jit
def _indices(one, two, reach, spacing, count):  # type: ignore[no-untyped-def]
    """First index along one axis of voxels within `reach` of the interval one..two, and the one after the
    last."""
    first = floor((min(one, two) - reach) / spacing + 0.5)
    last = floor((max(one, two) + reach) / spacing + 0.5)
    return max(first, 0), min(last, count - 1) + 1


@jit
def _touch_range(voxels, columns, spacing, lower, upper, axes, radius, touches, first, last):  # type: ignore[no-untyped-def]
    """Fill rows first..last of `touches` (n, c): whether axes (n, 2, 3) come within the radius of a box whose
    label has that column."""
    for n in range(first, last):
        corners = clamped_polyline(axes[n, 0], axes[n, 1], lower, upper)
        for piece in range(corners.shape[0] - 1):
            _touch_piece(voxels, columns, spacing, corners[piece], corners[piece + 1], radius, touches[n])


@jit
def _touch_piece(voxels, columns, spacing, one, two, radius, touches):  # type: ignore[no-untyped-def]
    """`_touch_range` for one straight piece of one axis."""
    low = np.empty(3)
    high = np.empty(3)
    reach = radius + _GUARD_MM
    length = sqrt((two[0] - one[0]) ** 2 + (two[1] - one[1]) ** 2 + (two[2] - one[2]) ** 2)
    parts = int(length / PART_MM) + 1
    for part in range(parts):
        for a in range(3):
            low[a] = one[a] + (two[a] - one[a]) * (part / parts)
            high[a] = one[a] + (two[a] - one[a]) * ((part + 1) / parts)
        i0, i1 = _indices(low[0], high[0], reach, spacing[0], voxels.shape[0])
        j0, j1 = _indices(low[1], high[1], reach, spacing[1], voxels.shape[1])
        k0, k1 = _indices(low[2], high[2], reach, spacing[2], voxels.shape[2])
        for i in range(i0, i1):
            for j in range(j0, j1):
                for k in range(k0, k1):
                    column = columns[voxels[i, j, k]]
                    if column != _NOTHING and not touches[column]:
                        lower = ((i - 0.5) * spacing[0], (j - 0.5) * spacing[1], (k - 0.5) * spacing[2])
                        upper = ((i + 0.5) * spacing[0], (j + 0.5) * spacing[1], (k + 0.5) * spacing[2])
                        if segment_box_distance2(one, two, lower, upper) <= radius * radius:
                            touches[column] = True
