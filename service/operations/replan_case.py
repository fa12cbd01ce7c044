"""Plan again around needles that were measured in the patient."""

from collections.abc import Callable

from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError
from planner.records.followup import Replanned
from planner.records.plan import Plan
from planner.records.progress import Progress
from service.operations.case import Case
from service.operations.plan_scene import refuse_unverified, scene_of_plan
from service.operations.time_limit import go_on_until
from service.schemas.in_patient import NeedlesMeasured


def replan_case(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    measured: NeedlesMeasured,
    report: Callable[[Progress], None],
) -> Replanned:
    """A plan around measured needles and dropped seeds, and its changes from the plan before.

    Raises AnatomyError if plan, case and needles do not fit together, and Unverified.
    """
    _refuse_unknown_paths(measured, claimed)
    scene = scene_of_plan(case, claimed, plan_sha256)
    # It takes long to load: an input that cannot be read is refused before.
    from planner.replan import MeasuredNeedle, replan

    go_on = go_on_until(claimed.request.search.time_limit_s, report)
    needles = tuple(MeasuredNeedle(**dict(needle)) for needle in measured.needles)
    replanned = replan(scene, claimed, plan_sha256, needles, measured.seeds, go_on)
    refuse_unverified("The plan", replanned.plan.verification)
    refuse_unverified("The replanning", replanned.verification)
    return replanned


def _refuse_unknown_paths(measured: NeedlesMeasured, claimed: Plan) -> None:
    path_ids = [path.id for path in claimed.paths]
    for n, needle in enumerate(measured.needles):
        if needle.path_id is not None and needle.path_id not in path_ids:
            raise RequestError(
                ("needles", n, "path_id"),
                f"{needle.path_id!r} is not a path of the plan",
                f"{did_you_mean(needle.path_id, path_ids)} null stands for a needle that was not planned.",
            )
