"""Dose of seeds of one model and strength: by the 2D formalism of TG-43 if their axis is known, otherwise by
the 1D one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from planner.dose.tg43.kernel import DoseKernel, dose_kernel, dose_kernel_1d, dose_matrix, dose_sum
from planner.dose.tg43.strength import decayed_strength_u, strength_u
from planner.records.request.given import GivenSeed
from planner.records.request.seeds import SeedRequest
from planner.sources import source_named
from planner.sources.source import Source

ANY_AXIS = np.array([0.0, 0.0, 1.0])
"""Stands for the axis of seeds in the 1D formalism, because the kernel takes one."""


@dataclass(frozen=True, eq=False)
class SeedDose:
    """The kernels of a source, and each seed's air-kerma strength on the day of the implant."""

    source: Source
    strength_u: float
    kernel: DoseKernel
    kernel_1d: DoseKernel

    def matrix(
        self,
        points: Float[np.ndarray, "m 3"],
        centres: Float[np.ndarray, "n 3"],
        axes: Float[np.ndarray, "n 3"],
    ) -> Float32[np.ndarray, "n m"]:
        """Dose of each seed (row) at each point, in any frame that all share. [Gy]"""
        return dose_matrix(self.kernel, points, centres, axes) * np.float32(self.strength_u)

    def total(
        self, points_P: Float[np.ndarray, "m 3"], seeds: Sequence[GivenSeed]
    ) -> Float[np.ndarray, " m"]:
        """Dose of all seeds together at each point. [Gy]"""
        total = np.zeros(len(points_P))
        for has_axis, kernel in ((True, self.kernel), (False, self.kernel_1d)):
            of_kind = [s for s in seeds if (s.axis is not None) == has_axis]
            if of_kind:
                centres = np.array([s.position_mm for s in of_kind], float)
                axes = np.array([ANY_AXIS if s.axis is None else s.axis for s in of_kind], float)
                total += dose_sum(kernel, points_P, centres, axes)
        return total * self.strength_u


def seed_dose(request: SeedRequest) -> SeedDose:
    """The seeds of a request.

    Raises RequestError for an unknown model, an activity that gives no dose, or a calibration after the
    implant.
    """
    source = source_named(request.model)
    fresh = strength_u(source.nuclide, request.activity_mci)
    decayed_u = decayed_strength_u(fresh, source.half_life_d, request.decay_days)
    return SeedDose(source, decayed_u, dose_kernel(source), dose_kernel_1d(source))
