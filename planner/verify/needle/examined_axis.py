"""Trial: one axis under examination, with all equally true readings of what it runs through."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from planner.records.request import Point, Request, source_of
from planner.verify.claims import Claims
from planner.verify.geometry.axis import Axis, axis_of
from planner.verify.geometry.axis_spans import Sight


@dataclass(frozen=True, eq=False)
class Trial:
    """An axis, how checks name it, where it is to be examined and by what request."""

    subject: str
    axis: Axis
    scene: Scene
    request: Request
    _sights: list[Sight] = field(default_factory=list)

    def sights(self) -> Iterator[Sight]:
        """The axis as it is, then shifted by rounding; each made when first asked for."""
        yield from self._sights
        for n, axis in enumerate(self.axis.readings()):
            if n == len(self._sights):
                self._sights.append(Sight(self.scene, axis))
                yield self._sights[n]

    @property
    def seed_mm(self) -> float:
        """How long the request's seeds are."""
        return source_of(self.request).seed_length_mm

    def points_P(self, *s_mm: float) -> Float[np.ndarray, "n 3"]:
        """Points of the line at distances from the tip, in P."""
        return self.scene.grid.to_patient(np.array([self.axis.at(s) for s in s_mm]))


def trial_of(
    claims: Claims, subject: str, entry_mm: Point, tip_mm: Point, scene: Scene, request: Request
) -> Trial | None:
    """The axis between finite points on trial, or None where they coincide: then it has none, and the claim
    that it has fails."""
    axis = axis_of(scene.grid, np.array(entry_mm, float), np.array(tip_mm, float))
    claims.same("entry and tip differ", subject, "differ", "coincide" if axis is None else "differ")
    return None if axis is None else Trial(subject, axis, scene, request)
