"""Dosimetry: doses sampled in each structure, and the statistics of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from anatomy.geometry.frames import MM3_PER_CC
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.dose.dvh import (
    DoseVolume,
    dose_covering_percent,
    dose_to_hottest_cc,
    dose_volume,
    highest_outside_gy,
    reported,
    volume_percent_at,
)
from planner.dose.indices import quality_indices
from planner.dose.sampling import FineRegion, SamplePoints, sampled
from planner.dose.tg43.in_seed import doses_outside, in_seed
from planner.dose.tg43.seed_dose import SeedDose
from planner.dose.volume_outside import outside_mm3
from planner.records.dose import OrganDose, TargetDose, VolumeDose
from planner.records.request.given import GivenSeed


@dataclass(frozen=True, eq=False)
class DoseSamples:
    """Samples of a structure with their doses, infinity inside seeds. [Gy]"""

    name: str
    points: SamplePoints
    doses_gy: Float[np.ndarray, " n"]

    @cached_property
    def volumes(self) -> DoseVolume:
        """Its dose-volume statistics."""
        return dose_volume(self.doses_gy, self.points.weights_mm3)


class Dosimetry:
    """Samples the dose of some seeds in structures of a scene."""

    def __init__(self, scene: Scene, dose: SeedDose, seeds: Sequence[GivenSeed]) -> None:
        self._scene, self._dose, self._seeds = scene, dose, tuple(seeds)
        self._centres_P = np.array([s.position_mm for s in seeds], float).reshape(-1, 3)
        none = (0.0, 0.0, 0.0)
        self._axes_P = np.array([s.axis or none for s in seeds], float).reshape(-1, 3)

    def at(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Dose at points. [Gy]"""
        return self._dose.total(points_P, self._seeds)

    def of(self, name: str, mask: VoxelMask, step_mm: float) -> DoseSamples:
        """An organ's samples: fine near the seeds, or where it is hottest."""
        fine_region = FineRegion(self._centres_P) if len(self._centres_P) else None
        points = sampled(mask, self._scene.grid, step_mm if fine_region else ORGAN_STEP_MM, fine_region)
        doses = self.outside_seeds(points.points_P)
        if fine_region is not None and float(points.weights_mm3[: points.near_count].sum()) < HOTTEST_MM3:
            # Far from all seeds a voxel is one sample, which is too coarse in the hottest part.
            hot = hottest(doses, points.weights_mm3, HOTTEST_MM3)
            points = sampled(mask, self._scene.grid, step_mm, FineRegion(points.points_P[hot], TOUCHING_MM))
            doses = self.outside_seeds(points.points_P)
        return DoseSamples(name, points, doses)

    def treated(self, name: str, mask: VoxelMask) -> DoseSamples:
        """Samples of PTV or GTV, fine everywhere: the places far from all seeds decide D90 and D100."""
        points = sampled(mask, self._scene.grid, TARGET_STEP_MM)
        return DoseSamples(name, points, self.outside_seeds(points.points_P))

    def outside_seeds(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Dose at points, infinite inside seeds. [Gy]"""
        source = self._dose.source
        inside = in_seed(
            points_P,
            self._centres_P,
            self._axes_P,
            source.seed_length_mm,
            source.seed_diameter_mm,
        )
        return doses_outside(self.at(points_P), inside)

    def target(self, ptv: VoxelMask, prescribed_gy: float) -> tuple[DoseSamples, TargetDose]:
        """The PTV and its dose."""
        samples = self.treated("PTV", ptv)
        volume = volume_dose(samples, prescribed_gy)
        outside = 0.0
        if len(self._centres_P):
            outside = outside_mm3(self.outside_seeds, prescribed_gy, self._centres_P, ptv, self._scene.grid)
        indices = quality_indices(samples.volumes, prescribed_gy, outside)
        return samples, TargetDose(
            **{name: getattr(volume, name) for name in VolumeDose.__dataclass_fields__},
            ci=indices.ci,
            ei=indices.ei,
            hi=indices.hi,
        )


def hottest(
    doses_gy: Float[np.ndarray, " n"], weights_mm3: Float[np.ndarray, " n"], volume_mm3: float
) -> Int[np.ndarray, " k"]:
    """Rows of the samples of highest dose that make up the volume, or of all where there is less."""
    order = np.argsort(-doses_gy, kind="stable")
    count = int(np.searchsorted(np.cumsum(weights_mm3[order]), volume_mm3)) + 1
    return np.asarray(order[:count])


def volume_dose(samples: DoseSamples, prescribed_gy: float) -> VolumeDose:
    """The D and V values of PTV or GTV."""
    dv = samples.volumes
    highest = highest_outside_gy(dv)
    return VolumeDose(
        volume_cc=dv.volume_mm3 / MM3_PER_CC,
        d90_gy=reported(dose_covering_percent(dv, 90.0), highest).gy,
        d100_gy=reported(dose_covering_percent(dv, 100.0), highest).gy,
        v100_percent=volume_percent_at(dv, prescribed_gy),
        v150_percent=volume_percent_at(dv, 1.5 * prescribed_gy),
        v200_percent=volume_percent_at(dv, 2.0 * prescribed_gy),
    )


def organ_dose(organ: DoseSamples) -> OrganDose:
    """The least dose in the hottest 0.1, 1 and 2 cm3 of an organ."""
    dv = organ.volumes
    highest = highest_outside_gy(dv)

    def hottest(cc: float) -> float | None:
        dose = dose_to_hottest_cc(dv, cc)
        return None if dose is None else reported(dose, highest).gy

    return OrganDose(organ.name, dv.volume_mm3 / MM3_PER_CC, hottest(0.1), hottest(1.0), hottest(2.0))


HOTTEST_MM3, TOUCHING_MM = 4_000.0, 0.1
"""Volume of an organ's hottest part, which is sampled finely wherever it is: twice the largest volume that is
reported. Voxels within TOUCHING_MM of it are sampled finely too [U]."""


TARGET_STEP_MM, ORGAN_STEP_MM = 0.5, 1.0
"""Sides of the parts of voxels that stand for a sample: everywhere in PTV and GTV, and near seeds in organs
[U]."""
