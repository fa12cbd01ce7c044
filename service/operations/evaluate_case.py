"""Evaluate an implant from the seeds found on the CT after it."""

from collections.abc import Callable

from planner.records.followup import Evaluation
from planner.records.plan import Plan
from planner.records.progress import Progress
from planner.records.request.given import GivenSeed
from service.operations.case import Case
from service.operations.plan_scene import refuse_unverified, scene_of_plan
from service.operations.time_limit import go_on_until


def evaluate_case(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    seeds: tuple[GivenSeed, ...],
    report: Callable[[Progress], None],
) -> Evaluation:
    """The dose of the seeds found after an implant, compared with its plan, and a plan of what to add.

    Raises AnatomyError if plan, case and seeds do not fit together, and Unverified.
    """
    scene = scene_of_plan(case, claimed, plan_sha256)
    # It takes long to load: an input that cannot be read is refused before.
    from planner.evaluate import evaluate_implant

    go_on = go_on_until(claimed.request.search.time_limit_s, report)
    evaluation = evaluate_implant(scene, claimed, plan_sha256, seeds, go_on)
    if evaluation.supplement is not None:
        refuse_unverified("The supplement", evaluation.supplement.verification)
    refuse_unverified("The evaluation", evaluation.verification)
    return evaluation
