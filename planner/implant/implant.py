"""Implant: from a scene and its prescription to needles, seeds and their dose, in clinical order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.dose.ptv import ptv_of
from planner.dose.tg43.seed_dose import SeedDose, seed_dose
from planner.implant.choose_set import KeepGoing, choose_set
from planner.implant.chosen_set import ChosenSet
from planner.implant.needles.conflicts import Needles, hardware_of
from planner.implant.needles.track_pool import pools
from planner.implant.needles.tracks import Tracks, reach_mm
from planner.implant.needles_in_place import measured_given_needles
from planner.implant.seeding.seed_placement import COARSE_POINTS, SeedPlacement
from planner.implant.seeding.slots import seed_spacing
from planner.implant.set_paths import paths_of_set
from planner.implant.set_rules import set_rules
from planner.records.needle_set import REACH_MM
from planner.records.paths import Path
from planner.records.progress import GoOn, Phase, Progress
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.search.kernels.search_fields import SearchFields

SEARCH_SHARE = 0.3
"""Progress of the phase when all tracks are found: about the share of time that this takes [U]."""


@dataclass(frozen=True, eq=False)
class Implant:
    """An implant: the PTV, the dose of one seed, and the set with its needles as paths.

    `chosen` is None where no seed can be placed anywhere and nothing was given.
    """

    ptv: VoxelMask
    dose: SeedDose
    chosen: ChosenSet | None
    needles: tuple[Path, ...]
    reachable_percent: float

    def seeds(self, given_seeds: Sequence[GivenSeed]) -> tuple[GivenSeed, ...]:
        """All seeds: those on the needles, then those that were given."""
        placed = (GivenSeed(s.position_mm, s.axis) for path in self.needles for s in path.seeds)
        return (*placed, *given_seeds)


def implant(
    scene: Scene, request: Request, prescription: Prescription, fields: SearchFields, go_on: GoOn
) -> Implant:
    """The needle set and its seeds for a prescription.

    Raises RequestError for a source, strength, structure or needle that makes no sense, and whatever `go_on`
    raises.
    """
    dose = seed_dose(request.seeds)
    ptv = ptv_of(scene, request.target)
    placement = SeedPlacement(
        scene, prescription, ptv, dose, seed_spacing(request.seeds), request.needle_set.given_seeds
    )
    given_paths = measured_given_needles(scene, request)
    tracks = pools(
        scene,
        request,
        given_paths,
        fields,
        ptv,
        lambda p: go_on(replace(p, fraction=SEARCH_SHARE * p.fraction)),
    )
    candidates = [
        _chosen(scene, request, placement, pool, _part_of(go_on, number, len(tracks)))
        for number, pool in enumerate(tracks)
    ]
    sets = [candidate for candidate in candidates if candidate is not None]
    reachable = _reachable_percent(scene, ptv, tracks)
    if not sets:
        return Implant(ptv, dose, None, (), reachable)
    chosen = min(sets, key=lambda s: (not placement.meets_goals(s.seeds), s.missed, s.objective))
    chosen = replace(chosen, time_ended=any(s.time_ended for s in sets))
    needles = paths_of_set(scene, request, given_paths, chosen)
    return Implant(ptv, dose, chosen, needles, reachable)


def _part_of(go_on: GoOn, number: int, count: int) -> KeepGoing:
    """Reports the progress of one pool among several."""

    def keep_going(fraction: float) -> bool:
        done = SEARCH_SHARE + (1.0 - SEARCH_SHARE) * (number + fraction) / count
        return go_on(Progress(Phase.NEEDLES, done, "exchanged, with their seeds"))

    return keep_going


def _chosen(
    scene: Scene, request: Request, placement: SeedPlacement, pool: Tracks, keep_going: KeepGoing
) -> ChosenSet | None:
    settings = request.needle_set
    grid = scene.grid
    needles = Needles(grid.to_patient(pool.tip_B), grid.vectors_to_patient(pool.outward_B), pool.length_mm)
    hardware = hardware_of(request.needle, request.pose, settings.clearance_mm)
    given_rows = np.arange(len(settings.given_needles))
    rules = set_rules(pool, needles, hardware, given_rows, settings.puncture_cost_mm, settings.max_needles)
    return choose_set(rules, placement, keep_going, np.random.default_rng(request.random_seed))


def _reachable_percent(scene: Scene, ptv: VoxelMask, tracks: list[Tracks]) -> float:
    """Percentage of the PTV within REACH_MM of a place where some track can leave a seed. [%]"""
    points = even_points_B(ptv, scene.grid, COARSE_POINTS)
    reached = np.zeros(len(points), bool)
    for pool in tracks:
        reached |= (reach_mm(pool, points) <= REACH_MM).any(axis=0)
    return 100.0 * float(reached.mean())
