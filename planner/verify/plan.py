"""The whole verification: every claim of a plan, recomputed from the scene it was made for."""

from dataclasses import replace

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.search import Relaxation
from planner.records.verification import Verification
from planner.verify.claims import Claims
from planner.verify.geometry.voxels import voxels_of
from planner.verify.implant import check_implant, check_needle
from planner.verify.needle.bore import check_bore
from planner.verify.needle.clearance import as_voxels, check_nearest, check_needs, passings_of
from planner.verify.needle.examined_axis import ExaminedAxis, examined_axis
from planner.verify.needle.nearest_miss import (
    check_miss,
    check_missed,
    check_needed,
    check_opened,
    missed_axis,
    relaxed_axis,
)
from planner.verify.needle.passage import check_passage
from planner.verify.needle.random_lines import check_random_lines
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
"""What cannot be recomputed from the result alone. It is checked against the rest of the plan, but only a
search can find it, or show that nothing is better."""


def verify(plan: Plan, scene: Scene) -> Verification:
    """Recompute every claim of `plan` from the original voxels or triangles of `scene`.

    No computation is shared with the search, its distance fields or its measuring: distances to boxes and
    triangles are exact, and lines are clipped to each box. A false plan fails checks and never raises. Of a
    plan with numbers that are not finite or not plausible, nothing else is checked.
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
    check_random_lines(claims, plan, scene)
    check_miss(claims, plan)
    _check_miss_lines(claims, plan, scene)
    return claims.verification()


def _kept_free(scene: Scene) -> tuple[Structure, ...]:
    return scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)


def _check_paths(claims: Claims, plan: Plan, scene: Scene) -> None:
    examined_axes: list[tuple[ExaminedAxis, Path]] = []
    for path in plan.paths:
        examined = examined_axis(claims, f"path {path.id}", path.entry_mm, path.tip_mm, scene, plan.request)
        if examined is not None:
            examined_axes.append((examined, path))
    target = voxels_of(scene.target, outer_only=False)
    ptv = check_implant(claims, plan, scene)
    for examined, path in examined_axes:
        check_track(claims, examined, path)
        check_passage(claims, examined, path)
        if path.aim is Aim.TARGET:
            check_reach(claims, examined)
            check_seeds(claims, examined, path.seeds, target)
        else:
            check_needle(claims, examined, path, ptv)
        # A needle that is in place is not claimed to be safe.
        if path.aim is not Aim.GIVEN:
            check_bore(claims, examined)
    passings = passings_of([examined for examined, _ in examined_axes], _kept_free(scene))
    passed_by = [(*both, passed) for both, passed in zip(examined_axes, passings, strict=True)]
    for examined, path, passed in passed_by:
        if path.aim is not Aim.GIVEN:
            check_needs(claims, examined, passed)
        check_nearest(claims, examined, path, passed)
    needles = plan.needle_set
    if needles is not None:
        given_seeds = plan.request.needle_set.given_seeds
        seed_mm = plan.request.seeds.source.seed_length_mm
        check_given(claims, needles, plan.request, scene.surface_slack_mm, passed_by)
        check_seed_pairs(claims, "given seeds", needles.given_seed_pairs_near, given_seeds, seed_mm)


def _check_miss_lines(claims: Claims, plan: Plan, scene: Scene) -> None:
    miss = plan.nearest_miss
    if miss is None:
        return
    opened: list[tuple[ExaminedAxis, Relaxation]] = []
    for change in miss.relaxations:
        examined = relaxed_axis(claims, plan, change, scene)
        if examined is not None:
            opened.append((examined, change))
    unrelaxed = [replace(examined, request=plan.request) for examined, _ in opened]
    missed = missed_axis(claims, plan, miss, scene)
    examined_axes = [*(examined for examined, _ in opened), *([missed] if missed is not None else [])]
    passings = passings_of(examined_axes, _kept_free(scene))
    for (examined, change), passed in zip(opened, passings, strict=False):
        check_opened(claims, examined, change, passed)
    as_searched = passings_of(unrelaxed, as_voxels(_kept_free(scene)))
    for examined, passed in zip(unrelaxed, as_searched, strict=True):
        check_needed(claims, examined, passed)
    if missed is not None:
        check_missed(claims, missed, miss, plan.request, passings[-1])
