"""Stand-ins for work whose plans fill the page: all that can be wrong with a plan, and the longest words."""

from collections.abc import Callable
from dataclasses import replace

import fuzz_fakes
from made_implants import a_dose, a_path

from planner.implant_records import DoseReport
from planner.plan import Planning
from planner.progress import Progress
from planner.records import Aim, Path
from planner.request import Request
from service.case import Case
from service.tasks import Work


def plan(case: Case, request: Request, report: Callable[[Progress], None]) -> Planning:
    made = fuzz_fakes.plan(case, request, report)
    needles = [wordy("N1", Aim.GIVEN), wordy("N2", Aim.PTV)]
    long = [wordy(f"P{n + 1}", Aim.TARGET) for n in range(12)] + needles
    roles = (("node_4R", "target"), ("aorta", "forbidden"))
    return replace(made, plan=replace(made.plan, roles=roles, paths=tuple(long), dose=too_much()))


def too_much() -> DoseReport:
    """A dose that exceeds two limits: the first of them by a hair."""
    dose = a_dose()
    heart, *others = dose.bed.limits
    over = replace(heart, met=False, achieved_bed_gy=100.27, achieved_cc=15.5)
    return replace(dose, bed=replace(dose.bed, limits=(over, *others)))


def wordy(id: str, aim: Aim) -> Path:
    return replace(
        a_path(id, aim, lung_mm=112.5),
        approach="paravertebral right",
        nearest_structure="pulmonary_vein_and_left_atrial_appendage",
        axial_angle_deg=-135.5,
        craniocaudal_angle_deg=-22.5,
    )


WORK = Work(fuzz_fakes.describe, plan, fuzz_fakes.evaluate, fuzz_fakes.replan)
