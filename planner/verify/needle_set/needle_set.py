"""Claims on a needle set: its needles, their total cost, and the bounds of cost and number of seeds."""

from math import fsum

import numpy as np

from planner.records.needle_set import NeedleSet
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.request.given import GivenNeedle
from planner.records.request.needle_set import Arrangement
from planner.verify.claims import Claims
from planner.verify.needle_set.conflicts import check_needles, needle_sizes_of
from planner.verify.needle_set.template import check_bundle
from planner.verify.tolerances import LENGTH_MM, RATIO, UNIT

SUBJECT = "needle set"

NEEDLE_COST_MM = 1.0
"""Cost of one needle in the objective, as the record states it."""


def needles_of(plan: Plan) -> tuple[Path, ...]:
    """The paths that are needles of the set, not ranked paths to the target."""
    return tuple(path for path in plan.paths if path.aim is not Aim.TARGET)


def check_needle_set(claims: Claims, plan: Plan, needles: NeedleSet) -> None:
    """All claims on the set as a whole, except its seeds."""
    paths, rules = needles_of(plan), plan.request.needle_set
    ids = ", ".join(path.id for path in paths)
    claims.same("the set's needles, by rank", SUBJECT, ", ".join(needles.path_ids), ids)
    claims.same("arrangement", SUBJECT, needles.arrangement, str(rules.arrangement))
    claims.at_most("no more needles than allowed", SUBJECT, float(rules.max_needles), float(len(paths)), 0.0)
    if rules.arrangement is Arrangement.PARALLEL:
        planned = [path for path in paths if path.aim is Aim.PTV]
        check_bundle(claims, planned, rules.grid_pitch_mm)
    _check_given(claims, plan, paths)
    check_needles(
        claims,
        [(path.id, path.entry_mm, path.tip_mm) for path in paths],
        needles.order,
        needle_sizes_of(plan.request),
        {path.id for path in paths if path.aim is Aim.GIVEN},
    )
    _check_cost(claims, plan, needles, paths)
    _check_counts(claims, needles)


def _check_given(claims: Claims, plan: Plan, paths: tuple[Path, ...]) -> None:
    """Every given needle is in the set, on its line and with its tip; and no other is marked as given."""
    given_needles = plan.request.needle_set.given_needles
    marked = [path for path in paths if path.aim is Aim.GIVEN]
    for number, needle in enumerate(given_needles):
        is_kept = any(_is_same(path, needle) for path in marked)
        result = "kept" if is_kept else "not in the set"
        claims.holds("the given needle is kept", f"given needle {number}", "kept", result, is_kept)
    for path in marked:
        was_given = any(_is_same(path, needle) for needle in given_needles)
        result = "given" if was_given else "not in the request"
        claims.holds("the needle was given", f"path {path.id}", "given", result, was_given)


def _is_same(path: Path, needle: GivenNeedle) -> bool:
    """Whether the path has the needle's tip and direction. Its entry is where the line meets the skin, which
    may differ from the entry that was measured."""
    tip = float(np.abs(np.subtract(path.tip_mm, needle.tip_mm)).max())
    inward = np.subtract(needle.tip_mm, needle.entry_mm)
    length = float(np.linalg.norm(inward))
    # Where entry and tip coincide there is no direction.
    turned = np.inf if length == 0.0 else float(np.abs(path.direction - inward / length).max())
    return tip <= LENGTH_MM and turned <= UNIT


def _check_cost(claims: Claims, plan: Plan, needles: NeedleSet, paths: tuple[Path, ...]) -> None:
    """Sums over the needles, the bound of the objective, and the bound of the number of seeds."""
    lung, punctures = fsum(p.lung_length_mm for p in paths), sum(p.pleural_punctures for p in paths)
    claims.equal("lung length of all needles", SUBJECT, needles.lung_length_mm, lung, LENGTH_MM)
    stated = float(needles.pleural_punctures)
    claims.equal("pleural punctures of all needles", SUBJECT, stated, float(punctures), 0.0)
    price = plan.request.needle_set.puncture_cost_mm
    cost = lung + price * punctures + NEEDLE_COST_MM * len(paths)
    claims.equal("objective", SUBJECT, needles.objective, cost, LENGTH_MM)
    claims.at_least("the bound is not negative", SUBJECT, 0.0, needles.bound, 0.0)
    claims.at_most("the bound is no more than the objective", SUBJECT, cost, needles.bound, LENGTH_MM)
    gap = (needles.objective - needles.bound) / needles.objective if needles.objective > 0.0 else 0.0
    claims.equal("gap", SUBJECT, needles.gap, gap, RATIO)
    count = sum(seed.path_id is not None for seed in needles.seeds)
    few, seeds_gap = needles.seeds_bound, needles.seeds_gap
    both_or_none = (few is None) == (seeds_gap is None)
    stated_as = "both or none" if both_or_none else "one of them"
    claims.holds("fewest seeds and their gap", SUBJECT, "both or none", stated_as, both_or_none)
    prescribed, dose = plan.request.prescription, plan.dose
    met = (
        prescribed is not None
        and dose is not None
        and (dose.target.v100_percent >= prescribed.goals.v100_percent)
    )
    consistent = needles.v100_reachable or (few is None and not met)
    result = "reached" if met else "not reached" if few is None else "a number of seeds would do"
    claims.holds(
        "V100 is out of reach only where it is not reached",
        SUBJECT,
        "reachable" if needles.v100_reachable else "out of reach",
        result,
        consistent,
    )
    if few is not None and seeds_gap is not None:
        claims.at_least("the fewest seeds are not negative", SUBJECT, 0.0, float(few), 0.0)
        if met:
            claims.at_most("no more seeds are needed than there are", SUBJECT, float(count), float(few), 0.0)
        expected = max(0.0, (count - few) / count) if count else 0.0
        claims.equal("gap in seeds", SUBJECT, seeds_gap, expected, RATIO)


def _check_counts(claims: Claims, needles: NeedleSet) -> None:
    """Counts and shares are possible: there are no more needles than tracks, and a percentage is at most
    100."""
    tracks = needles.tracks_considered
    claims.at_least("tracks considered", SUBJECT, float(len(needles.path_ids)), float(tracks), 0.0)
    pairs = float(tracks * (tracks - 1) // 2)
    claims.equal("pairs of tracks", SUBJECT, float(needles.conflicts_checked), pairs, 0.0)
    claims.at_least("radius of the cover", SUBJECT, 0.0, needles.cover_radius_mm, 0.0)
    percent = needles.reachable_percent
    inside = 0.0 <= percent <= 100.0 + RATIO
    result = "in range" if inside else "out of range"
    claims.holds("the reachable percentage is between 0 and 100", SUBJECT, f"{percent} %", result, inside)
