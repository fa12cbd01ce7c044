"""Set report: what is said of the needle set, and what of it is proved."""

from dataclasses import replace
from math import fsum

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.clearance import Obstacles
from planner.implant import Implant
from planner.implant_records import DoseReport, NeedleSet, PlacedSeed
from planner.needles.chosen import NEEDLE_COST_MM, ChosenSet
from planner.needles.conflicts import Needles, hardware_of, needles_between, why
from planner.needles.order import insertion_order
from planner.needles.prune import PLACE_RADIUS_MM
from planner.records import Aim, Path
from planner.request import Prescription, Request
from planner.seeding.bound import Fewest, fewest_seeds
from planner.wording import given_claims, set_claims


def set_report(
    scene: Scene,
    request: Request,
    prescription: Prescription,
    made: Implant,
    chosen: ChosenSet,
    dose: DoseReport,
) -> NeedleSet:
    """The needle set of an implant, as it was chosen, with the dose of its seeds."""
    paths = made.needles
    lung, punctures = fsum(p.lung_length_mm for p in paths), sum(p.pleural_punctures for p in paths)
    objective = lung + request.needle_set.puncture_cost_mm * punctures + NEEDLE_COST_MM * len(paths)
    bound = min(chosen.bound, objective)
    count = sum(len(p.seeds) for p in paths)
    few = _fewest(prescription, chosen, count, dose.target.v100_percent)
    stated = NeedleSet(
        arrangement=str(request.needle_set.arrangement),
        path_ids=tuple(p.id for p in paths),
        order=_order(request, paths),
        conflicts_checked=len(chosen.pool) * (len(chosen.pool) - 1) // 2,
        tracks_considered=len(chosen.pool),
        cover_radius_mm=PLACE_RADIUS_MM,
        reachable_percent=made.reachable_percent,
        lung_length_mm=lung,
        pleural_punctures=punctures,
        objective=objective,
        bound=bound,
        gap=(objective - bound) / objective if objective > 0.0 else 0.0,
        seeds=_seeds(request, paths),
        seeds_bound=few.seeds,
        seeds_gap=None if few.seeds is None else max(0.0, (count - few.seeds) / count) if count else 0.0,
        v100_reachable=few.reachable,
        time_ended=chosen.time_ended,
        claims=(),
    )
    return replace(stated, claims=(*set_claims(stated, scene.missing), *_of_given(scene, request, paths)))


def _fewest(prescription: Prescription, chosen: ChosenSet, count: int, v100_percent: float) -> Fewest:
    """How few seeds would do. What some points say is an estimate: where the dose itself reaches V100, it can
    be reached, and with no more seeds than there are."""
    goal = prescription.goals.v100_percent
    points = int(chosen.problem.goals.last[0])
    few = fewest_seeds(chosen.problem, goal / 100, prescription.dose_gy, points)
    met = v100_percent >= goal
    seeds = min(count, few.seeds) if met and few.seeds is not None else few.seeds
    return Fewest(seeds, few.reachable or met)


def _seeds(request: Request, paths: tuple[Path, ...]) -> tuple[PlacedSeed, ...]:
    placed = [
        PlacedSeed(p.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm) for p in paths for s in p.seeds
    ]
    given = [PlacedSeed(None, s.position_mm, s.axis, None, None) for s in request.needle_set.given_seeds]
    return (*placed, *given)


def needles_of(paths: tuple[Path, ...]) -> Needles:
    """The paths as needles in place."""
    return needles_between(
        np.array([p.entry_mm for p in paths], float).reshape(-1, 3),
        np.array([p.tip_mm for p in paths], float).reshape(-1, 3),
    )


def _order(request: Request, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The needles that are in, by rank where no order could have driven them; then an order in which every
    other one can be driven."""
    hardware = hardware_of(request, request.needle_set.clearance_mm)
    given = tuple(p for p in paths if p.aim is Aim.GIVEN)
    planned = tuple(p for p in paths if p.aim is not Aim.GIVEN)
    first = insertion_order(needles_of(given), hardware).order or range(len(given))
    then = insertion_order(needles_of(planned), hardware).order or ()
    return (*(given[n].id for n in first), *(planned[n].id for n in then))


def _of_given(scene: Scene, request: Request, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """What is wrong with seeds and needles that are where they are."""
    hardware = hardware_of(request, request.needle_set.clearance_mm)
    given = [p for p in paths if p.aim is Aim.GIVEN]
    needles = needles_of(tuple(given))
    said = list(given_claims(request, paths))
    for path in given:
        said += too_near(scene, request, path)
    for b in range(len(given)):
        for a in range(b):
            reason = why(needles, hardware, a, b)
            if reason is not None:
                said.append(f"{given[a].id} and {given[b].id}, given, are too near: {reason}.")
    return tuple(said)


def too_near(scene: Scene, request: Request, path: Path) -> list[str]:
    """A sentence for every forbidden structure that a given needle, in the body or out, is too near to."""
    grid, radius = scene.grid, request.needle.radius_mm
    tip_B = grid.to_box(np.array(path.tip_mm))
    end_B = tip_B - request.needle.max_length_mm * grid.vectors_to_box(np.array(path.direction))
    said = []
    for structure in scene.of_role(Role.FORBIDDEN):
        need = request.clearance_of(structure.name)
        distance, _ = Obstacles([structure], grid).nearest(tip_B, end_B, need + radius)
        if distance - radius < need:
            said.append(
                f"{path.id}, given, passes {max(0.0, distance - radius):.1f} mm from {structure.name}, where "
                f"{need:g} mm are asked for."
            )
    return said
