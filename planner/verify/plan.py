"""The whole verification: every claim of a plan, recomputed from the scene it was made for."""

from dataclasses import replace

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.request import source_of
from planner.records.search import Relaxation
from planner.records.verification import Verification
from planner.verify.claims import Claims
from planner.verify.geometry.voxels import voxels_of
from planner.verify.implant import check_implant, check_needle
from planner.verify.needle.bore import check_room
from planner.verify.needle.clearance import as_voxels, check_nearest, check_needs, passings_of
from planner.verify.needle.examined_axis import Trial, trial_of
from planner.verify.needle.nearest_miss import (
    check_miss,
    check_missed,
    check_needed,
    check_opened,
    missed_trial,
    relaxed_trial,
)
from planner.verify.needle.passage import check_passage
from planner.verify.needle.random_lines import check_at_random
from planner.verify.needle.seeds import check_seeds
from planner.verify.needle.sides import check_sides
from planner.verify.needle.track import check_reach, check_track
from planner.verify.needle_set.needles_in_place import check_given, check_seed_pairs
from planner.verify.statements.inputs import check_inputs
from planner.verify.statements.numbers import check_numbers
from planner.verify.statements.outcome import check_outcome
from planner.verify.statements.ranks import check_order
from planner.verify.statements.sentences import check_sentences

NOT_RECOMPUTED = (
    "/software",
    "/request/search",
    "/search/lines_tested",
    "/search/cells_proved_blocked",
    "/search/safe_lines",
    "/search/covering_radius_mm",
    "/search/complete",
    "/search/lung_bound_mm",
    "/search/least_lung_mm",
    "/paths/*/approach",
    "/windows/*/place",
    "/windows/*/area_mm2",
    "/blocked_by",
    "/nearest_miss",
    "/needle_set/bound",
    "/needle_set/seeds_bound",
    "/needle_set/v100_reachable",
    "/needle_set/tracks_considered",
    "/needle_set/conflicts_checked",
    "/needle_set/cover_radius_mm",
    "/needle_set/reachable_percent",
    "/needle_set/time_ended",
    "/robustness/needles/*/tolerance_deg",
)
"""What no look at the result tells: it is held against the rest, but only a search can find it, or that there
is nothing better."""


def verify(plan: Plan, scene: Scene) -> Verification:
    """Recompute every claim of `plan` from the original voxels or triangles of `scene`.

    No computation is shared with the search, its distance fields or its measuring: boxes and triangles are
    measured exactly, lines are clipped to each box. A false plan fails checks and never raises. A plan whose
    numbers cannot be reckoned with gets no further than saying so.
    """
    claims = Claims(NOT_RECOMPUTED)
    check_inputs(claims, plan, scene)
    if not check_numbers(claims, plan):
        return claims.verification()
    check_sentences(claims, plan, scene)
    check_outcome(claims, plan)
    check_sides(claims, plan, scene)
    check_order(claims, plan)
    _check_paths(claims, plan, scene)
    check_at_random(claims, plan, scene)
    check_miss(claims, plan)
    _check_miss_lines(claims, plan, scene)
    return claims.verification()


def _kept_free(scene: Scene) -> tuple[Structure, ...]:
    return scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)


def _check_paths(claims: Claims, plan: Plan, scene: Scene) -> None:
    trials: list[tuple[Trial, Path]] = []
    for path in plan.paths:
        trial = trial_of(claims, f"path {path.id}", path.entry_mm, path.tip_mm, scene, plan.request)
        if trial is not None:
            trials.append((trial, path))
    target = voxels_of(scene.target, outer_only=False)
    ptv = check_implant(claims, plan, scene)
    for trial, path in trials:
        check_track(claims, trial, path)
        check_passage(claims, trial, path)
        if path.aim is Aim.TARGET:
            check_reach(claims, trial)
            check_seeds(claims, trial, path.seeds, target)
        else:
            check_needle(claims, trial, path, ptv)
        # Of a needle that is in already, nobody says that it is safe.
        if path.aim is not Aim.GIVEN:
            check_room(claims, trial)
    passings = passings_of([trial for trial, _ in trials], _kept_free(scene))
    passed_by = [(*both, passed) for both, passed in zip(trials, passings, strict=True)]
    for trial, path, passed in passed_by:
        if path.aim is not Aim.GIVEN:
            check_needs(claims, trial, passed)
        check_nearest(claims, trial, path, passed)
    needles = plan.needle_set
    if needles is not None:
        given = plan.request.needle_set.given_seeds
        seed_mm = source_of(plan.request).seed_length_mm
        check_given(claims, needles, plan.request, scene.surface_slack_mm, passed_by)
        check_seed_pairs(claims, "given seeds", needles.given_seed_pairs_near, given, seed_mm)


def _check_miss_lines(claims: Claims, plan: Plan, scene: Scene) -> None:
    miss = plan.nearest_miss
    if miss is None:
        return
    opened: list[tuple[Trial, Relaxation]] = []
    for change in miss.relaxations:
        trial = relaxed_trial(claims, plan, change, scene)
        if trial is not None:
            opened.append((trial, change))
    asked = [replace(trial, request=plan.request) for trial, _ in opened]
    missed = missed_trial(claims, plan, miss, scene)
    trials = [*(trial for trial, _ in opened), *([missed] if missed is not None else [])]
    passings = passings_of(trials, _kept_free(scene))
    for (trial, change), passed in zip(opened, passings, strict=False):
        check_opened(claims, trial, change, passed)
    for trial, passed in zip(asked, passings_of(asked, as_voxels(_kept_free(scene))), strict=True):
        check_needed(claims, trial, passed)
    if missed is not None:
        check_missed(claims, missed, miss, plan.request, passings[-1])
