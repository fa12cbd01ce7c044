"""Examined axis: one needle axis that is checked, with all equally valid readings of what it crosses."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from planner.records.request.point import Point
from planner.records.request.request import Request
from planner.verify.claims import Claims
from planner.verify.geometry.axis import BoxedAxis, axis_of
from planner.verify.geometry.axis_spans import AxisSpans


@dataclass(frozen=True, eq=False)
class ExaminedAxis:
    """An axis, the subject that checks of it name, and the scene and request that it is checked against."""

    subject: str
    axis: BoxedAxis
    scene: Scene
    request: Request
    _readings: list[AxisSpans] = field(default_factory=list)

    def readings(self) -> Iterator[AxisSpans]:
        """What the axis crosses: as it is, then shifted by rounding. Each reading is computed when first
        used."""
        yield from self._readings
        for n, axis in enumerate(self.axis.readings()):
            if n == len(self._readings):
                self._readings.append(AxisSpans(self.scene, axis))
                yield self._readings[n]

    @property
    def seed_mm(self) -> float:
        """Length of the seeds. [mm]"""
        return self.request.seeds.source.seed_length_mm

    def points_P(self, *s_mm: float) -> Float[np.ndarray, "n 3"]:
        """Points of the line at these distances from the tip, in P. [mm]"""
        return self.scene.grid.to_patient(np.array([self.axis.at(s) for s in s_mm]))


def examined_axis(
    claims: Claims, subject: str, entry_mm: Point, tip_mm: Point, scene: Scene, request: Request
) -> ExaminedAxis | None:
    """The axis between two finite points [mm, P]. Where they coincide there is none: a check fails, and the
    result is None."""
    axis = axis_of(scene.grid, np.array(entry_mm, float), np.array(tip_mm, float))
    claims.same("entry and tip differ", subject, "differ", "coincide" if axis is None else "differ")
    return None if axis is None else ExaminedAxis(subject, axis, scene, request)
