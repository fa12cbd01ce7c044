"""Work: from a case to a plan, its verification, its evaluation or its replanning. Command line and REST take
this one way.

Case --service.case--> Scene --plan--> Planning
                         |----evaluate, with a plan and the seeds found------> Evaluation
                         `----replan, with a plan and the needles measured---> Replanned
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from anatomy.errors import AnatomyError
from anatomy.names.did_you_mean import nearest
from anatomy.scene import Scene
from planner.errors import RequestError
from planner.evaluate import evaluate_implant
from planner.plan import Planning, plan
from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan
from planner.records.progress import GoOn, Progress
from planner.records.request import GivenSeed, Request
from planner.records.verification import Verification
from planner.replan import MeasuredNeedle, replan
from planner.verify import verify
from service.again import same_again, why_not_again
from service.case import Case, open_case, open_scene, scene_of
from service.clock import go_on_until
from service.found_schema import NeedlesMeasured
from service.given import refuse_left_out, refuse_other_files, refuse_other_roles
from service.own_block import lacks_verification, own_block
from service.plan_json import plan_sha256 as sha256_of_content
from service.to_record import to_record


@dataclass(frozen=True, eq=False)
class Planned:
    """A planning, and the scene it was made for."""

    scene: Scene
    planning: Planning

    @property
    def plan(self) -> Plan:
        """The plan, verified."""
        return self.planning.plan


class Unverified(Exception):
    """A plan, or what is said of an implant, did not pass its verification: a fault of this software, so it
    does not leave it."""


def plan_case(
    case: Case,
    request: Request,
    report: Callable[[Progress], None],
) -> Planned:
    """Read, set the scene, plan and verify. The request's time limit counts from when planning begins.

    Raises AnatomyError for bad input, and Unverified.
    """
    made, resolved = open_scene(case, request)
    go_on: GoOn = go_on_until(resolved.search.time_limit_s, report)
    planning = plan(made, resolved, go_on)
    _refuse_unverified("The plan", planning.plan.verification)
    return Planned(made, planning)


@dataclass(frozen=True)
class Checked:
    """What a check found. `not_made_again` says why the plan was not made again, though that was asked for:
    it is then not verified, since what only a search can tell may be false. With `quick` that was not asked
    for. Otherwise the plan was made again, and every field was compared."""

    verification: Verification
    not_made_again: str | None
    quick: bool = False


def check_case(case: Case, claimed: Plan, report: Callable[[Progress], None], *, again: bool) -> Checked:
    """Rebuild a plan's scene from the case and the plan's own request, recompute every claim, and hold the
    plan's own verification against that. If all hold and `again` is asked for, make the plan again where that
    can be done, and compare.

    Raises AnatomyError where the case lacks a file that the plan was made from, or what its request names.
    """
    segmentation, target_files = open_case(case)
    refuse_left_out(claimed.inputs, segmentation.inputs, claimed.request.target.structures)
    made, _ = scene_of(segmentation, target_files, claimed.request)
    verification = verify(claimed, made)
    checks = (*verification.checks, *own_block(claimed.verification, verification))
    verification = replace(verification, passed=all(c.passed for c in checks), checks=checks)
    if not again:
        return Checked(verification, None, quick=True)
    reason = why_not_again(claimed)
    if reason is None and not verification.passed:
        reason = "a claim failed"
    if reason is not None:
        return Checked(verification, reason)
    # A search that was complete is so without a clock.
    made_again = plan(made, _with_time(claimed.request, None), go_on_until(None, report)).plan
    same = same_again(claimed, replace(made_again, request=_with_time(made_again.request, claimed.request)))
    return Checked(Verification(all(c.passed for c in same), (*verification.checks, *same)), None)


def evaluate_case(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    seeds: tuple[GivenSeed, ...],
    report: Callable[[Progress], None],
) -> Evaluation:
    """What the seeds found after an implant give, beside what its plan promised, and what to add.

    Raises AnatomyError where plan, case and seeds do not fit together, and Unverified.
    """
    made = _scene_of_plan(case, claimed, plan_sha256)
    go_on = go_on_until(claimed.request.search.time_limit_s, report)
    evaluation = evaluate_implant(made, claimed, plan_sha256, seeds, go_on)
    if evaluation.supplement is not None:
        _refuse_unverified("The supplement", evaluation.supplement.verification)
    _refuse_unverified("The evaluation", evaluation.verification)
    return evaluation


def replan_case(
    case: Case,
    claimed: Plan,
    plan_sha256: str,
    found: NeedlesMeasured,
    report: Callable[[Progress], None],
) -> Replanned:
    """A plan around needles as measured and seeds as dropped, and what changed against the plan before.

    Raises AnatomyError where plan, case and needles do not fit together, and Unverified.
    """
    _refuse_unknown_paths(found, claimed)
    made = _scene_of_plan(case, claimed, plan_sha256)
    go_on = go_on_until(claimed.request.search.time_limit_s, report)
    needles = tuple(to_record(needle, MeasuredNeedle) for needle in found.needles)
    replanned = replan(made, claimed, plan_sha256, needles, found.dropped(), go_on)
    _refuse_unverified("The plan", replanned.plan.verification)
    _refuse_unverified("The replanning", replanned.verification)
    return replanned


def _scene_of_plan(case: Case, claimed: Plan, plan_sha256: str) -> Scene:
    """The scene that a verified plan was made for. Raises AnatomyError for another case, an altered plan, or
    one that does not carry a verification that passed."""
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
            "prescription",
            "the plan has none, so there is no dose to hold an implant against",
            "Make a plan with a prescription.",
        )
    segmentation, target_files = open_case(case)
    refuse_left_out(claimed.inputs, segmentation.inputs, claimed.request.target.structures)
    refuse_other_files(claimed.inputs, segmentation.inputs)
    made = scene_of(segmentation, target_files, claimed.request)[0]
    refuse_other_roles(dict(claimed.roles), {s.name: str(s.role) for s in made.structures})
    return made


def _refuse_unknown_paths(found: NeedlesMeasured, claimed: Plan) -> None:
    known = [path.id for path in claimed.paths]
    for n, needle in enumerate(found.needles):
        if needle.path_id is not None and needle.path_id not in known:
            raise RequestError(
                f"needles/{n}/path_id",
                f"{needle.path_id!r} is no path of the plan",
                f"{nearest(needle.path_id, known)} null stands for a needle that was not planned.",
            )


def _with_time(request: Request, limit_of: Request | None) -> Request:
    limit = None if limit_of is None else limit_of.search.time_limit_s
    return replace(request, search=replace(request.search, time_limit_s=limit))


def _refuse_unverified(what: str, verification: Verification | None) -> None:
    if verification is None:
        raise Unverified(f"{what} was not verified.")
    if not verification.passed:
        failed = [f"{c.name} of {c.subject}" for c in verification.checks if not c.passed]
        raise Unverified(f"{what} failed its verification: {', '.join(failed[:10])}.")
