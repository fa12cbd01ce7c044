"""Loft: a solid given by its axial cross-sections, superellipses whose sizes change smoothly along z.

section at z:   |(x - cx(z)) / a(z)|^n + |(y - cy(z)) / b(z)|^n <= 1       n = 2 ellipse, n > 2 squarer

                     anterior                rim(angle): the point of the outline at an angle
          angle 180 .---------.              counted from the posterior midline towards
                   |     o     | 90          the patient's left
                    '---------'
                     posterior   0
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from anatomy.thorax.solids.solid import Bounds, Solid


@dataclass(frozen=True, eq=False)
class Loft(Solid):
    """Superellipses along z.

    `knots` (m, 5) has a row (z, cx, cy, a, b) for each given section, z rising [mm]; between them the
    section follows a monotone cubic, before the first and after the last it is constant. The solid ends at
    `z_range_mm`.
    """

    knots: Float[np.ndarray, "m 5"]
    exponent: float = 2.0
    z_range_mm: tuple[float, float] = (-np.inf, np.inf)

    @cached_property
    def _sections(self) -> PchipInterpolator:
        return PchipInterpolator(self.knots[:, 0], self.knots[:, 1:], axis=0)

    def section(self, z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 4"]:
        """cx, cy, a, b at each z. [mm]"""
        return np.asarray(self._sections(np.clip(z, self.knots[0, 0], self.knots[-1, 0])))

    @cached_property
    def bounds_P(self) -> Bounds:
        """A box around all sections: the cubic is monotone, so the knots limit centre and size. [mm]"""
        _, cx, cy, a, b = self.knots.T
        low, high = self.z_range_mm
        return np.array(
            [
                [cx.min() - a.max(), cy.min() - b.max(), low],
                [cx.max() + a.max(), cy.max() + b.max(), high],
            ]
        )

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        cx, cy, a, b = np.moveaxis(self.section(z), -1, 0)
        across = np.abs((x - cx) / a) ** self.exponent
        along = np.abs((y - cy) / b) ** self.exponent
        low, high = self.z_range_mm
        return np.asarray((across + along <= 1.0) & (z >= low) & (z <= high))

    def grown(self, by_mm: float) -> "Loft":
        """See Solid. Flat ends move out too."""
        low, high = self.z_range_mm
        knots = self.knots + np.array([0.0, 0.0, 0.0, by_mm, by_mm])
        return replace(self, knots=knots, z_range_mm=(low - by_mm, high + by_mm))

    def rim(
        self,
        angle_rad: Float[np.ndarray, "m"],
        z: Float[np.ndarray, "m"],
        offset_mm: float,
    ) -> Float[np.ndarray, "m 3"]:
        """Points of the outline, `offset_mm` added to both semi-axes. The angle counts from the posterior
        midline towards the left; it is the superellipse's own parameter. [mm]"""
        cx, cy, a, b = np.moveaxis(self.section(z), -1, 0)
        power = 2.0 / self.exponent
        s, c = np.sin(angle_rad), np.cos(angle_rad)
        x = cx + (a + offset_mm) * np.sign(s) * np.abs(s) ** power
        y = cy + (b + offset_mm) * np.sign(c) * np.abs(c) ** power
        return np.stack([x, y, z], axis=1)
