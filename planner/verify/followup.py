"""Claims of an evaluation and of a replanning, in addition to those of the plans that they contain."""

from dataclasses import replace
from itertools import product

import numpy as np

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.records.followup import Achieved, Changes, Evaluation, NeedleChange, Replanned
from planner.records.needle_set import PlacedSeed
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.verification import Verification
from planner.records.wording.followup import change_sentences, implant_outcome
from planner.verify.claims import Claims
from planner.verify.dose.cold_spots import check_cold_spots
from planner.verify.dose.coldest import coldest
from planner.verify.dose.conformity import check_indices
from planner.verify.dose.dose import check_organs
from planner.verify.dose.goals import GOAL_NAMES, check_goals
from planner.verify.dose.seed_doses import SeedDoses, seed_doses
from planner.verify.dose.strength import seed_strength
from planner.verify.dose.volume_dose import check_treated, sampled
from planner.verify.needle_set.needles_in_place import check_seed_pairs
from planner.verify.needle_set.ptv import Ptv, holds, ptv_of
from planner.verify.statements.numbers import check_finite, check_numbers
from planner.verify.tolerances import LENGTH_MM


def verify_evaluation(evaluation: Evaluation, plan: Plan, scene: Scene) -> Verification:
    """Recompute an evaluation of the seeds found, by the direct sum, in the scene of its plan."""
    claims = Claims()
    prescription = plan.request.prescription
    stated = "none" if prescription is None else "prescribed"
    claims.holds("the plan has a prescription", "plan", "prescribed", stated, prescription is not None)
    finite = check_numbers(claims, plan) and check_finite(claims, evaluation, "evaluation")
    if prescription is None or not finite:
        return claims.verification()
    strength = seed_strength(plan.request.seeds)
    placed = [PlacedSeed(None, seed.position_mm, seed.axis, None, None) for seed in evaluation.seeds]
    seeds = seed_doses(strength.source, strength.strength_u, placed)
    near_pairs = evaluation.achieved.seed_pairs_near
    check_seed_pairs(claims, "achieved", near_pairs, evaluation.seeds, strength.source.seed_length_mm)
    _check_achieved(
        claims, evaluation.achieved, prescription, seeds, ptv_of(claims, scene, plan.request.target), scene
    )
    as_planned = evaluation.planned == (None if plan.dose is None else plan.dose.target)
    stated = "the plan's" if as_planned else "another"
    claims.holds("what was planned", "evaluation", "the plan's", stated, as_planned)
    _check_supplement(claims, evaluation, plan)
    _check_outcome(claims, evaluation)
    return claims.verification()


def _check_outcome(claims: Claims, evaluation: Evaluation) -> None:
    """The outcome follows from the records."""
    achieved, added = evaluation.achieved, evaluation.supplement
    goals = (*achieved.goals, *(added.dose.goals if added is not None and added.dose is not None else ()))
    unknown = ", ".join(sorted({goal.name for goal in goals} - set(GOAL_NAMES))) or "none"
    claims.same("goals with an unknown name", "outcome", "none", unknown)
    if unknown == "none":
        written = implant_outcome(achieved, added)
        claims.same("status", "outcome", str(evaluation.outcome.status), str(written.status))
        claims.same("message", "outcome", evaluation.outcome.message, written.message)


def _check_achieved(
    claims: Claims, achieved: Achieved, prescription: Prescription, seeds: SeedDoses, ptv: Ptv, scene: Scene
) -> None:
    """The seeds found: where they are, their doses, goals and cold spots."""
    grid = scene.grid
    treated = ptv.nearer_to(achieved.target.volume_cc * MM3_PER_CC / grid.voxel_volume_mm3)
    count = float(len(seeds.centres_P))
    claims.equal("seeds found", "achieved", float(achieved.seeds_found), count, 0.0)
    few, many = _outside(treated, grid, seeds)
    stated = float(achieved.seeds_outside_ptv)
    claims.equal("seeds outside the PTV", "achieved", stated, 0.5 * (few + many), 0.5 * (many - few))
    for name, dose, mask in (("PTV", achieved.target, treated), ("GTV", achieved.gtv, scene.target)):
        samples = sampled(mask, grid, seeds)
        bounds = coldest(mask, grid, seeds, samples)
        check_treated(claims, name, dose, samples, bounds, prescription.dose_gy)
    check_indices(claims, achieved.target, seeds, treated, grid, prescription.dose_gy)
    organs = {s.name: s.mask for s in scene.structures if s.name in prescription.organ_goals}
    check_organs(claims, achieved.organs, scene, seeds, organs)
    check_goals(claims, prescription, achieved)
    check_cold_spots(claims, achieved.cold_spots, seeds, treated, grid, prescription.dose_gy)


def _outside(ptv: VoxelMask, grid: Grid, seeds: SeedDoses) -> tuple[int, int]:
    """Number of seeds whose centres surely lie outside, and that may: on a face, rounding decides."""
    centres_B = grid.to_box(seeds.centres_P)
    shifts = LENGTH_MM * np.array(list(product((-1.0, 1.0), repeat=3)))
    out = np.array([~holds(ptv, grid.spacing_mm, centres_B + shift) for shift in shifts])
    return int(np.count_nonzero(out.all(axis=0))), int(np.count_nonzero(out.any(axis=0)))


def _check_supplement(claims: Claims, evaluation: Evaluation, plan: Plan) -> None:
    """There is a supplement if more seeds are needed. It answers the plan's request, with the seeds found as
    given, and is verified."""
    added = evaluation.supplement
    needed = any(goal.at_least and not goal.met for goal in evaluation.achieved.goals)
    stated, expected = ("a supplement" if exists else "none" for exists in (added is not None, needed))
    claims.same("a supplement where more is needed", "supplement", stated, expected)
    if added is None:
        return
    around = replace(plan.request.needle_set, given_seeds=evaluation.seeds, given_needles=())
    same = added.request == replace(plan.request, needle_set=around)
    expectation = "the plan's request, around the seeds found"
    claims.holds(
        "what the supplement is for", "supplement", expectation, expectation if same else "another", same
    )
    sound = added.verification is not None and added.verification.passed
    words = "verified" if sound else "not verified"
    claims.holds("the supplement is verified", "supplement", "verified", words, sound)


def verify_changes(replanned: Replanned, before: Plan) -> Verification:
    """Recompute the changes that a replanning states, between the plan before and the plan that it
    contains."""
    claims = Claims()
    if not check_finite(claims, replanned.changes, "changes"):
        return claims.verification()
    changes, after = replanned.changes, replanned.plan
    _check_request_kept(claims, before.request, after.request)
    olds, news = ({path.id: path for path in plan.paths} for plan in (before, after))
    for number, change in enumerate(changes.needles, start=1):
        _check_change(claims, f"change {number}", change, olds, news)
    for plan, name in ((before, "before_id"), (after, "after_id")):
        of_set = {path.id for path in plan.paths if path.aim is not Aim.TARGET}
        ids = [id for id in (getattr(change, name) for change in changes.needles) if id is not None]
        missing = ", ".join(sorted(of_set - set(ids))) or "none"
        claims.same("needles that are not listed", name, "none", missing)
        claims.equal("each needle is listed once", name, float(len(ids)), float(len(set(ids))), 0.0)
    _check_totals(claims, changes, before, after)
    written = change_sentences(changes.needles, after, changes.d90_before_gy, changes.d90_after_gy)
    claims.same("sentences", "changes", " ".join(changes.sentences), " ".join(written))
    return claims.verification()


def _check_request_kept(claims: Claims, before: Request, after: Request) -> None:
    """The new plan answers the request of the plan before, except for the needles and seeds now in place."""
    known, more = before.needle_set, after.needle_set
    back = replace(more, given_needles=known.given_needles, given_seeds=known.given_seeds)
    same = replace(after, needle_set=back) == before
    expectation = "as before, around what is in"
    claims.holds("what the new plan is for", "plan", expectation, expectation if same else "another", same)
    seeds_kept = more.given_seeds[: len(known.given_seeds)] == known.given_seeds
    words = "kept" if seeds_kept else "others"
    claims.holds("seeds given before are still given", "plan", "kept", words, seeds_kept)


def _check_change(
    claims: Claims, subject: str, change: NeedleChange, olds: dict[str, Path], news: dict[str, Path]
) -> None:
    """Both needles exist, are as far apart as stated, and carry as many seeds."""
    old, new = (
        None if id is None else paths.get(id)
        for id, paths in ((change.before_id, olds), (change.after_id, news))
    )
    ids_consistent = (old is None) == (change.before_id is None) and (new is None) == (
        change.after_id is None
    )
    claims.holds(
        "the needles exist",
        subject,
        "they do",
        "they do" if ids_consistent else "one does not",
        ids_consistent,
    )
    for name, stated, path in (("before", change.seeds_before, old), ("after", change.seeds_after, new)):
        count = 0 if path is None else len(path.seeds)
        claims.equal(f"seeds {name}", subject, float(stated), float(count), 0.0)
    for end, moved in (("entry", change.entry_moved_mm), ("tip", change.tip_moved_mm)):
        if old is None or new is None or moved is None:
            stated_move = moved is not None
            both = old is not None and new is not None
            claims.same(
                f"{end} moved", subject, "stated" if stated_move else "none", "stated" if both else "none"
            )
        else:
            apart = np.linalg.norm(np.subtract(getattr(old, f"{end}_mm"), getattr(new, f"{end}_mm")))
            claims.equal(f"{end} moved", subject, moved, float(apart), LENGTH_MM)


def _check_totals(claims: Claims, changes: Changes, before: Plan, after: Plan) -> None:
    """Seeds on needles and in place, D90 and V100, as the two plans state them; 0 where a plan has none."""
    for plan, word in ((before, "before"), (after, "after")):
        seeds = () if plan.needle_set is None else plan.needle_set.seeds
        count = sum(seed.path_id is not None for seed in seeds)
        claims.equal("seeds on needles", word, float(getattr(changes, f"seeds_{word}")), float(count), 0.0)
        stated = float(getattr(changes, f"given_seeds_{word}"))
        claims.equal(
            "seeds in place already", word, stated, float(len(plan.request.needle_set.given_seeds)), 0.0
        )
        d90 = 0.0 if plan.dose is None else plan.dose.target.d90_gy
        v100 = 0.0 if plan.dose is None else plan.dose.target.v100_percent
        claims.equal("D90", word, getattr(changes, f"d90_{word}_gy"), d90, 0.0)
        claims.equal("V100", word, getattr(changes, f"v100_{word}_percent"), v100, 0.0)
