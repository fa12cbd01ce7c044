"""The implant part of a plan: its needle set, the seeds on each needle, and their dose."""

from anatomy.geometry.frames import MM3_PER_CC
from anatomy.scene import Scene
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.verify.claims import Claims
from planner.verify.dose.dose import check_dose
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.needle.track import check_from_skin
from planner.verify.needle_set.needle_set import check_needle_set
from planner.verify.needle_set.ptv import Ptv, ptv_of
from planner.verify.needle_set.seeds import check_seeds_of_set, check_set_seeds, check_tip_in
from planner.verify.robustness.robustness import check_robustness


def check_implant(claims: Claims, plan: Plan, scene: Scene) -> Ptv | None:
    """All claims of the implant except those on single needles, which need the PTV that is returned.

    None where nothing is implanted.
    """
    prescription, needles, dose = plan.request.prescription, plan.needle_set, plan.dose
    if needles is None:
        return None
    ptv = ptv_of(claims, scene, plan.request.target)
    check_needle_set(claims, plan, needles)
    check_seeds_of_set(claims, plan, needles)
    if dose is not None and prescription is not None:
        treated = ptv.nearer_to(dose.target.volume_cc * MM3_PER_CC / scene.grid.voxel_volume_mm3)
        check_dose(claims, plan, prescription, needles, dose, scene, treated)
        check_robustness(claims, plan, scene, treated)
    return ptv


def check_needle(claims: Claims, examined: ExaminedAxis, path: Path, ptv: Ptv | None) -> None:
    """A needle of a set: where it ends, and where its seeds lie. A needle in place may end anywhere."""
    check_from_skin(claims, examined)
    if ptv is None:
        return
    if path.aim is Aim.PTV:
        check_tip_in(claims, examined, ptv.most)
    check_set_seeds(claims, examined, path, ptv.most)
