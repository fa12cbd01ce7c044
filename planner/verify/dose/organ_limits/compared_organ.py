"""Compared organ: the doses of the structures that a limit's row is compared with, taken together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask
from planner.verify.dose.dvh import Recomputed, SampledDoses, sampled_doses
from planner.verify.dose.grid_alignment import alignment_error_in
from planner.verify.dose.hottest import dose_field_of, hottest_part
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.dose.volume_dose import ORGAN_PART_MM, outside_seeds, points_of
from planner.verify.tolerances import DOSE_NEAR, RATIO

HOTTEST_CC = 2.0
"""Up to this volume, only the hottest part of an organ is sampled."""


@dataclass(frozen=True, eq=False)
class ComparedOrgan:
    """The structures that a row is compared with. Where two of them overlap, that part counts twice."""

    masks: tuple[VoxelMask, ...]
    grid: Grid
    seeds: SeedDoses

    @property
    def volume_cc(self) -> float:
        """Volume of all structures. [cc]"""
        return sum(mask.count for mask in self.masks) * self.grid.voxel_volume_mm3 / MM3_PER_CC

    @cached_property
    def all_doses(self) -> SampledDoses:
        """Doses at points of all their voxels."""
        return self._sampled(self.masks)

    @cached_property
    def hottest(self) -> SampledDoses:
        """Doses at points of their hottest part."""
        field = dose_field_of(self.seeds, self.grid) if len(self.seeds.centres_P) else None
        return self._sampled([hottest_part(mask, self.grid, self.seeds, field) for mask in self.masks])

    def _sampled(self, parts: Sequence[VoxelMask]) -> SampledDoses:
        """Points in every part, with the density of the part in which they are sparsest."""
        voxel = self.grid.voxel_volume_mm3
        counts = [
            points_of(part, self.grid, self.seeds, mask.count)
            for part, mask in zip(parts, self.masks, strict=True)
        ]
        density = min(count / part.count for count, part in zip(counts, parts, strict=True))
        doses = [
            sampled_doses(part, self.grid, self.seeds.doses, max(1, round(density * part.count))).doses_gy
            for part in parts
        ]
        volume = sum(part.count for part in parts) * voxel
        off_mm3 = alignment_error_in(parts, self.grid, self.seeds, ORGAN_PART_MM)
        return SampledDoses(np.concatenate(doses), volume, self.seeds.highest_outside_gy, off_mm3)

    def hottest_gy(self, volume_cc: float) -> Recomputed | None:
        """The least dose of their hottest `volume_cc`, outside seeds; None where they are smaller. [Gy]"""
        if volume_cc > self.volume_cc * (1.0 + RATIO):
            return None
        samples = self.hottest if volume_cc <= HOTTEST_CC else self.all_doses
        recomputed = samples.hottest_cc(volume_cc)
        return None if recomputed is None else outside_seeds(recomputed, samples)

    def in_seeds(self, volume_cc: float) -> bool | None:
        """Whether their hottest `volume_cc` lies in seeds; None where another sample may differ."""
        if volume_cc > self.volume_cc:
            return None
        return (self.hottest if volume_cc <= HOTTEST_CC else self.all_doses).in_seeds(volume_cc)

    def reaching_cc(self, dose_gy: float) -> Recomputed:
        """The volume that gets at least this dose, with bounds that include the tolerance of doses. [cc]"""
        hot = _reaching(self.hottest, dose_gy)
        return hot if hot.most <= HOTTEST_CC else _reaching(self.all_doses, dose_gy)


def _reaching(samples: SampledDoses, dose_gy: float) -> Recomputed:
    surely, nominal, maybe = (
        samples.percent_at(dose_gy * (1.0 + off)) for off in (DOSE_NEAR, 0.0, -DOSE_NEAR)
    )
    cc = 0.01 * samples.volume_mm3 / MM3_PER_CC
    return Recomputed(cc * nominal.value, cc * surely.least, cc * maybe.most)
