"""The whole verification: every claim of a plan, recomputed from the scene it was made for."""

from anatomy.scene import Scene
from planner.records import Plan, Verification
from planner.verify.claims import Claims
from planner.verify.clearance import check_clearances
from planner.verify.inputs import check_inputs
from planner.verify.numbers import check_numbers
from planner.verify.order import check_order
from planner.verify.outcome import check_outcome
from planner.verify.passage import check_passage
from planner.verify.room import check_room
from planner.verify.seeds import check_seeds
from planner.verify.track import check_track
from planner.verify.trial import trial_of
from planner.verify.voxels import voxels_of


def verify(plan: Plan, scene: Scene) -> Verification:
    """Recompute every claim of `plan` from the original voxels or triangles of `scene`.

    Nothing here is shared with the search, its distance fields or its measuring: boxes and triangles are
    measured exactly, lines are clipped to each box. A false plan fails checks and never raises. A plan whose
    numbers cannot be reckoned with gets no further than saying so.
    """
    claims = Claims()
    check_inputs(claims, plan, scene)
    if not check_numbers(claims, plan):
        return claims.verification()
    check_outcome(claims, plan)
    check_order(claims, plan)
    trials = []
    for path in plan.paths:
        trial = trial_of(path, scene, plan.request)
        apart = "coincide" if trial is None else "differ"
        claims.same("entry and tip differ", f"path {path.id}", "differ", apart)
        if trial is not None:
            trials.append(trial)
    target = voxels_of(scene.target, outer_only=False)
    for trial in trials:
        check_track(claims, trial)
        check_passage(claims, trial)
        check_room(claims, trial)
        check_seeds(claims, trial, target)
    check_clearances(claims, trials, scene)
    return claims.verification()
