"""Trial: one path under examination, with all equally true readings of what its axis runs through."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from planner.records import Path
from planner.request import Request
from planner.verify.axis import Axis, axis_of
from planner.verify.sight import Sight


@dataclass(frozen=True, eq=False)
class Trial:
    """A path whose numbers are finite, its axis, and where it is to be examined."""

    path: Path
    axis: Axis
    scene: Scene
    request: Request
    _sights: list[Sight] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """How checks name the path."""
        return f"path {self.path.id}"

    def sights(self) -> Iterator[Sight]:
        """The axis as it is, then shifted by rounding; each made when first asked for."""
        yield from self._sights
        for n, axis in enumerate(self.axis.readings()):
            if n == len(self._sights):
                self._sights.append(Sight(self.scene, axis))
                yield self._sights[n]

    def points_P(self, *s_mm: float) -> Float[np.ndarray, "n 3"]:
        """Points of the line at distances from the tip, in P."""
        return self.scene.grid.to_patient(np.array([self.axis.at(s) for s in s_mm]))


def trial_of(path: Path, scene: Scene, request: Request) -> Trial | None:
    """A path on trial, or None where entry and tip coincide, so that it has no axis."""
    axis = axis_of(scene.grid, np.array(path.entry_mm, float), np.array(path.tip_mm, float))
    return None if axis is None else Trial(path, axis, scene, request)
