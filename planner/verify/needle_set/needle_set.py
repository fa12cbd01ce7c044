"""Claims on a needle set: which needles, what they cost together, and how much less could do."""

from math import fsum

import numpy as np

from planner.records.needle_set import NeedleSet
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.request import Arrangement, GivenNeedle
from planner.verify.claims import Claims
from planner.verify.needle_set.conflicts import check_needles
from planner.verify.needle_set.template import check_bundle
from planner.verify.tolerances import LENGTH_MM, RATIO, UNIT

SUBJECT = "needle set"

NEEDLE_COST_MM = 1.0
"""What a needle counts for in the objective, as the record says."""


def needles_of(plan: Plan) -> tuple[Path, ...]:
    """The paths that are needles of the set and no ranked paths to the target."""
    return tuple(path for path in plan.paths if path.aim is not Aim.TARGET)


def check_needle_set(claims: Claims, plan: Plan, needles: NeedleSet) -> None:
    """All claims on the set as a whole; its seeds are looked at elsewhere."""
    paths, asked = needles_of(plan), plan.request.needle_set
    ids = ", ".join(path.id for path in paths)
    claims.same("the set's needles, by rank", SUBJECT, ", ".join(needles.path_ids), ids)
    claims.same("arrangement", SUBJECT, needles.arrangement, str(asked.arrangement))
    claims.at_most("no more needles than allowed", SUBJECT, float(asked.max_needles), float(len(paths)), 0.0)
    if asked.arrangement is Arrangement.PARALLEL:
        planned = [path for path in paths if path.aim is Aim.PTV]
        check_bundle(claims, planned, asked.grid_pitch_mm)
    _check_given(claims, plan, paths)
    check_needles(
        claims,
        [(path.id, path.entry_mm, path.tip_mm) for path in paths],
        needles.order,
        plan.request,
        asked.clearance_mm,
        {path.id for path in paths if path.aim is Aim.GIVEN},
    )
    _check_cost(claims, plan, needles, paths)
    _check_counts(claims, needles)


def _check_given(claims: Claims, plan: Plan, paths: tuple[Path, ...]) -> None:
    """Every given needle is in the set, on its line and with its tip; and no other is said to be given."""
    given = plan.request.needle_set.given_needles
    kept = [path for path in paths if path.aim is Aim.GIVEN]
    for number, needle in enumerate(given):
        found = any(_is(path, needle) for path in kept)
        said = "kept" if found else "not in the set"
        claims.holds("the given needle is kept", f"given needle {number}", "kept", said, found)
    for path in kept:
        found = any(_is(path, needle) for needle in given)
        said = "given" if found else "not in the request"
        claims.holds("the needle was given", f"path {path.id}", "given", said, found)


def _is(path: Path, needle: GivenNeedle) -> bool:
    """Whether the path ends where the needle does and runs the same way: it begins at the skin, wherever the
    needle was seen to enter."""
    tip = float(np.abs(np.subtract(path.tip_mm, needle.tip_mm)).max())
    inward = np.subtract(needle.tip_mm, needle.entry_mm)
    length = float(np.linalg.norm(inward))
    # Where entry and tip coincide there is no way to run.
    turned = np.inf if length == 0.0 else float(np.abs(path.direction - inward / length).max())
    return tip <= LENGTH_MM and turned <= UNIT


def _check_cost(claims: Claims, plan: Plan, needles: NeedleSet, paths: tuple[Path, ...]) -> None:
    """Sums over the needles, and the gap to what no set costs less than."""
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
    alike = (few is None) == (seeds_gap is None)
    said = "both or none" if alike else "one of them"
    claims.holds("fewest seeds and their gap", SUBJECT, "both or none", said, alike)
    prescribed, dose = plan.request.prescription, plan.dose
    met = (
        prescribed is not None
        and dose is not None
        and (dose.target.v100_percent >= prescribed.goals.v100_percent)
    )
    sound = needles.v100_reachable or (few is None and not met)
    said = "reached" if met else "not reached" if few is None else "a number of seeds would do"
    claims.holds(
        "V100 is out of reach only where it is not reached",
        SUBJECT,
        "reachable" if needles.v100_reachable else "out of reach",
        said,
        sound,
    )
    if few is not None and seeds_gap is not None:
        claims.at_least("the fewest seeds are not negative", SUBJECT, 0.0, float(few), 0.0)
        if met:
            claims.at_most("no more seeds are needed than do", SUBJECT, float(count), float(few), 0.0)
        wanted = max(0.0, (count - few) / count) if count else 0.0
        claims.equal("gap in seeds", SUBJECT, seeds_gap, wanted, RATIO)


def _check_counts(claims: Claims, needles: NeedleSet) -> None:
    """What was looked at is no less than what was found, and shares are shares."""
    tracks = needles.tracks_considered
    claims.at_least("tracks considered", SUBJECT, float(len(needles.path_ids)), float(tracks), 0.0)
    pairs = float(tracks * (tracks - 1) // 2)
    claims.equal("pairs of tracks", SUBJECT, float(needles.conflicts_checked), pairs, 0.0)
    claims.at_least("radius of the cover", SUBJECT, 0.0, needles.cover_radius_mm, 0.0)
    percent = needles.reachable_percent
    inside = 0.0 <= percent <= 100.0 + RATIO
    said = "in range" if inside else "out of range"
    claims.holds("the percentage reachable is one", SUBJECT, f"{percent} %", said, inside)
