"""Implant: from a scene and its prescription to needles, seeds and their dose, in clinical order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import VoxelMask
from planner.dose.sampling import SamplePoints, sampled
from planner.implant_records import REACH_MM
from planner.measure import Measurer
from planner.needles.choose import choose_set, rules_of
from planner.needles.chosen import ChosenSet
from planner.needles.conflicts import Needles, hardware_of
from planner.needles.cover import NoCover
from planner.needles.pool import given_rows, pools
from planner.needles.tracks import Tracks, reach_mm, spread_points_B
from planner.progress import GoOn
from planner.ptv import ptv_of
from planner.records import Path
from planner.request import SEED_LENGTH_MM, GivenSeed, Prescription, Request, RequestError
from planner.seeding.aims import goal_table
from planner.seeding.descent import Problem
from planner.seeding.dose import SeedDose, seed_dose
from planner.seeding.points import aim_points
from planner.seeding.slots import Slots
from planner.set_paths import paths_of_set
from planner.world import World

FEW_POINTS, MANY_POINTS = 1_000, 3_000
"""Points of the PTV that seeds are placed by: on all tracks, and on those chosen [U]."""
JUDGED_STEP_MM = 0.8
"""A set is judged on samples this far apart: a seed's diameter [U]."""


@dataclass(frozen=True, eq=False)
class Implant:
    """What is planted and where: the PTV, the seeds' dose, and the set with its needles as paths. `chosen` is
    None where no seed may stand anywhere."""

    ptv: VoxelMask
    dose: SeedDose
    chosen: ChosenSet | None
    needles: tuple[Path, ...]
    reachable_percent: float

    def seeds(self, given: Sequence[GivenSeed]) -> tuple[GivenSeed, ...]:
        """All seeds: those on the needles, then those that were given."""
        placed = (GivenSeed(s.position_mm, s.axis) for path in self.needles for s in path.seeds)
        return (*placed, *given)


def implant(scene: Scene, request: Request, prescription: Prescription, near: World, go_on: GoOn) -> Implant:
    """The needle set and its seeds for a prescription.

    Raises RequestError for a source, strength, structure or needle that makes no sense, and whatever `go_on`
    raises.
    """
    dose = seed_dose(request.seeds)
    ptv = ptv_of(scene, request)
    make = _Maker(scene, request, prescription, ptv, dose)
    tracks = pools(scene, request, near, ptv, go_on)
    found = [_chosen(scene, request, make, pool) for pool in tracks]
    sets = [chosen for chosen in found if chosen is not None]
    reachable = _reachable_percent(scene, ptv, tracks)
    if not sets:
        return Implant(ptv, dose, None, (), reachable)
    chosen = min(sets, key=lambda s: (not make.good(s), s.missed, s.objective))
    needles = paths_of_set(scene, request, Measurer(scene, request), chosen)
    return Implant(ptv, dose, chosen, needles, reachable)


def _chosen(scene: Scene, request: Request, make: "_Maker", pool: Tracks) -> ChosenSet | None:
    asked = request.needle_set
    grid = scene.grid
    needles = Needles(grid.to_patient(pool.tip_B), grid.vectors_to_patient(pool.outward_B), pool.length_mm)
    hardware = hardware_of(request, asked.clearance_mm)
    rules = rules_of(pool, needles, hardware, given_rows(request), asked.puncture_cost_mm, asked.max_needles)
    try:
        return choose_set(rules, make, make.good)
    except NoCover:
        raise RequestError(
            "needle_set",
            f"no set of at most {asked.max_needles} needles keeps clear of the given ones",
            "Allow more needles or less clearance_mm, or leave out given needles that stand in the way.",
        ) from None


def _reachable_percent(scene: Scene, ptv: VoxelMask, tracks: list[Tracks]) -> float:
    """How much of the PTV lies within REACH_MM of where some track may leave a seed. [%]"""
    points = spread_points_B(ptv, scene.grid, FEW_POINTS)
    near = np.zeros(len(points), bool)
    for pool in tracks:
        near |= (reach_mm(pool, points) <= REACH_MM).any(axis=0)
    return 100.0 * float(near.mean())


class _Maker:
    """Makes problems of seeds on slots, and judges what comes out on samples of its own."""

    def __init__(
        self, scene: Scene, request: Request, prescription: Prescription, ptv: VoxelMask, dose: SeedDose
    ) -> None:
        self._scene, self._request, self._prescription, self._dose = scene, request, prescription, dose
        self._given = request.needle_set.given_seeds
        self._points = {
            full: aim_points(scene, ptv, prescription, MANY_POINTS if full else FEW_POINTS)
            for full in (False, True)
        }
        self._goals = {full: goal_table(points.goals) for full, points in self._points.items()}
        self._there = {
            full: dose.total(scene.grid.to_patient(points.points_B), self._given).astype(np.float32)
            for full, points in self._points.items()
        }
        self._judged: SamplePoints = sampled(ptv, scene.grid, JUDGED_STEP_MM)
        self._judged_there = dose.total(self._judged.points_P, self._given)

    def __call__(self, slots: Slots, tracks: int, full: bool) -> Problem:
        return Problem(
            goals=self._goals[full],
            slots=slots,
            dose=self._dose.matrix(self._points[full].points_B, slots.centre_B, slots.axis_B),
            there=self._there[full],
            spacing_mm=self._request.seeds.min_spacing_mm,
            shut=self._taken(slots),
            opening=np.zeros(tracks),
            conflicts=np.zeros((tracks, tracks), bool),
        )

    def _taken(self, slots: Slots) -> np.ndarray:
        """Slots too near to a seed that was given."""
        taken = np.zeros(len(slots), bool)
        for seed in self._given:
            centre_B = self._scene.grid.to_box(np.array(seed.position_mm, float))
            taken |= np.linalg.norm(slots.centre_B - centre_B, axis=1) < SEED_LENGTH_MM
        return taken

    def good(self, found: ChosenSet) -> bool:
        """Whether a set meets the goals of the PTV on the samples that it is judged by."""
        grid, rx, goals = self._scene.grid, self._prescription.dose_gy, self._prescription.goals
        seeds = found.seeds
        total = self._judged_there + self._dose.total(
            self._judged.points_P,
            [
                GivenSeed(_point(p), _point(a))
                for p, a in zip(
                    grid.to_patient(seeds.centre_B), grid.vectors_to_patient(seeds.axis_B), strict=True
                )
            ],
        )
        weights = self._judged.weights_mm3 / self._judged.volume_mm3

        def percent(dose_gy: float) -> float:
            return 100.0 * float(weights[total >= dose_gy].sum())

        return (
            percent(rx) >= goals.v100_percent
            and percent(self._prescription.d90_goal_gy) >= 90.0
            and percent(1.5 * rx) <= goals.v150_percent
            and percent(2.0 * rx) <= goals.v200_percent
        )


def _point(row: np.ndarray) -> tuple[float, float, float]:
    return float(row[0]), float(row[1]), float(row[2])
