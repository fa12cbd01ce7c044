"""Set report: the needle set as the plan states it, with what is proved of it."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

from anatomy.scene import Scene
from planner.implant.chosen_set import ChosenSet
from planner.implant.implant import Implant
from planner.implant.needles.conflicts import Hardware, hardware_of
from planner.implant.needles.insertion_order import insertion_order
from planner.implant.prune import PLACE_RADIUS_MM
from planner.implant.seeding.fewest_seeds import FewestSeeds, fewest_seeds
from planner.implant.set_rules import NEEDLE_COST_MM
from planner.implant.too_close import close_seed_pairs, needles_of, too_near
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet, PlacedSeed
from planner.records.paths import Aim, Path
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.wording.set_claims import set_claims


def set_report(
    scene: Scene,
    request: Request,
    prescription: Prescription,
    implant: Implant,
    chosen: ChosenSet,
    dose: DoseReport,
) -> NeedleSet:
    """The record of the chosen needle set. `dose` is that of its seeds."""
    paths = implant.needles
    lung, punctures = fsum(p.lung_length_mm for p in paths), sum(p.pleural_punctures for p in paths)
    objective = lung + request.needle_set.puncture_cost_mm * punctures + NEEDLE_COST_MM * len(paths)
    bound = min(chosen.bound, objective)
    count = sum(len(p.seeds) for p in paths)
    few = _fewest(prescription, chosen, count, dose.target.v100_percent)
    stated = NeedleSet(
        arrangement=str(request.needle_set.arrangement),
        path_ids=tuple(p.id for p in paths),
        order=_order(hardware_of(request.needle, request.pose, request.needle_set.clearance_mm), paths),
        conflicts_checked=len(chosen.pool) * (len(chosen.pool) - 1) // 2,
        tracks_considered=len(chosen.pool),
        cover_radius_mm=PLACE_RADIUS_MM,
        reachable_percent=implant.reachable_percent,
        lung_length_mm=lung,
        pleural_punctures=punctures,
        objective=objective,
        bound=bound,
        gap=(objective - bound) / objective if objective > 0.0 else 0.0,
        seeds=_seeds(request.needle_set.given_seeds, paths),
        seeds_bound=few.seeds,
        seeds_gap=None if few.seeds is None else max(0.0, (count - few.seeds) / count) if count else 0.0,
        v100_reachable=few.reachable,
        time_ended=chosen.time_ended,
        given_too_near=too_near(scene, request, paths),
        given_seed_pairs_near=close_seed_pairs(
            request.needle_set.given_seeds, request.seeds.source.seed_length_mm
        ),
        claims=(),
    )
    return replace(stated, claims=set_claims(stated, paths, scene.missing))


def _fewest(prescription: Prescription, chosen: ChosenSet, count: int, v100_percent: float) -> FewestSeeds:
    """An estimate, from some points, of the fewest seeds that reach V100. Where the dose itself reaches V100,
    it is reachable, with no more seeds than there are."""
    goal = prescription.goals.v100_percent
    points = int(chosen.problem.goals.last[0])
    few = fewest_seeds(chosen.problem, goal / 100, prescription.dose_gy, points)
    met = v100_percent >= goal
    seeds = min(count, few.seeds) if met and few.seeds is not None else few.seeds
    return FewestSeeds(seeds, few.reachable or met)


def _seeds(given_seeds: Sequence[GivenSeed], paths: tuple[Path, ...]) -> tuple[PlacedSeed, ...]:
    placed = [
        PlacedSeed(p.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm) for p in paths for s in p.seeds
    ]
    in_place = [PlacedSeed(None, s.position_mm, s.axis, None, None) for s in given_seeds]
    return (*placed, *in_place)


def _order(hardware: Hardware, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The order of insertion: first the needles in place, by rank where no order could have driven them, then
    the planned ones, in an order in which every one can be driven."""
    given_paths = tuple(p for p in paths if p.aim is Aim.GIVEN)
    planned = tuple(p for p in paths if p.aim is not Aim.GIVEN)
    first = insertion_order(needles_of(given_paths), hardware).order or range(len(given_paths))
    then = insertion_order(needles_of(planned), hardware).order or ()
    return (*(given_paths[n].id for n in first), *(planned[n].id for n in then))
