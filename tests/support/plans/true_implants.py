r"""An implant that is true: a few needles from the front into the node of the chest of boxes, with seeds.

    hubs   . | .
           \ | /      six needles, 7 mm apart in the node and farther apart at their hubs
            node

The positions of needles and seeds are fixed here. The planner's own parts compute crossings and doses.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import fsum

import numpy as np
from true_plans import REQUEST, Patient, as_tuple, box_patient, honest_plan

from anatomy.scene import Scene
from planner.dose.ptv import ptv_of
from planner.dose.report import dose_report
from planner.dose.tg43.seed_dose import seed_dose
from planner.implant.too_close import close_seed_pairs, too_near
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath, to_path
from planner.paths.ranking import ranked
from planner.records.needle_set import NeedleSet, PlacedSeed
from planner.records.paths import Aim, Path, SeedDrop
from planner.records.plan import Plan, Status
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.prescription import Goals, OrganGoal, Prescription, PriorExternal
from planner.records.request.request import Request
from planner.records.wording.outcome_message import message_of
from planner.records.wording.set_claims import set_claims
from planner.robustness.robustness import robustness

TIPS_B = [(x, 75.0, z) for x in (50.0, 57.0) for z in (55.0, 62.0, 69.0)]
MIDDLE_B = (53.5, 62.0)
FAN = 0.01
"""Lateral component of a needle's outward direction, for each mm that its tip lies off the middle."""
STOPS_MM = (3.0, 12.0)
"""Distances of the seeds from the tip."""

PRESCRIPTION = Prescription(
    dose_gy=60.0,
    goals=Goals(d90_gy=50.0, v100_percent=80.0, v150_percent=90.0, v200_percent=60.0),
    organ_goals={"heart": OrganGoal(d2cc_gy=100.0), "aorta": OrganGoal(d0_1cc_gy=200.0, d1cc_gy=90.0)},
    prior_external=PriorExternal(60.0, 30),
)
"""The dose is small enough for these few seeds to meet all goals."""

REQUEST_WITH_PRESCRIPTION = replace(REQUEST, prescription=PRESCRIPTION)


def outward_of(tip_B: Sequence[float], fan: float) -> np.ndarray:
    """The outward direction of a needle with this tip, not normalised."""
    return np.array([fan * (tip_B[0] - MIDDLE_B[0]), -1.0, fan * (tip_B[2] - MIDDLE_B[1])])


def measured(scene: Scene, request: Request, tip_B: Sequence[float], outward_B: np.ndarray) -> MeasuredPath:
    grid = scene.grid
    path = Measurer(scene, request.needle_assembly).measure_from(
        grid.to_patient(np.array(tip_B)), grid.vectors_to_patient(outward_B)
    )
    assert path is not None
    return path


def drops(needle: MeasuredPath, stops_mm: Sequence[float]) -> tuple[SeedDrop, ...]:
    """Seeds at these distances from the tip. [mm]"""
    positions = [needle.entry_P + (needle.length_mm - s) * needle.direction_P for s in stops_mm]
    retractions_mm = [0.0, *(b - a for a, b in pairwise(stops_mm))]
    return tuple(
        SeedDrop(as_tuple(p), needle.direction, needle.length_mm - s, retraction_mm)
        for p, s, retraction_mm in zip(positions, stops_mm, retractions_mm, strict=True)
    )


def needle_paths(
    scene: Scene,
    request: Request,
    tips_B: Sequence[Sequence[float]] = TIPS_B,
    stops_mm: Sequence[float] = STOPS_MM,
    fan: float = FAN,
) -> list[Path]:
    """The planned needles and the given ones, by rank, numbered from 1."""
    aims = {measured(scene, request, tip, outward_of(tip, fan)): Aim.PTV for tip in tips_B}
    for needle in request.needle_set.given_needles:
        tip, entry = (scene.grid.to_box(np.array(p)) for p in (needle.tip_mm, needle.entry_mm))
        aims[measured(scene, request, tuple(tip), entry - tip)] = Aim.GIVEN
    return [
        to_path(
            m,
            id=f"N{n}",
            rank=n,
            window="",
            approach="parasternal",
            pareto=False,
            seeds=drops(m, stops_mm) if aims[m] is Aim.PTV else (),
            aim=aims[m],
        )
        for n, m in enumerate(ranked(list(aims), request.path_order), start=1)
    ]


def set_of(scene: Scene, request: Request, paths: Sequence[Path]) -> NeedleSet:
    """The set of these needles. None of them blocks another."""
    lung, punctures = fsum(p.lung_length_mm for p in paths), sum(p.pleural_punctures for p in paths)
    cost = lung + request.needle_set.puncture_cost_mm * punctures + len(paths)
    seeds = [
        PlacedSeed(p.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm) for p in paths for s in p.seeds
    ]
    seeds_in_place = [
        PlacedSeed(None, s.position_mm, s.axis, None, None) for s in request.needle_set.given_seeds
    ]
    needle_set = NeedleSet(
        arrangement=str(request.needle_set.arrangement),
        path_ids=tuple(p.id for p in paths),
        order=tuple(p.id for p in paths),
        conflicts_checked=190,
        tracks_considered=20,
        cover_radius_mm=4.0,
        reachable_percent=97.0,
        lung_length_mm=lung,
        pleural_punctures=punctures,
        objective=cost,
        bound=0.75 * cost,
        gap=0.25,
        seeds=(*seeds, *seeds_in_place),
        seeds_bound=len(seeds) // 2,
        seeds_gap=(len(seeds) - len(seeds) // 2) / len(seeds),
        v100_reachable=True,
        time_ended=False,
        given_too_near=too_near(scene, request, paths),
        given_seed_pairs_near=close_seed_pairs(
            request.needle_set.given_seeds, request.seeds.source.seed_length_mm
        ),
        claims=(),
    )
    return replace(needle_set, claims=set_claims(needle_set, tuple(paths), scene.missing))


def seeds_in(needles: NeedleSet) -> list[GivenSeed]:
    return [GivenSeed(s.position_mm, s.axis) for s in needles.seeds]


def seed_doses(plan: Plan, patient: Patient, paths: Sequence[Path]) -> Plan:
    """The plan with these needles after its paths, with their dose and the outcome message."""
    request = plan.request
    ranked_paths = tuple(p for p in plan.paths if p.aim is Aim.TARGET)
    needles = set_of(patient.scene, request, paths)
    plan = replace(
        plan,
        paths=(
            *ranked_paths,
            *(replace(p, rank=len(ranked_paths) + n) for n, p in enumerate(paths, start=1)),
        ),
        needle_set=needles,
    )
    return dosed(plan, patient)


def dosed(plan: Plan, patient: Patient) -> Plan:
    """The plan with the dose of its set's seeds."""
    request, scene = plan.request, patient.scene
    assert plan.needle_set is not None and request.prescription is not None
    seeds, dose = seeds_in(plan.needle_set), seed_dose(request.seeds)
    ptv = ptv_of(scene, request.target)
    report = dose_report(scene, request.prescription, ptv, dose, seeds)
    needles = tuple(path for path in plan.paths if path.aim is not Aim.TARGET)
    risk = robustness(
        scene,
        needles,
        request.needle_set.given_seeds,
        ptv,
        dose,
        sampling=request.robustness,
        prescription=request.prescription,
        needle_radius_mm=request.needle.radius_mm,
        random_seed=request.random_seed,
    )
    return in_words(replace(plan, dose=report, robustness=risk))


def in_words(plan: Plan) -> Plan:
    """The plan with the status and the message that follow from its numbers."""
    assert plan.dose is not None
    goals_met = all(goal.met for goal in plan.dose.goals)
    status = Status.PLANNED if goals_met else Status.GOALS_NOT_MET
    return replace(plan, outcome=replace(plan.outcome, status=status, message=message_of(plan)))


def implanted(
    request: Request = REQUEST_WITH_PRESCRIPTION, tips_B: Sequence[Sequence[float]] = TIPS_B, fan: float = FAN
) -> tuple[Plan, Patient]:
    """A true plan with an implant, and the patient it is for."""
    patient = box_patient(request=request)
    lines = {"anterior": ((58.0, 66.0, 62.0), (0.1, -1.0, 0.05))}
    paths = needle_paths(patient.scene, request, tips_B, fan=fan)
    return seed_doses(honest_plan(patient, request, lines), patient, paths), patient


@cache
def honest_implant() -> tuple[Plan, Patient]:
    """The same implant for all tests."""
    return implanted()


def given_needle(scene: Scene, tip_B: Sequence[float], outward_B: Sequence[float]) -> GivenNeedle:
    """A needle as measured; its measured entry lies outside the skin."""
    grid, direction = scene.grid, np.array(outward_B) / np.linalg.norm(outward_B)
    ends = (np.array(tip_B) + 80.0 * direction, np.array(tip_B))
    entry, tip = (as_tuple(grid.to_patient(p)) for p in ends)
    return GivenNeedle(entry, tip)


def with_given(*needles: GivenNeedle, seeds: Sequence[GivenSeed] = ()) -> Request:
    return replace(
        REQUEST_WITH_PRESCRIPTION,
        needle_set=NeedleSetRequest(given_needles=needles, given_seeds=tuple(seeds)),
    )
