"""Clearance: the exact distance from a needle's axis to the nearest voxel box of a forbidden structure.

Boxes are examined slab by slab across the needle, first within a few millimetres:

    . . | x x x | . .         a slab of voxels across the axis' main direction, and in it only the voxels
    . . | x-x-x---> .         within reach of the part of the axis that comes within reach of the slab
    . . | x x x | . .

Every box nearer than the reach is among them. If there is none, the reach is doubled. So the answer is exact,
and it is computed quickly for a needle close to a structure.
"""

from collections.abc import Iterable, Mapping
from math import floor, sqrt

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.runtime.jit import jit
from anatomy.structures import Structure
from planner.measuring.crossings import by_layer
from planner.measuring.segment_box import clamped_polyline, segment_box_distance2

FIRST_REACH_MM = 6.0
"""Reach of the first search. It only affects speed: safe needles pass organs at 3 to 10 mm."""

_GUARD_MM = 1e-9


class Obstacles:
    """The voxels of some structures, prepared for finding the one nearest to a needle."""

    def __init__(self, structures: Iterable[Structure], grid: Grid) -> None:
        chosen = tuple(structures)
        self._names = tuple(sorted({s.name for s in chosen}))
        self._layers = tuple(
            (layer.voxels, *self._table(layer.voxels, layer.structures)) for layer in by_layer(chosen)
        )
        self._spacing_mm = grid.spacing_mm
        self._lower_B = grid.lower_B
        self._upper_B = grid.upper_B

    def _table(
        self, voxels: np.ndarray, structures_of_label: Mapping[int, tuple[Structure, ...]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The structures of each label of a layer, as indices into the sorted names: where those of each
        label begin, and all of them, as `nearest_of_each` expects."""
        size = int(np.iinfo(voxels.dtype).max) if voxels.dtype.itemsize <= 2 else int(voxels.max())
        counts = np.zeros(size + 2, np.int64)
        for label, group in structures_of_label.items():
            counts[label + 1] = len(group)
        members = [
            self._names.index(s.name)
            for label in sorted(structures_of_label)
            for s in structures_of_label[label]
        ]
        return np.cumsum(counts), np.array(members, np.int64)

    def nearest(
        self, one_B: Float[np.ndarray, "3"], two_B: Float[np.ndarray, "3"], reach_mm: float
    ) -> tuple[float, str]:
        """Smallest distance from the segment to a voxel box, and its structure. [mm]

        Beyond the field of view the scene continues as at the nearest point of its box. Of structures at the
        same distance the first by name is returned; (inf, "") if none lies within `reach_mm`.
        """
        axis_B = clamped_polyline(one_B, two_B, self._lower_B, self._upper_B)
        if not self._names:
            return np.inf, ""
        reach = min(FIRST_REACH_MM, reach_mm)
        nearest = np.full(len(self._names), np.inf)
        while True:
            for voxels, starts, members in self._layers:
                nearest_of_each(voxels, starts, members, self._spacing_mm, axis_B, reach, nearest)
            first = int(np.argmin(nearest))
            if nearest[first] <= reach:
                return float(nearest[first]), self._names[first]
            if reach >= reach_mm:
                return np.inf, ""
            reach = min(reach_mm, 2.0 * reach)

    def lacking_most(
        self,
        one_B: Float[np.ndarray, "3"],
        two_B: Float[np.ndarray, "3"],
        needs_mm: Mapping[str, float],
        reach_mm: float,
    ) -> str:
        """The structure that lacks most of its need: the one with the smallest distance minus need. [mm]

        Of equal ones the first by name; "" if none lies within `reach_mm`, which must not be less than any
        need.
        """
        axis_B = clamped_polyline(one_B, two_B, self._lower_B, self._upper_B)
        nearest = np.full(len(self._names), np.inf)
        for voxels, starts, members in self._layers:
            nearest_of_each(voxels, starts, members, self._spacing_mm, axis_B, reach_mm, nearest)
        lacks = nearest - np.array([needs_mm[name] for name in self._names])
        return self._names[int(np.argmin(lacks))] if np.isfinite(lacks).any() else ""


@jit
def slab_part(one, two, axis, low, high):  # type: ignore[no-untyped-def]
    """First and last t in [0, 1] with one + t (two - one) in [low, high] along `axis`; first > last if
    none."""
    d = two[axis] - one[axis]
    if d == 0.0:
        return (0.0, 1.0) if low <= one[axis] <= high else (1.0, 0.0)
    s = (low - one[axis]) / d
    t = (high - one[axis]) / d
    return max(0.0, min(s, t)), min(1.0, max(s, t))


@jit
def indices(low, high, spacing, count):  # type: ignore[no-untyped-def]
    """First and last index along one axis of voxels that meet [low, high]."""
    return max(floor(low / spacing + 0.5), 0), min(floor(high / spacing + 0.5), count - 1)


@jit
def across(one, two, m, u, t0, t1, centre, half, reach):  # type: ignore[no-untyped-def]
    """The interval along axis `u` in which parts of a slab may be within reach of the segment. [mm]

    The slab is `centre` +- `half` along the segment's main axis `m`; `t0` to `t1` is the part of the segment
    within reach of it. A cylinder of radius R about the unit vector d meets a plane across m in an ellipse
    that extends R sqrt(1 + (d_u / d_m)^2) to either side of the axis; along m the axis shifts by d_u / d_m.
    """
    at_t0, at_t1 = one[u] + t0 * (two[u] - one[u]), one[u] + t1 * (two[u] - one[u])
    low, high = min(at_t0, at_t1) - reach, max(at_t0, at_t1) + reach
    rise = two[m] - one[m]
    if rise == 0.0:
        return low, high
    slope = (two[u] - one[u]) / rise
    middle = one[u] + (centre - one[m]) * slope
    wide = reach * sqrt(1.0 + slope * slope) + half * abs(slope)
    return max(low, middle - wide), min(high, middle + wide)


@jit
def nearest_of_each(voxels, starts, members, spacing, axis_B, reach, nearest):  # type: ignore[no-untyped-def]
    """Lower `nearest` (structures) to the distance from the axis to each structure within `reach`. [mm]

    A voxel that holds c belongs to the structures members[starts[c]:starts[c + 1]], given by number; `axis_B`
    (n, 3) is a polyline.
    """
    half_diagonal = 0.5 * sqrt(spacing[0] ** 2 + spacing[1] ** 2 + spacing[2] ** 2)
    at = np.empty(3, np.int64)
    lower = np.empty(3)
    upper = np.empty(3)
    for piece in range(axis_B.shape[0] - 1):
        one = axis_B[piece]
        two = axis_B[piece + 1]
        m = np.argmax(np.abs(two - one))
        u, v = (m + 1) % 3, (m + 2) % 3
        looked = reach + _GUARD_MM
        first, last = indices(
            min(one[m], two[m]) - looked, max(one[m], two[m]) + looked, spacing[m], voxels.shape[m]
        )
        for i in range(first, last + 1):
            centre = i * spacing[m]
            wide = 0.5 * spacing[m] + looked
            t0, t1 = slab_part(one, two, m, centre - wide, centre + wide)
            if t0 > t1:
                continue
            at[m] = i
            low, high = across(one, two, m, u, t0, t1, centre, 0.5 * spacing[m], looked)
            first_u, last_u = indices(low, high, spacing[u], voxels.shape[u])
            low, high = across(one, two, m, v, t0, t1, centre, 0.5 * spacing[m], looked)
            first_v, last_v = indices(low, high, spacing[v], voxels.shape[v])
            for j in range(first_u, last_u + 1):
                at[u] = j
                for k in range(first_v, last_v + 1):
                    at[v] = k
                    label = voxels[at[0], at[1], at[2]]
                    if starts[label] == starts[label + 1]:
                        continue
                    farthest = 0.0
                    for n in range(starts[label], starts[label + 1]):
                        farthest = max(farthest, min(nearest[members[n]], looked))
                    # No point of the box is farther from its centre than half its diagonal: most boxes are
                    # too far by that.
                    far = farthest + half_diagonal
                    if centre_distance2(one, two, at, spacing) > far * far:
                        continue
                    for a in range(3):
                        lower[a] = (at[a] - 0.5) * spacing[a]
                        upper[a] = (at[a] + 0.5) * spacing[a]
                    distance = sqrt(segment_box_distance2(one, two, lower, upper))
                    if distance > reach:
                        continue
                    for n in range(starts[label], starts[label + 1]):
                        nearest[members[n]] = min(nearest[members[n]], distance)


@jit
def centre_distance2(one, two, at, spacing):  # type: ignore[no-untyped-def]
    """Squared distance from the segment to a voxel's centre. [mm2]"""
    along, length2 = 0.0, 0.0
    for a in range(3):
        d = two[a] - one[a]
        along += (at[a] * spacing[a] - one[a]) * d
        length2 += d * d
    t = min(max(along / length2, 0.0), 1.0) if length2 > 0.0 else 0.0
    distance2 = 0.0
    for a in range(3):
        e = at[a] * spacing[a] - one[a] - t * (two[a] - one[a])
        distance2 += e * e
    return distance2
