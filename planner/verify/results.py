"""Claims of an evaluation and of a replanning, beside those of the plans that they hold."""

import numpy as np

from anatomy.scene import Scene
from planner.implant_records import Changes, NeedleChange, PlacedSeed
from planner.implant_results import Evaluation, Replanned
from planner.records import Aim, Path, Plan, Status, Verification
from planner.verify.claims import Claims
from planner.verify.cold_spots import check_cold_spots
from planner.verify.conformity import check_indices
from planner.verify.dvh import CC_MM3
from planner.verify.numbers import check_finite, check_numbers
from planner.verify.planted import planted
from planner.verify.ptv import holds, ptv_of
from planner.verify.strength import strong_of
from planner.verify.tolerances import LENGTH_MM
from planner.verify.volume_dose import check_treated, sampled


def verify_evaluation(evaluation: Evaluation, plan: Plan, scene: Scene) -> Verification:
    """Recompute what an evaluation says of the seeds found, by the direct sum, in the scene of its plan."""
    claims = Claims()
    asked = plan.request.prescription
    if not (check_numbers(claims, plan) and check_finite(claims, evaluation, "evaluation")) or asked is None:
        return claims.verification()
    achieved, grid = evaluation.achieved, scene.grid
    centres_P = np.array([seed.position_mm for seed in evaluation.seeds], float).reshape(-1, 3)
    ptv = ptv_of(claims, scene, plan.request)
    treated = ptv.nearer_to(achieved.target.volume_cc * CC_MM3 / grid.voxel_volume_mm3)
    strong = strong_of(plan.request)
    found = [PlacedSeed(None, seed.position_mm, seed.axis, None, None) for seed in evaluation.seeds]
    seeds = planted(strong.source, strong.strength_u, found)
    claims.equal("seeds found", "achieved", float(achieved.seeds_found), float(len(found)), 0.0)
    outside = float(np.count_nonzero(~holds(treated, grid.spacing_mm, grid.to_box(centres_P))))
    claims.equal("seeds outside the PTV", "achieved", float(achieved.seeds_outside_ptv), outside, 0.0)
    check_treated(claims, "PTV", achieved.target, sampled(treated, grid, seeds), asked.dose_gy)
    check_treated(claims, "GTV", achieved.gtv, sampled(scene.target, grid, seeds), asked.dose_gy)
    check_indices(claims, achieved.target, seeds, treated, grid, asked.dose_gy)
    check_cold_spots(claims, achieved.cold_spots, seeds, treated, grid, asked.dose_gy)
    as_planned = evaluation.planned == (None if plan.dose is None else plan.dose.target)
    said = "the plan's" if as_planned else "another"
    claims.holds("what was planned", "evaluation", "the plan's", said, as_planned)
    _check_supplement(claims, evaluation)
    return claims.verification()


def _check_supplement(claims: Claims, evaluation: Evaluation) -> None:
    """It keeps the seeds found, is verified, and meets all goals where the outcome says so."""
    added = evaluation.supplement
    if added is None:
        return
    kept = added.request.needle_set.given_seeds == evaluation.seeds
    claims.holds(
        "the supplement keeps the seeds found", "supplement", "kept", "kept" if kept else "others", kept
    )
    sound = added.verification is not None and added.verification.passed
    claims.holds(
        "the supplement is verified", "supplement", "verified", "verified" if sound else "not", sound
    )
    enough = added.outcome.status is Status.PLANNED
    said, found = (
        "goals met" if met else "goals not met"
        for met in (evaluation.outcome.status is Status.PLANNED, enough)
    )
    claims.same("whether the supplement is enough", "outcome", said, found)


def verify_changes(replanned: Replanned, before: Plan) -> Verification:
    """Recompute what a replanning says has changed from the plan before to the plan that it holds."""
    claims = Claims()
    if not check_finite(claims, replanned.changes, "changes"):
        return claims.verification()
    changes, after = replanned.changes, replanned.plan
    olds, news = ({path.id: path for path in plan.paths} for plan in (before, after))
    for number, change in enumerate(changes.needles, start=1):
        _check_change(claims, f"change {number}", change, olds, news)
    for plan, name in ((before, "before_id"), (after, "after_id")):
        of_set = {path.id for path in plan.paths if path.aim is not Aim.TARGET}
        named = [id for id in (getattr(change, name) for change in changes.needles) if id is not None]
        missing = ", ".join(sorted(of_set - set(named))) or "none"
        claims.same("needles that are not told of", name, "none", missing)
        claims.equal("a needle is told of once", name, float(len(named)), float(len(set(named))), 0.0)
    _check_totals(claims, changes, before, after)
    return claims.verification()


def _check_change(
    claims: Claims, subject: str, change: NeedleChange, olds: dict[str, Path], news: dict[str, Path]
) -> None:
    """Both needles exist, lie so far apart, and carry so many seeds."""
    old, new = (
        None if id is None else paths.get(id)
        for id, paths in ((change.before_id, olds), (change.after_id, news))
    )
    known = (old is None) == (change.before_id is None) and (new is None) == (change.after_id is None)
    claims.holds("the needles exist", subject, "they do", "they do" if known else "one does not", known)
    for name, stated, path in (("before", change.seeds_before, old), ("after", change.seeds_after, new)):
        count = 0 if path is None else len(path.seeds)
        claims.equal(f"seeds {name}", subject, float(stated), float(count), 0.0)
    for end, moved in (("entry", change.entry_moved_mm), ("tip", change.tip_moved_mm)):
        if old is None or new is None or moved is None:
            told = moved is not None
            both = old is not None and new is not None
            claims.same(f"{end} moved", subject, "told" if told else "none", "told" if both else "none")
        else:
            apart = np.linalg.norm(np.subtract(getattr(old, f"{end}_mm"), getattr(new, f"{end}_mm")))
            claims.equal(f"{end} moved", subject, moved, float(apart), LENGTH_MM)


def _check_totals(claims: Claims, changes: Changes, before: Plan, after: Plan) -> None:
    """Seeds on needles, D90 and V100, as the two plans state them; 0 where a plan has none."""
    for plan, word in ((before, "before"), (after, "after")):
        seeds = () if plan.needle_set is None else plan.needle_set.seeds
        count = sum(seed.path_id is not None for seed in seeds)
        claims.equal("seeds on needles", word, float(getattr(changes, f"seeds_{word}")), float(count), 0.0)
        d90 = 0.0 if plan.dose is None else plan.dose.target.d90_gy
        v100 = 0.0 if plan.dose is None else plan.dose.target.v100_percent
        claims.equal("D90", word, getattr(changes, f"d90_{word}_gy"), d90, 0.0)
        claims.equal("V100", word, getattr(changes, f"v100_{word}_percent"), v100, 0.0)
