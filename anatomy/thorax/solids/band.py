"""Band: a tube that is taller than thick, for ribs and costal cartilages."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from anatomy.thorax.solids.primitives import Tube
from anatomy.thorax.solids.solid import Bounds, Solid, Union


@dataclass(frozen=True, eq=False)
class Stretched(Solid):
    """`inner` with every z multiplied by `factor`."""

    inner: Solid
    factor: float

    @cached_property
    def bounds_P(self) -> Bounds:
        """Bounds of `inner`, stretched. [mm]"""
        return np.asarray(self.inner.bounds_P * np.array([1.0, 1.0, self.factor]))

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        return self.inner.inside(x, y, z / self.factor)

    def grown(self, by_mm: float) -> "Stretched":
        """See Solid. The added layer is `factor` times thicker along z."""
        return Stretched(self.inner.grown(by_mm), self.factor)


def band(points_P: Float[np.ndarray, "m 3"], thickness_mm: float, height_mm: float) -> Union:
    """The solid swept along a polyline by an ellipse `thickness_mm` thick across z and `height_mm` tall."""
    factor = height_mm / thickness_mm
    squashed = points_P / np.array([1.0, 1.0, factor])
    return Union([Stretched(part, factor) for part in Tube(squashed, thickness_mm / 2).capsules])
