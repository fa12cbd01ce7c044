"""Evaluate an implant: what the seeds found on the CT after it give, where it is cold, and what to add.

seeds found --> dose in PTV and GTV --> cold spots --> a plan around them, whose needle set brings D90 back
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label

from anatomy.scene import Scene
from anatomy.structures import VoxelMask
from planner.dose.indices import inside
from planner.dose_report import TARGET_STEP_MM, Dosimetry, goal_results, volume_dose
from planner.implant_records import Achieved, ColdSpot
from planner.implant_results import EVALUATION_SCHEMA, Evaluation
from planner.plan import plan as make_plan
from planner.progress import GoOn, always
from planner.ptv import ptv_of
from planner.records import Outcome, Plan, Status
from planner.request import GivenSeed, Prescription, Request, RequestError
from planner.seeding.dose import seed_dose

SMALLEST_SPOT_CC = 0.02
"""Cold regions smaller than this are not named: two of the voxels of a common planning CT [U]."""
LIKELY_SPAN_MM = 300.0
"""Seeds lie within this of the target; farther, they were found in another frame [U]."""
MM3_PER_CC = 1000.0


def evaluate_implant(
    scene: Scene,
    plan: Plan,
    plan_sha256: str,
    seeds: tuple[GivenSeed, ...],
    go_on: GoOn = always,
) -> Evaluation:
    """What the seeds found give, beside what `plan` promised, and what to add. Frame P, mm, Gy.

    Where D90 is not what the prescription asks for, a plan is made with the seeds found as given: its needles
    are chosen from all safe tracks. Raises RequestError for a plan without prescription, no seeds, or seeds
    that cannot be where they are said to be.
    """
    request = plan.request
    prescription = request.prescription
    if prescription is None:
        raise RequestError("prescription", "the plan has none", "Make a plan with a prescription.")
    _refuse_impossible(scene, seeds)
    ptv = ptv_of(scene, request)
    achieved = _achieved(scene, request, prescription, ptv, seeds)
    supplement = None
    if achieved.target.d90_gy < prescription.d90_goal_gy:
        supplement = _supplement(scene, request, seeds, go_on)
    outcome = _outcome(prescription, achieved, supplement)
    planned = None if plan.dose is None else plan.dose.target
    return Evaluation(EVALUATION_SCHEMA, plan_sha256, outcome, planned, achieved, supplement)


def _refuse_impossible(scene: Scene, seeds: Sequence[GivenSeed]) -> None:
    if not seeds:
        raise RequestError("seeds", "no seed is given", "Give the positions found on the CT.")
    centres = np.array([s.position_mm for s in seeds], float)
    target = scene.target
    middle = scene.grid.to_patient(
        0.5 * (np.array(target.lower) + np.array(target.upper) - 1) * scene.grid.spacing_mm
    )
    for n, centre in enumerate(centres):
        if float(np.linalg.norm(centre - middle)) > LIKELY_SPAN_MM:
            raise RequestError(
                f"seeds/{n}/position_mm",
                f"it lies over {LIKELY_SPAN_MM:g} mm from the target",
                "Give LPS mm in the plan's frame: register the CT after the implant to it first.",
            )
        if not inside(scene.body, scene.grid, centre[None])[0]:
            raise RequestError(
                f"seeds/{n}/position_mm", "it lies outside the body", "Check the frame, or leave it out."
            )
        same = np.flatnonzero(np.linalg.norm(centres[:n] - centre, axis=1) < 1e-6)
        if len(same):
            raise RequestError(
                f"seeds/{n}/position_mm", f"seed {same[0]} is at the same place", "Name each seed once."
            )


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
    return Achieved(
        seeds_found=len(seeds),
        seeds_outside_ptv=int(np.count_nonzero(~inside(ptv, scene.grid, centres))),
        target=target,
        gtv=volume_dose(dosimetry.of("GTV", scene.target, TARGET_STEP_MM), prescription.dose_gy),
        cold_spots=_cold_spots(scene, dosimetry, ptv, prescription.dose_gy),
    )


def _cold_spots(
    scene: Scene, dosimetry: Dosimetry, ptv: VoxelMask, prescribed_gy: float
) -> tuple[ColdSpot, ...]:
    """Connected regions of voxels, by faces, whose centres get less than prescribed; the largest first."""
    grid = scene.grid
    index = np.argwhere(ptv.cropped())
    centres_P = grid.to_patient((index + np.array(ptv.lower)) * grid.spacing_mm)
    doses = dosimetry.at(centres_P)
    cold = np.zeros(ptv.cropped().shape, bool)
    cold[tuple(index[doses < prescribed_gy].T)] = True
    regions, count = label(cold)
    region_of = regions[tuple(index.T)]
    spots = [
        _spot(centres_P[region_of == n], doses[region_of == n], grid.voxel_volume_mm3)
        for n in range(1, count + 1)
    ]
    named = [s for s in spots if s.volume_cc >= SMALLEST_SPOT_CC]
    return tuple(sorted(named, key=lambda s: (-s.volume_cc, s.centre_mm)))


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
    """A plan around the seeds found: its needles carry what is missing."""
    asked = replace(request.needle_set, given_seeds=seeds, given_needles=())
    return make_plan(scene, replace(request, needle_set=asked), go_on).plan


def _outcome(prescription: Prescription, achieved: Achieved, supplement: Plan | None) -> Outcome:
    """What was reached, and what to do."""
    target, goal = achieved.target, prescription.d90_goal_gy
    reached = f"D90 {target.d90_gy:.1f} Gy, V100 {target.v100_percent:.1f} %"
    if supplement is None:
        missed = [
            g.name for g in goal_results(prescription, target, ()) if not g.met and g.structure == "PTV"
        ]
        if not missed:
            return Outcome(Status.PLANNED, f"The implant meets the goals of the PTV: {reached}.")
        return Outcome(
            Status.GOALS_NOT_MET,
            f"{reached}: D90 is reached, other goals are not: {', '.join(missed)}. Seeds cannot be taken "
            "out, and none are proposed.",
        )
    cold = f"{reached}, at least {goal:g} Gy asked for. {len(achieved.cold_spots)} cold spots."
    needles, dose = supplement.needle_set, supplement.dose
    if needles is None or dose is None:
        return Outcome(Status.GOALS_NOT_MET, f"{cold} No safe track to add seeds was found.")
    added = sum(1 for s in needles.seeds if s.path_id is not None)
    after = f"{added} seeds on {len(needles.path_ids)} needles bring D90 to {dose.target.d90_gy:.1f} Gy"
    if dose.target.d90_gy >= goal:
        return Outcome(Status.PLANNED, f"{cold} {after}.")
    return Outcome(Status.GOALS_NOT_MET, f"{cold} {after}: not enough.")
