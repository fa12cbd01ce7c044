"""Which structures the walls of many needles touch, from points along their axes.

    o  .  .  .  .  .  |      the distance of a box from the nearest point is at least its distance d from the
        [box]                axis, and at most sqrt(d^2 + (step/2)^2)

A box that is near enough to a point is touched, and a box that is not nearly near enough to any point is not.
This decides all needles except those within some hundredths of a millimetre of the limit, without the
distance of a segment to a box.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from anatomy.geometry.frames import Grid
from anatomy.structures import Structure
from planner.verify.compiled import loop
from planner.verify.geometry.boxes import point_box2
from planner.verify.tolerances import DISTANCE_MM

STEP_MM = 0.2
"""Distance of points along an axis [U]."""


@dataclass(frozen=True, eq=False)
class Touching:
    """What n needles surely touch, and what they may touch: a row for each needle, a column for each name."""

    names: tuple[str, ...]
    surely: Bool[np.ndarray, "n s"]
    maybe: Bool[np.ndarray, "n s"]


def touching(
    structures: Iterable[Structure],
    grid: Grid,
    one_B: Float[np.ndarray, "n 3"],
    two_B: Float[np.ndarray, "n 3"],
    radius_mm: float,
) -> Touching:
    """What lies within the radius of each axis from `one_B` to `two_B`. A point beyond the field of view is
    judged at the nearest point of its box. [mm]"""
    ordered = sorted(structures, key=lambda s: s.name)
    surely, maybe = (np.zeros((len(one_B), len(ordered)), bool) for _ in range(2))
    of_layer: dict[int, list[int]] = {}
    for column, structure in enumerate(ordered):
        of_layer.setdefault(id(structure.mask.layer), []).append(column)
    ends = np.stack([one_B, two_B], axis=1)
    for columns in of_layer.values():
        layer = ordered[columns[0]].mask.layer
        labels = np.array([ordered[column].mask.label for column in columns])
        values = np.unique(labels)
        touched = np.zeros((2, len(one_B), len(values)), bool)
        place = np.full(int(layer.max()) + 1, -1, np.int64)
        place[values[values < len(place)]] = np.flatnonzero(values < len(place))
        around = ((radius_mm + STEP_MM) / grid.spacing_mm).astype(np.int64) + 1
        _look(layer, place, grid.spacing_mm, grid.lower_B, grid.upper_B, around, ends, radius_mm, touched)
        at = np.searchsorted(values, labels)
        surely[:, columns], maybe[:, columns] = touched[0][:, at], touched[1][:, at]
    return Touching(tuple(s.name for s in ordered), surely, maybe)


@loop
def _look(layer, place, spacing, low_B, high_B, around, ends, radius, touched):  # type: ignore[no-untyped-def]
    """Mark in seen[0] what surely lies near each axis, and in seen[1] what may lie near it."""
    x, low, high, index = np.empty(3), np.empty(3), np.empty(3), np.empty(3, np.int64)
    sure2 = max(0.0, radius - DISTANCE_MM) ** 2
    for n in range(len(ends)):
        line = ends[n, 1] - ends[n, 0]
        steps = max(1, int(np.ceil(np.sqrt((line * line).sum()) / STEP_MM)))
        for m in range(steps + 1):
            outside = False
            for a in range(3):
                p = ends[n, 0, a] + line[a] * m / steps
                x[a] = min(max(p, low_B[a]), high_B[a])
                outside |= x[a] != p
                index[a] = min(max(int(np.floor(x[a] / spacing[a] + 0.5)), 0), layer.shape[a] - 1)
            # Outside, the axis becomes a polyline, and the nearest point may be a corner of it.
            beyond = radius + DISTANCE_MM
            maybe2 = (beyond + STEP_MM / 2) ** 2 if outside else beyond**2 + (STEP_MM / 2) ** 2
            _mark(layer, place, spacing, around, x, index, low, high, sure2, maybe2, touched[:, n])


@loop
def _mark(layer, place, spacing, around, x, index, low, high, sure2, maybe2, touched):  # type: ignore[no-untyped-def]
    """Mark the structures whose boxes around one point's voxel are near enough to the point."""
    for i in range(max(0, index[0] - around[0]), min(layer.shape[0], index[0] + around[0] + 1)):
        for j in range(max(0, index[1] - around[1]), min(layer.shape[1], index[1] + around[1] + 1)):
            for k in range(max(0, index[2] - around[2]), min(layer.shape[2], index[2] + around[2] + 1)):
                column = place[layer[i, j, k]]
                if column < 0 or touched[0, column]:
                    continue
                low[0], low[1], low[2] = (
                    (i - 0.5) * spacing[0],
                    (j - 0.5) * spacing[1],
                    (k - 0.5) * spacing[2],
                )
                high[0], high[1], high[2] = low[0] + spacing[0], low[1] + spacing[1], low[2] + spacing[2]
                away2 = point_box2(x, low, high)
                touched[0, column] |= away2 <= sure2
                touched[1, column] |= away2 <= maybe2
