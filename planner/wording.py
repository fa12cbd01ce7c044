"""Wording: the sentences of a plan, from its records alone. Verification writes them again and compares."""

from math import ceil, floor, log10

from anatomy.body import GUESSED_SKIN
from anatomy.expected import LUNG_NAMES
from planner.implant_records import REACH_MM, DoseReport, GoalResult, NeedleSet, Robustness, TooNear
from planner.limit_wording import exceeded_text
from planner.lung_words import a_path, least_claim, of_lung, through
from planner.number_text import decimals_apart, mm_text, share_text
from planner.records import (
    BORE,
    NARROW,
    NEEDLE_LENGTH,
    TABLE,
    Aim,
    Blocker,
    NearestMiss,
    Path,
    Relaxation,
    SearchReport,
    Status,
)
from planner.request import Request

WELL_REACHED_PERCENT = 95.0
"""A PTV of which tracks reach less than this is named as what limits the dose [U]."""
LIMITS_NAMED = 2
"""Exceeded organ limits that a message names; the plan lists all."""
ROBUST_SHARE = 0.95
"""Where goals are reached in less of the samples, errors of placement are said first [U]."""
MISSING_NAMED = 4
"""Missing organs that a message names; the plan lists all."""
MOST_DECIMALS = 9
"""A millionth of a micrometre: below float64 rounding of any place in a patient."""


def claims_of(search: SearchReport, surface_slack_mm: float, missing: tuple[str, ...]) -> tuple[str, ...]:
    """What a search with these numbers may claim, of an input that lacks `missing`. Where masks stand for
    surfaces, which reach beyond them by the slack at most, lines were tested against the masks."""
    radius = radius_text(search.covering_radius_mm)
    if not search.complete:
        return (
            f"Unproved: the search ended early, with every line within {radius} of a tested line or shown "
            "not to be safe. Paths narrower than that may have been missed.",
            *_of_masks(surface_slack_mm),
        )
    displaced = f"all displacements up to {radius} between tip and skin"
    if search.covering_radius_mm == 0.0:
        # Every cell was proved blocked with all its lines.
        return ("No path through the target is safe.", *_of_masks(surface_slack_mm))
    if not search.safe_lines:
        return (f"No path through the target stays safe under {displaced}.", *_of_masks(surface_slack_mm))
    return (
        f"Every path that stays safe under {displaced} has a safe tested line within that distance.",
        least_claim(displaced, missing),
        *_of_masks(surface_slack_mm),
    )


def _of_masks(slack_mm: float) -> tuple[str, ...]:
    if slack_mm == 0.0:
        return ()
    return (
        "This holds for the voxels that the surfaces touch, which reach at most "
        f"{slack_mm:.2f} mm beyond them.",
    )


def message_of(
    status: Status,
    request: Request,
    search: SearchReport,
    paths: tuple[Path, ...],
    blockers: tuple[Blocker, ...],
    miss: NearestMiss | None,
    skin_source: str,
    missing_structures: tuple[str, ...],
    needle_set: NeedleSet | None = None,
    dose: DoseReport | None = None,
    robustness: Robustness | None = None,
) -> str:
    """How planning ended, the worst first: what the implant does not reach, what it exceeds, what errors of
    placement leave of it; then what was found, what to do about it, and what a path must be doubted for."""
    target = " or ".join(request.target.structures) or "the target"
    radius = radius_text(search.covering_radius_mm)
    ranked = [path for path in paths if path.aim is Aim.TARGET]
    if status in (Status.PLANNED, Status.GOALS_NOT_MET) and ranked:
        count = "one path" if len(ranked) == 1 else f"{len(ranked)} distinct paths"
        early = "" if search.complete else f" The search ended early, at a covering radius of {radius}."
        crosses = through(ranked[0].lung_length_mm, missing_structures)
        found = f"{count} to {target}; the best is {ranked[0].approach}, {crosses}.{early}"
        worst = worst_first(request, dose, robustness)
        begun = found[:1].upper() + found[1:] if worst else found
        planted = _planted(request, needle_set, dose)
        return " ".join([*worst, begun, *planted, *_cautions(skin_source, missing_structures)])
    if status is Status.TIMED_OUT:
        return (
            f"No path to {target} was found before the search ended early, at a covering radius of {radius}. "
            "Paths may exist: allow more time, or name a smaller target."
        )
    blocked = ", ".join(f"{b.structure} {share_text(b.share)}" for b in blockers[:3])
    mostly = f" Blocked mostly by {blocked}." if blocked else ""
    safe = f"stays safe when displaced by {radius}" if search.covering_radius_mm > 0.0 else "is safe"
    shown = f"Shown: no path to {target} {safe}.{mostly}"
    return " ".join([shown, *_miss_text(miss, missing_structures)])


def worst_first(request: Request, dose: DoseReport | None, robustness: Robustness | None) -> list[str]:
    """What must be known first of an implant that is prescribed: goals not met, organ limits exceeded, and
    errors of placement that undo it. Nothing where there is no such news."""
    if request.prescription is None:
        return []
    if dose is None:
        return ["Goals not met: no seed can stand anywhere in the PTV along a safe track."]
    missed = [goal_text(goal) for goal in dose.goals if not goal.met]
    said = [f"Goals not met: {'; '.join(missed)}."] if missed else []
    return [*said, *harm_of(dose, robustness)]


def harm_of(dose: DoseReport, robustness: Robustness | None) -> list[str]:
    """Organ limits that are exceeded, and errors of placement that undo what was planned."""
    return [*_exceeded(dose), *([] if robustness is None else _undone(robustness))]


def _exceeded(dose: DoseReport) -> list[str]:
    over = [exceeded_text(limit) for limit in dose.bed.limits if limit.met is False]
    more = f"; and {len(over) - LIMITS_NAMED} more" if len(over) > LIMITS_NAMED else ""
    return [f"Organ limits exceeded: {'; '.join(over[:LIMITS_NAMED])}{more}."] if over else []


def _undone(robustness: Robustness) -> list[str]:
    """What errors of placement leave, where they undo too much of what was planned."""
    if robustness.goals_met_share >= ROBUST_SHARE:
        return []
    d90, v100 = robustness.d90_gy, robustness.v100_percent
    # A share is rounded down: nothing is said to be reached more often than it was.
    return [
        f"With errors as published for placement by {robustness.placement}, D90 and V100 are reached in "
        f"{floor(100.0 * robustness.goals_met_share + 1e-9)} % of {robustness.dose_samples} samples: D90 "
        f"{d90.p50:.1f} Gy ({d90.p5:.1f} to {d90.p95:.1f}), V100 {v100.p50:.1f} % ({v100.p5:.1f} to "
        f"{v100.p95:.1f})."
    ]


def _planted(request: Request, needles: NeedleSet | None, dose: DoseReport | None) -> list[str]:
    """What the implant reaches, and what limits it where that is not enough."""
    if request.prescription is None:
        return []
    if dose is None or needles is None:
        return ["Ask for smaller clearances or a wider margin."]
    count = f"{len(needles.path_ids)} needles and {len(needles.seeds)} seeds"
    reached = (
        f"{count} give D90 {dose.target.d90_gy:.1f} Gy (BED {dose.bed.target_d90_gy:.1f} Gy) and V100 "
        f"{dose.target.v100_percent:.1f} %."
    )
    missed = [goal for goal in dose.goals if not goal.met]
    if not missed:
        return [f"All goals are met as planned: {reached}"]
    return [reached, *_limited_by(request, needles, missed)]


def set_claims(needles: NeedleSet, paths: tuple[Path, ...], missing: tuple[str, ...]) -> tuple[str, ...]:
    """What is proved of a needle set with these numbers, and what is not, of an input that lacks `missing`;
    then what is wrong with what was given."""
    # A lower bound is rounded down: the claim for a lower one is the weaker.
    least = (
        f"Of the {needles.tracks_considered} tracks considered, no set that keeps the rules (conflicts, "
        f"order, number, given needles) and could leave a seed within {needles.cover_radius_mm:g} mm of each "
        f"of these seeds costs less than {floor(10.0 * needles.bound) / 10.0:.1f} mm of {of_lung(missing)}, "
        "punctures and needles counted."
    )
    relaxed = "Relaxed to parts of seeds, at some of the points and places 1 mm apart,"
    if not needles.v100_reachable:
        fewest = f"{relaxed} no number of seeds on these needles reaches V100: an estimate, no proof."
    elif needles.seeds_bound is not None:
        fewest = (
            f"{relaxed} V100 needs {needles.seeds_bound} seeds on these needles: an estimate of how few "
            "would do, no proof."
        )
    else:
        fewest = "Unproved: how few seeds would do."
    other = "Unproved: whether seeds at other places do as well on needles that cost less."
    early = "The time limit cut the exchange of needles short: more time may find a better set."
    return (least, other, fewest, *([early] if needles.time_ended else []), *_given_claims(needles, paths))


def notes_on_ptv(beyond_view_mm: float) -> tuple[str, ...]:
    """A PTV whose margin reaches so far beyond the edge of the field of view."""
    # Rounded in two steps: two ways to reckon it may differ by what float64 leaves over.
    told_mm = round(round(beyond_view_mm, 6), 1)
    if told_mm == 0.0:
        return ()
    return (
        f"The PTV reaches up to {told_mm:.1f} mm beyond the edge of the field of view: what lies there is "
        "neither covered nor counted.",
    )


def _given_claims(needles: NeedleSet, paths: tuple[Path, ...]) -> list[str]:
    """What is wrong with given seeds, and with given needles: they are kept all the same."""
    said = []
    near = needles.given_seed_pairs_near
    if near:
        said.append(
            f"{near} pairs of given seeds lie nearer to each other than a seed is long: check that none was "
            "given twice."
        )
    for path in paths:
        if path.aim is Aim.GIVEN and not path.seeds:
            said.append(f"{path.id}, given, carries no seed: none may stand or is needed along it.")
    return [*said, *(too_near_text(near) for near in needles.given_too_near)]


def too_near_text(near: TooNear) -> str:
    """What a given needle lies too near to. Distances are rounded down."""
    if near.other_path_id is None:
        where = (
            f"passes {floor(10.0 * near.clearance_mm) / 10.0:.1f} mm from"
            if near.clearance_mm > 0.0
            else "touches or runs through"
        )
        return f"{near.path_id}, given, {where} {near.structure}, where {near.asked_mm:g} mm are asked for."
    parts = "the " + near.parts if near.parts in ("shafts", "hubs") else "hub and shaft"
    shown = floor(100.0 * near.clearance_mm) / 100.0
    apart = (
        f"overlap by {-shown:.2f} mm"
        if shown < 0.0
        else f"run {shown:.2f} mm apart and need {near.asked_mm:g} mm"
    )
    return f"{near.path_id} and {near.other_path_id}, given, are too near: {parts} {apart}."


GOAL_WORDS = {
    "d90_gy": ("D90", "Gy"),
    "v100_percent": ("V100", "%"),
    "v150_percent": ("V150", "%"),
    "v200_percent": ("V200", "%"),
    "d0_1cc_gy": ("D0.1cc", "Gy"),
    "d1cc_gy": ("D1cc", "Gy"),
    "d2cc_gy": ("D2cc", "Gy"),
}
"""How a goal is spoken of, and its unit."""


def goal_text(goal: GoalResult) -> str:
    """What was reached of a goal, and what was asked for."""
    word, unit = GOAL_WORDS[goal.name]
    bound = "at least" if goal.at_least else "at most"
    shown = decimals_apart(goal.reached, goal.wanted, 2)
    reached = f"{goal.reached:.{shown}f} {unit}"
    return f"{word} of {goal.structure} {reached}, {bound} {goal.wanted:g} {unit} asked for"


def _limited_by(request: Request, needles: NeedleSet, missed: list[GoalResult]) -> list[str]:
    """Why no more was reached, as far as that is known."""
    said = []
    if needles.reachable_percent < WELL_REACHED_PERCENT:
        said.append(
            f"Safe tracks bring a seed within {REACH_MM:g} mm of {needles.reachable_percent:.0f} % of the "
            "PTV only: cut it back where no needle may go, or ask for smaller clearances."
        )
    if len(needles.path_ids) >= request.needle_set.max_needles:
        said.append(f"No more than {request.needle_set.max_needles} needles were allowed.")
    if needles.time_ended:
        said.append("The time limit cut the exchange of needles short: allow more.")
    ways = {goal.at_least for goal in missed}
    if not needles.v100_reachable and "v100_percent" in {goal.name for goal in missed}:
        said.append(
            "By an estimate, no number of these seeds on these needles reaches V100: ask for stronger or "
            "closer ones, for a lower dose, or for what lets more needles in."
        )
    elif ways == {True}:
        said.append(
            "The seeds that were found for these tracks do not reach it: ask for stronger or closer ones, or "
            "for a lower dose."
        )
    elif len(ways) == 2 or not said:
        said.append(
            "On the tracks there are, coverage and hot spots pull against each other: allow more of either, "
            "closer seeds, or another strength."
        )
    return said


def _cautions(skin_source: str, missing: tuple[str, ...]) -> list[str]:
    guessed = "Caution: without a body structure the skin is a guess and may lie inside the patient."
    # What lacks of the lung is said where lung is spoken of: no needle is kept clear of it.
    organs = [name for name in missing if name not in LUNG_NAMES]
    named = ", ".join(organs[:MISSING_NAMED])
    more = f" and {len(organs) - MISSING_NAMED} more" if len(organs) > MISSING_NAMED else ""
    return [
        *([guessed] if skin_source == GUESSED_SKIN else []),
        *([f"Not in the input, so not kept clear of: {named}{more}."] if organs else []),
    ]


def radius_text(radius_mm: float) -> str:
    """A covering radius in mm, to two decimals or two digits. Rounded up: a claim for a wider radius is the
    weaker one."""
    if radius_mm <= 0.0:
        return f"{radius_mm:g} mm"
    decimals = min(MOST_DECIMALS, max(2, 1 - int(log10(radius_mm) // 1)))
    return f"{ceil(radius_mm * 10**decimals - 1e-6) / 10**decimals:.{decimals}f} mm"


def _miss_text(miss: NearestMiss | None, missing: tuple[str, ...]) -> list[str]:
    if miss is None:
        return [
            "No line was found that runs far enough in the target and leaves the body once, through skin in "
            "view: check the field of view, the body and target.min_chord_mm."
        ]
    if miss.structure == NARROW:
        return [
            "The nearest line is safe where it is, but not when displaced so far: ask for a smaller "
            "covering_radius_mm to see such narrow paths."
        ]
    nearest = f"The nearest line lacks {mm_text(miss.missing_mm)} {_lacking(miss.structure)}."
    if not miss.relaxations:
        return [
            nearest,
            "None of the smaller clearances and longer needles that were tried, each alone, opens a path: "
            "change pose, role or target.",
        ]
    return [nearest, _remedy(miss.relaxations[0], missing)]


def _lacking(structure: str) -> str:
    if structure == NEEDLE_LENGTH:
        return "of needle length"
    if structure in (TABLE, BORE):
        return f"of room at the {structure}"
    return f"of the clearance from {structure}"


def _remedy(change: Relaxation, missing: tuple[str, ...]) -> str:
    opened = a_path(change.lung_length_mm, missing)
    if change.setting.startswith("/needle"):
        what = f"A needle of {change.to_mm:g} mm instead of {change.from_mm:g} mm"
        return f"{what} would open {opened}."
    whose = "by default" if change.structure == "default" else f"from {change.structure}"
    return f"A clearance of {change.to_mm:g} mm instead of {change.from_mm:g} mm {whose} would open {opened}."
