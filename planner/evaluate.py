"""Evaluate an implant: the dose of the seeds found on a CT after it, its cold spots, and what to add.

seeds found --> dose in PTV and GTV --> cold spots --> a plan around them, whose needle set restores D90
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label

from anatomy.geometry.frames import MM3_PER_CC
from anatomy.geometry.masks import VoxelMask
from anatomy.geometry.points_in_mask import points_inside
from anatomy.scene import Scene
from planner.dose.dosimetry import ORGAN_STEP_MM, Dosimetry, organ_dose, volume_dose
from planner.dose.goals import goal_results
from planner.dose.ptv import ptv_of
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.implant.needles_in_place import refuse_impossible_seeds
from planner.implant.too_close import close_seed_pairs
from planner.plan import plan as make_plan
from planner.records.followup import EVALUATION_SCHEMA, MIN_SPOT_CC, Achieved, ColdSpot, Evaluation
from planner.records.organ_goals import refuse_impossible_goals
from planner.records.plan import Plan
from planner.records.progress import GoOn, Phase, Progress, always, part_of
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.wording.followup import implant_outcome
from planner.verify import verify_evaluation

SUPPLEMENT_SHARE = (0.05, 0.95)
"""Progress at the start and the end of the plan for additional seeds: about its share of the time [U]."""


def evaluate_implant(
    scene: Scene,
    plan: Plan,
    plan_sha256: str,
    seeds: tuple[GivenSeed, ...],
    go_on: GoOn = always,
) -> Evaluation:
    """The dose of the seeds found, compared with `plan`, and what to add. Frame P, mm, Gy.

    If D90 or V100 misses its goal, a plan is made with the seeds found as given: its needles are chosen from
    all safe tracks. Raises RequestError for a plan without prescription, for no seeds, or for seeds whose
    stated positions are impossible.
    """
    request = plan.request
    prescription = request.prescription
    if prescription is None:
        raise RequestError(("prescription",), "the plan has none", "Make a plan with a prescription.")
    refuse_impossible_goals(scene, prescription)
    if not seeds:
        raise RequestError(("seeds",), "no seed is given", "Give the positions found on the CT.")
    refuse_impossible_seeds(scene, seeds, request.seeds.source.seed_diameter_mm, ("seeds",))
    # The result does not depend on the order in which they were found.
    seeds = tuple(sorted(seeds, key=lambda seed: (seed.position_mm, seed.axis or ())))
    go_on(Progress(Phase.FIELDS, 0.0, "dose of the seeds found"))
    achieved = _achieved(scene, request, prescription, ptv_of(scene, request.target), seeds)
    goal_missed = any(goal.at_least and not goal.met for goal in achieved.goals)
    supplement = (
        _supplement(scene, request, seeds, part_of(go_on, *SUPPLEMENT_SHARE)) if goal_missed else None
    )
    outcome = implant_outcome(achieved, supplement)
    planned = None if plan.dose is None else plan.dose.target
    evaluation = Evaluation(
        EVALUATION_SCHEMA, plan_sha256, seeds, outcome, planned, achieved, supplement, None
    )
    go_on(Progress(Phase.VERIFY, SUPPLEMENT_SHARE[1], "every claim"))
    verified = replace(evaluation, verification=verify_evaluation(evaluation, plan, scene))
    go_on(Progress(Phase.VERIFY, 1.0, "every claim"))
    return verified


def _achieved(
    scene: Scene,
    request: Request,
    prescription: Prescription,
    ptv: VoxelMask,
    seeds: tuple[GivenSeed, ...],
) -> Achieved:
    dosimetry = Dosimetry(scene, seed_dose(request.seeds), seeds)
    centres = np.array([s.position_mm for s in seeds], float)
    _, target = dosimetry.target(ptv, prescription.dose_gy)
    organs = tuple(
        organ_dose(dosimetry.of(name, scene.structure(name).mask, ORGAN_STEP_MM))
        for name in sorted(prescription.organ_goals)
    )
    return Achieved(
        seeds_found=len(seeds),
        seeds_outside_ptv=int(np.count_nonzero(~points_inside(ptv, scene.grid, centres))),
        seed_pairs_near=close_seed_pairs(seeds, request.seeds.source.seed_length_mm),
        target=target,
        gtv=volume_dose(dosimetry.treated("GTV", scene.target), prescription.dose_gy),
        organs=organs,
        goals=goal_results(prescription, target, organs),
        cold_spots=_cold_spots(scene, dosimetry, ptv, prescription.dose_gy),
    )


def _cold_spots(
    scene: Scene, dosimetry: Dosimetry, ptv: VoxelMask, prescribed_gy: float
) -> tuple[ColdSpot, ...]:
    """Regions of voxels, connected by faces, whose centres get less than prescribed; the largest first."""
    grid = scene.grid
    index = np.argwhere(ptv.cropped())
    centres_P = grid.to_patient((index + np.array(ptv.lower)) * grid.spacing_mm)
    doses = dosimetry.outside_seeds(centres_P)
    cold = np.zeros(ptv.cropped().shape, bool)
    cold[tuple(index[doses < prescribed_gy].T)] = True
    regions, count = label(cold)
    region_of = regions[tuple(index.T)]
    spots = [
        _spot(centres_P[region_of == n], doses[region_of == n], grid.voxel_volume_mm3)
        for n in range(1, count + 1)
    ]
    large_spots = [s for s in spots if s.volume_cc >= MIN_SPOT_CC]
    return tuple(sorted(large_spots, key=lambda s: (-s.volume_cc, s.centre_mm)))


def _spot(centres_P: Float[np.ndarray, "n 3"], doses: Float[np.ndarray, " n"], voxel_mm3: float) -> ColdSpot:
    middle, coldest = centres_P.mean(axis=0), int(doses.argmin())
    return ColdSpot(
        volume_cc=len(doses) * voxel_mm3 / MM3_PER_CC,
        centre_mm=(float(middle[0]), float(middle[1]), float(middle[2])),
        least_dose_gy=float(doses[coldest]),
        least_at_mm=_point(centres_P[coldest]),
    )


def _point(p: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    return float(p[0]), float(p[1]), float(p[2])


def _supplement(scene: Scene, request: Request, seeds: tuple[GivenSeed, ...], go_on: GoOn) -> Plan:
    """A plan with the seeds found as given: its needles carry the missing seeds."""
    needle_set = replace(request.needle_set, given_seeds=seeds, given_needles=())
    return make_plan(scene, replace(request, needle_set=needle_set), go_on).plan
