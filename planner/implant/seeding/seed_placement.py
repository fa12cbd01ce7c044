"""Seed placement: makes placement problems, at few points or many, and judges whether seeds meet the
goals."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.dose.dvh import dose_covering_percent, dose_volume, volume_percent_at
from planner.dose.sampling import SamplePoints, sampled
from planner.dose.tg43.in_seed import doses_outside, in_seed
from planner.dose.tg43.seed_dose import SeedDose
from planner.implant.seeding.aim_points import AimPoints, aim_points
from planner.implant.seeding.goals import goal_table, shortfalls
from planner.implant.seeding.placement_problem import PlacementProblem
from planner.implant.seeding.slots import SeedSpacing, Slots
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription

COARSE_POINTS, FINE_POINTS = 2_000, 6_000
"""Number of points of the PTV: while needles are exchanged, and for the placement to the millimetre [U]."""
JUDGED_STEP_MM = 0.8
"""Distance of the samples on which a set is judged: a seed's diameter [U]."""
SPARE_PERCENT = 0.1
"""Margin of each goal when a set is judged: finer samples differ by less [U]."""


class SeedPlacement:
    """Makes placement problems for one prescription, and judges their solutions on samples of its own."""

    def __init__(
        self,
        scene: Scene,
        prescription: Prescription,
        ptv: VoxelMask,
        dose: SeedDose,
        spacing: SeedSpacing,
        given_seeds: Sequence[GivenSeed],
    ) -> None:
        self._scene, self._prescription, self._dose = scene, prescription, dose
        self._spacing, self._given = spacing, tuple(given_seeds)
        self._points = cache(lambda count, reserve: self._seen(ptv, count, reserve))
        self._judged: SamplePoints = sampled(ptv, scene.grid, JUDGED_STEP_MM)

    @property
    def has_given_seeds(self) -> bool:
        """Whether the request gives seeds that are in place already."""
        return bool(self._given)

    def on(self, slots: Slots, tracks: int, count: int, reserve: float) -> PlacementProblem:
        """The problem of placing seeds in these slots, on `tracks` tracks, at `count` points of the PTV. Its
        goals are stricter by a share of `reserve`."""
        points, dose_in_place = self._points(count, reserve)
        return PlacementProblem(
            goals=goal_table(points.goals),
            slots=slots,
            dose=self._dose.matrix(points.points_B, slots.centre_B, slots.axis_B),
            row=np.arange(len(slots)),
            dose_in_place=dose_in_place,
            spacing=self._spacing,
            closed=self._taken(slots),
            track_cost=np.zeros(tracks),
            conflicts=np.zeros((tracks, tracks), bool),
        )

    def _seen(self, ptv: VoxelMask, count: int, reserve: float) -> tuple[AimPoints, np.ndarray]:
        points = aim_points(self._scene, ptv, self._prescription, count, reserve)
        dose_in_place = self._dose.total(self._scene.grid.to_patient(points.points_B), self._given)
        return points, dose_in_place.astype(np.float32)

    def _taken(self, slots: Slots) -> np.ndarray:
        """Slots that are too near to a given seed."""
        is_taken = np.zeros(len(slots), bool)
        for seed in self._given:
            centre_B = self._scene.grid.to_box(np.array(seed.position_mm, float))
            is_taken |= np.linalg.norm(slots.centre_B - centre_B, axis=1) < self._dose.source.seed_length_mm
        return is_taken

    def meets_goals(self, seeds: Slots) -> bool:
        """Whether these seeds and the given ones meet all goals.

        The PTV's goals are judged on samples of their own. Inside a seed every dose is reached, as in a
        plan's report.
        """
        every = [*self._given, *_in_place(self._scene.grid, seeds)]
        return self._organs_spared(every) and self._ptv_treated(every)

    def _ptv_treated(self, seeds: list[GivenSeed]) -> bool:
        points_P, rx, goals = self._judged.points_P, self._prescription.dose_gy, self._prescription.goals
        centres = np.array([s.position_mm for s in seeds], float).reshape(-1, 3)
        axes = np.array([s.axis or (0.0, 0.0, 0.0) for s in seeds], float).reshape(-1, 3)
        source = self._dose.source
        inside = in_seed(points_P, centres, axes, source.seed_length_mm, source.seed_diameter_mm)
        doses = doses_outside(self._dose.total(points_P, seeds), inside)
        volume = dose_volume(doses, self._judged.weights_mm3)
        return (
            volume_percent_at(volume, rx) >= min(100.0, goals.v100_percent + SPARE_PERCENT)
            and dose_covering_percent(volume, 90.0 + SPARE_PERCENT) >= self._prescription.d90_goal_gy
            and volume_percent_at(volume, 1.5 * rx) <= max(0.0, goals.v150_percent - SPARE_PERCENT)
            and volume_percent_at(volume, 2.0 * rx) <= max(0.0, goals.v200_percent - SPARE_PERCENT)
        )

    def _organs_spared(self, seeds: list[GivenSeed]) -> bool:
        points, _ = self._points(COARSE_POINTS, 0.0)
        goals = [goal for goal in points.goals if not goal.at_least and goal.first > 0]
        doses = (
            self._dose.total(self._scene.grid.to_patient(points.points_B), seeds) if goals else np.empty(0)
        )
        return not shortfalls(goals, doses).any()


def _in_place(grid: Grid, seeds: Slots) -> list[GivenSeed]:
    centres, axes = grid.to_patient(seeds.centre_B), grid.vectors_to_patient(seeds.axis_B)
    return [GivenSeed(_point(c), _point(a)) for c, a in zip(centres, axes, strict=True)]


def _point(row: np.ndarray) -> tuple[float, float, float]:
    return float(row[0]), float(row[1]), float(row[2])
