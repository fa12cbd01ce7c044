"""Check a plan's claims on its case, and that planning it again gives the same plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from planner.records.plan import Plan
from planner.records.progress import Progress
from planner.records.verification import Verification
from planner.verify import verify
from service.operations.case import Case
from service.operations.input_matching import refuse_left_out
from service.operations.open_case import open_case, scene_of
from service.operations.own_verification import own_block
from service.operations.plan_scene import with_time
from service.operations.reproduce import compare_plans, why_not_reproducible
from service.operations.time_limit import go_on_until


@dataclass(frozen=True)
class Checked:
    """What a check found. `not_reproduced` says why the plan was not made again, though that was asked for:
    it is then not verified, since what only a search can tell may be false. With `quick` that was not asked
    for. Otherwise the plan was made again, and every field was compared."""

    verification: Verification
    not_reproduced: str | None
    quick: bool = False


def check_case(case: Case, claimed: Plan, report: Callable[[Progress], None], *, reproduce: bool) -> Checked:
    """Rebuild a plan's scene from the case and the plan's own request, recompute every claim, and hold the
    plan's own verification against that. If all hold and `reproduce` is asked for, make the plan again where
    that can be done, and compare.

    Raises AnatomyError where the case lacks a file that the plan was made from, or what its request names.
    """
    segmentation, target_files = open_case(case)
    refuse_left_out(claimed.inputs, segmentation.inputs, claimed.request.target.structures)
    scene, _ = scene_of(segmentation, target_files, claimed.request)
    # They take long to load: an input that cannot be read is refused before.
    from planner.plan import plan

    verification = verify(claimed, scene)
    checks = (*verification.checks, *own_block(claimed.verification, verification))
    verification = replace(verification, passed=all(c.passed for c in checks), checks=checks)
    if not reproduce:
        return Checked(verification, None, quick=True)
    reason = why_not_reproducible(claimed)
    if reason is None and not verification.passed:
        reason = "a claim failed"
    if reason is not None:
        return Checked(verification, reason)
    # A search that was complete is so without a clock.
    reproduced = plan(scene, with_time(claimed.request, None), go_on_until(None, report)).plan
    same = compare_plans(claimed, replace(reproduced, request=with_time(reproduced.request, claimed.request)))
    return Checked(Verification(all(c.passed for c in same), (*verification.checks, *same), ()), None)
