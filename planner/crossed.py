"""Crossed: what many needles cross, each as planner.crossings has it of one, in one call."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.geometry.masks import VoxelMask
from anatomy.runtime.parallel import spread
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.crossings import Interval, crossed_surfaces, in_order
from planner.kernels.appraise import cross_range
from planner.records import Crossing
from planner.structure_sets import structure_sets

CROSSINGS = 64
"""Room for so many crossings of one needle at first; where it is not enough, it is made."""


@dataclass(frozen=True)
class Along:
    """What one needle crosses from entry to tip, and the depths from the entry between which it runs in the
    target and in the PTV. [mm]"""

    crosses: tuple[Crossing, ...]
    target: tuple[Interval, ...]
    ptv: tuple[Interval, ...]


class Crossed:
    """The structures of one scene and its PTV, ready to be asked what needles cross."""

    def __init__(self, scene: Scene, ptv: VoxelMask) -> None:
        self._grid = scene.grid
        structures = [s for s in scene.structures if s.role is not Role.SKIN]
        self._surfaces = tuple(s for s in structures if s.surface is not None)
        # The target as one, since several structures may make it up, and the PTV: the last two.
        treated = Structure("", scene.target), Structure("", ptv)
        asked = (*(s for s in structures if s.surface is None), *treated)
        self._names = tuple(s.name for s in asked)
        self._sets = structure_sets(asked, scene.grid.shape)

    def along(self, entries_P: Float[np.ndarray, "n 3"], tips_P: Float[np.ndarray, "n 3"]) -> Iterator[Along]:
        """Each needle, in order."""
        inwards = tips_P - entries_P
        lengths = np.linalg.norm(inwards, axis=1)
        entries_B = self._grid.to_box(entries_P)
        inwards_B = self._grid.vectors_to_box(inwards / lengths[:, None])
        counts, crossed, spans = self._walked(entries_B, inwards_B, lengths, CROSSINGS)
        target, ptv = len(self._names) - 2, len(self._names) - 1
        for n, held in enumerate(counts.tolist()):
            found: list[Crossing] = []
            treated: dict[int, list[Interval]] = {target: [], ptv: []}
            for s, (a, b) in zip(crossed[n, :held].tolist(), spans[n, :held].tolist(), strict=True):
                if s in treated:
                    treated[s].append((a, b))
                else:
                    found.append(Crossing(self._names[s], a, b))
            crosses = in_order([*found, *crossed_surfaces(self._surfaces, entries_P[n], tips_P[n])])
            yield Along(crosses, tuple(treated[target]), tuple(treated[ptv]))

    def _walked(
        self, entries_B: np.ndarray, inwards_B: np.ndarray, lengths: np.ndarray, room: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the kernel finds each axis to cross, with room enough for all of it."""
        count, sets = len(entries_B), self._sets
        counts = np.zeros(count, np.int64)
        crossed, spans = np.zeros((count, room), np.int64), np.zeros((count, room, 2))
        axes = entries_B, inwards_B, lengths
        shared = sets.sets, sets.starts, sets.members, self._grid.spacing_mm, *axes, len(self._names)
        spread(lambda a, b: cross_range(*shared, counts, crossed, spans, a, b), count)
        most = int(counts.max(initial=0))
        return (counts, crossed, spans) if most <= room else self._walked(*axes, most)
