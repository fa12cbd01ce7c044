"""Stand-ins for work whose plans fill the page: all that can be wrong with a plan, and the longest words."""

from collections.abc import Callable
from dataclasses import replace

import instant_work
from sample_implants import a_path

from planner.records.paths import Aim, Path
from planner.records.plan import PlanningResult
from planner.records.progress import Progress
from planner.records.request.request import Request
from service.operations.case import Case
from service.operations.job_tasks import Work


def plan(case: Case, request: Request, report: Callable[[Progress], None]) -> PlanningResult:
    # As where the scene is made: the request names its target.
    for_node = replace(request, target=replace(request.target, structures=("node_4R",)))
    planned = instant_work.plan(case, for_node, report)
    needles = [wordy("N1", Aim.GIVEN), wordy("N2", Aim.PTV)]
    long = [wordy(f"P{n + 1}", Aim.TARGET) for n in range(12)] + needles
    roles = (("node_4R", "target"), ("aorta", "forbidden"))
    return replace(planned, plan=replace(planned.plan, roles=roles, paths=tuple(long)))


def wordy(id: str, aim: Aim) -> Path:
    return replace(
        a_path(id, aim, lung_mm=112.5),
        approach="paravertebral right",
        nearest_structure="pulmonary_vein_and_left_atrial_appendage",
        axial_angle_deg=-135.5,
        craniocaudal_angle_deg=-22.5,
    )


WORK = Work(instant_work.describe, plan, instant_work.evaluate, instant_work.replan)
