"""Crossings of many needles in one call, each as planner.measuring.crossings computes it for one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.geometry.masks import VoxelMask
from anatomy.runtime.jit import jit
from anatomy.runtime.parallel import parallel_for
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.measuring.crossings import SHORTEST_MM, DepthInterval, crossed_surfaces, in_order
from planner.measuring.structure_sets import structure_sets
from planner.measuring.voxel_walk import runs_along
from planner.records.paths import Crossing

CROSSINGS = 64
"""Initial array size: crossings per needle. If it is too small, larger arrays are allocated."""


@dataclass(frozen=True)
class NeedleCrossings:
    """What one needle crosses from entry to tip, and the depth intervals from the entry in which it is in the
    target and in the PTV. [mm]"""

    crosses: tuple[Crossing, ...]
    target: tuple[DepthInterval, ...]
    ptv: tuple[DepthInterval, ...]


class CrossingsBatch:
    """The structures of one scene and its PTV, prepared for computing what needles cross."""

    def __init__(self, scene: Scene, ptv: VoxelMask) -> None:
        self._grid = scene.grid
        structures = [s for s in scene.structures if s.role is not Role.SKIN]
        self._surfaces = tuple(s for s in structures if s.surface is not None)
        # The last two are the target as one structure, because it may consist of several, and the PTV.
        treated = Structure("", scene.target), Structure("", ptv)
        by_voxels = (*(s for s in structures if s.surface is None), *treated)
        self._names = tuple(s.name for s in by_voxels)
        self._sets = structure_sets(by_voxels, scene.grid.shape)

    def along(
        self, entries_P: Float[np.ndarray, "n 3"], tips_P: Float[np.ndarray, "n 3"]
    ) -> Iterator[NeedleCrossings]:
        """The crossings of each needle, in order."""
        inwards = tips_P - entries_P
        lengths = np.linalg.norm(inwards, axis=1)
        entries_B = self._grid.to_box(entries_P)
        inwards_B = self._grid.vectors_to_box(inwards / lengths[:, None])
        counts, crossed, spans = self._walked(entries_B, inwards_B, lengths, CROSSINGS)
        target, ptv = len(self._names) - 2, len(self._names) - 1
        for n, number in enumerate(counts.tolist()):
            in_voxels: list[Crossing] = []
            treated: dict[int, list[DepthInterval]] = {target: [], ptv: []}
            for s, (a, b) in zip(crossed[n, :number].tolist(), spans[n, :number].tolist(), strict=True):
                if s in treated:
                    treated[s].append((a, b))
                else:
                    in_voxels.append(Crossing(self._names[s], a, b))
            crosses = in_order([*in_voxels, *crossed_surfaces(self._surfaces, entries_P[n], tips_P[n])])
            yield NeedleCrossings(crosses, tuple(treated[target]), tuple(treated[ptv]))

    def _walked(
        self, entries_B: np.ndarray, inwards_B: np.ndarray, lengths: np.ndarray, size: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The kernel's result for each axis: counts, structures and intervals, in arrays large enough for
        all."""
        count, sets = len(entries_B), self._sets
        counts = np.zeros(count, np.int64)
        crossed, spans = np.zeros((count, size), np.int64), np.zeros((count, size, 2))
        axes = entries_B, inwards_B, lengths
        shared = sets.sets, sets.starts, sets.members, self._grid.spacing_mm, *axes, len(self._names)
        parallel_for(lambda a, b: cross_range(*shared, counts, crossed, spans, a, b), count)
        most = int(counts.max(initial=0))
        return (counts, crossed, spans) if most <= size else self._walked(*axes, most)


@jit
def cross_range(  # type: ignore[no-untyped-def]
    sets, starts, members, spacing, entries, inwards, lengths, structures, counts, crossed, spans, first, last
):
    """Fill rows first to last of `crossed` (n, m), the numbers of structures, and `spans` (n, m, 2), the
    depth intervals from the entry. `counts` is the number of crossings, even if it exceeds m. [mm]

    `entries` (n, 3) in B, `inwards` (n, 3) unit vectors.
    """
    open_at = np.empty(structures)
    for i in range(first, last):
        labels, bounds = runs_along(sets, spacing, entries[i], inwards[i], lengths[i])
        open_at[:] = -1.0
        n = 0
        for run in range(labels.shape[0] + 1):
            depth = bounds[run]
            here = labels[run] if run < labels.shape[0] else 0
            for s in range(structures):
                inside = False
                for q in range(starts[here], starts[here + 1]):
                    inside = inside or members[q] == s
                if inside and open_at[s] < 0.0:
                    open_at[s] = depth
                elif not inside and open_at[s] >= 0.0:
                    if depth - open_at[s] >= SHORTEST_MM:
                        if n < crossed.shape[1]:
                            crossed[i, n] = s
                            spans[i, n, 0] = open_at[s]
                            spans[i, n, 1] = depth
                        n += 1
                    open_at[s] = -1.0
        counts[i] = n
