"""Plan scene: the scene of a verified plan, for evaluating and replanning.

Case --service.operations.open_case--> Scene --plan--> PlanningResult
                         |----evaluate, with a plan and the seeds found------> Evaluation
                         `----replan, with a plan and the needles measured---> Replanned
"""

from dataclasses import replace

from anatomy.errors import AnatomyError
from anatomy.scene import Scene
from planner.errors import RequestError
from planner.records.plan import Plan
from planner.records.request.request import Request
from planner.records.verification import Verification
from service.host.errors import Unverified
from service.operations.case import Case
from service.operations.input_matching import refuse_left_out, refuse_other_files, refuse_other_roles
from service.operations.open_case import open_case, scene_of
from service.operations.own_verification import lacks_verification
from service.schemas.plan.file import plan_sha256 as sha256_of_content


def scene_of_plan(case: Case, claimed: Plan, plan_sha256: str) -> Scene:
    """The scene for which a verified plan was made. Raises AnatomyError for another case, an altered plan, or
    one without a verification that passed; RequestError for a plan without a prescription."""
    if sha256_of_content(claimed) != plan_sha256:
        raise AnatomyError(
            "plan_sha256",
            "it does not fit the plan's content, which was changed after the plan was made",
            "Give the plan as it was written.",
        )
    lacks = lacks_verification(claimed.verification)
    if lacks is not None:
        raise AnatomyError("verification", f"the plan is not verified: {lacks}", "Make the plan again.")
    if claimed.request.prescription is None:
        raise RequestError(
            ("prescription",),
            "the plan has none, so there is no dose to compare an implant with",
            "Make a plan with a prescription.",
        )
    segmentation, target_files = open_case(case)
    refuse_left_out(claimed.inputs, segmentation.inputs, claimed.request.target.structures)
    refuse_other_files(claimed.inputs, segmentation.inputs)
    scene = scene_of(segmentation, target_files, claimed.request)[0]
    refuse_other_roles(dict(claimed.roles), {s.name: str(s.role) for s in scene.structures})
    return scene


def with_time(request: Request, limit_of: Request | None) -> Request:
    """The request with the time limit of another one, or with none."""
    limit = None if limit_of is None else limit_of.search.time_limit_s
    return replace(request, search=replace(request.search, time_limit_s=limit))


def refuse_unverified(what: str, verification: Verification | None) -> None:
    """Raise Unverified if a verification is missing or did not pass."""
    if verification is None:
        raise Unverified(f"{what} was not verified.")
    if not verification.passed:
        failed = [f"{c.name} of {c.subject}" for c in verification.checks if not c.passed]
        raise Unverified(f"{what} failed its verification: {', '.join(failed[:10])}.")
