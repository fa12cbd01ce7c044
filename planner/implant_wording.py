"""Wording of an implant: the worst news, what is reached, what a set proves; from its records alone."""

from collections.abc import Iterable, Sequence
from math import floor

from planner.implant_records import (
    REACH_MM,
    DoseReport,
    GoalResult,
    LimitComparison,
    NeedleSet,
    Robustness,
    TooNear,
)
from planner.limit_wording import exceeded, exceeded_text
from planner.lung_words import of_lung
from planner.number_text import counted, decimals_apart, share_text, sure_percent
from planner.records import Aim, Path
from planner.request import Request

WELL_REACHED_PERCENT = 95.0
"""A PTV of which tracks reach less than this is named as what limits the dose [U]."""
NEAR_NAMED = 2
"""What given needles come too near to that a message names; the plan lists all."""
LIMITS_NAMED = 2
"""Organs beyond a limit that a message names; the plan lists all limits."""
ROBUST_SHARE = 0.95
"""Where goals are reached in less of the samples, errors of placement are said first [U]."""


def worst_first(
    request: Request, needles: NeedleSet | None, dose: DoseReport | None, robustness: Robustness | None
) -> list[str]:
    """What must be known first of an implant that is prescribed: given needles that lie too near, given seeds
    that may be one, goals not met, organ limits exceeded, and errors of placement that undo it. Nothing where
    there is no such news."""
    if request.prescription is None:
        return []
    if dose is None:
        # Whether places for seeds were looked for, and how far that got, is in no record.
        return ["Goals not met: no seed is planned."]
    missed = [goal_text(goal) for goal in dose.goals if not goal.met]
    said = [f"Goals not met: {'; '.join(missed)}."] if missed else []
    return [*_too_near(needles), *given_twice(needles), *said, *_exceeded(dose), *_undone(robustness)]


def harm_of(dose: DoseReport, robustness: Robustness | None) -> list[str]:
    """Organ limits that are exceeded, and errors of placement that undo what was planned."""
    return [*_exceeded(dose), *_undone(robustness)]


def nearest_first(near: Iterable[TooNear]) -> list[TooNear]:
    """What given needles lie too near to: structures first, which bleed or leak as needles do not."""
    return sorted(near, key=lambda one: (one.structure is None, one.clearance_mm))


def _too_near(needles: NeedleSet | None) -> list[str]:
    """Given needles that are where none would be planned; the nearest first."""
    near = [] if needles is None else nearest_first(needles.given_too_near)
    named = [too_near_text(one) for one in near[:NEAR_NAMED]]
    more = f"; and {len(near) - NEAR_NAMED} more" if len(near) > NEAR_NAMED else ""
    return [f"Given needles too near: {'; '.join(named)}{more}."] if near else []


def _exceeded(dose: DoseReport) -> list[str]:
    """Each organ once, by what it exceeds most; the largest excess first."""
    over = exceeded(dose.bed.limits)
    worst: dict[str, LimitComparison] = {}
    for limit in over:
        worst.setdefault(limit.structure, limit)
    named = [exceeded_text(limit) for limit in list(worst.values())[:LIMITS_NAMED]]
    more = f"; and {len(over) - len(named)} more" if len(over) > len(named) else ""
    return [f"Organ limits exceeded: {'; '.join(named)}{more}."] if over else []


def _undone(robustness: Robustness | None) -> list[str]:
    """What errors of placement leave, where they undo too much of what was planned."""
    if robustness is None or robustness.goals_met_share >= ROBUST_SHARE:
        return []
    d90, v100 = robustness.d90_gy, robustness.v100_percent
    return [
        f"With errors as published for placement by {robustness.placement}, D90 and V100 are reached in "
        f"{sure_percent(robustness.goals_met_share)} % of {counted(robustness.dose_samples, 'sample')}: D90 "
        f"{d90.p50:.1f} Gy ({d90.p5:.1f} to {d90.p95:.1f}), V100 {v100.p50:.1f} % ({v100.p5:.1f} to "
        f"{v100.p95:.1f})."
    ]


def reached_text(request: Request, needles: NeedleSet | None, dose: DoseReport | None) -> list[str]:
    """What the implant reaches, and what limits it where that is not enough."""
    if request.prescription is None:
        return []
    if dose is None or needles is None:
        return ["Ask for smaller clearances or a wider margin, or allow more time."]
    count = f"{counted(len(needles.path_ids), 'needle')} and {counted(len(needles.seeds), 'seed')}"
    before = " with the beams before" if dose.bed.external_target_gy > 0.0 else ""
    bed = f"BED {dose.bed.target_d90_gy:.1f} Gy{before}"
    reached = (
        f"{count} give D90 {dose.target.d90_gy:.1f} Gy ({bed}) and V100 {dose.target.v100_percent:.1f} %."
    )
    missed = [goal for goal in dose.goals if not goal.met]
    if not missed:
        return [f"All goals are met as planned: {reached}"]
    return [reached, *limited_by(request, needles, missed)]


def set_claims(needles: NeedleSet, paths: tuple[Path, ...], missing: tuple[str, ...]) -> tuple[str, ...]:
    """What is proved of a needle set with these numbers, and what is not, of an input that lacks `missing`;
    then what is wrong with what was given."""
    # A lower bound is rounded down: the claim for a lower one is the weaker.
    bound = f"{floor(10.0 * needles.bound) / 10.0:.1f} mm"
    least = (
        f"Of the {counted(needles.tracks_considered, 'track')} considered, no set that keeps the rules "
        f"(conflicts, order, number, given needles) and could leave a seed within "
        f"{needles.cover_radius_mm:g} mm of each of these seeds costs less than {bound} of "
        f"{of_lung(missing)}, punctures and needles counted."
    )
    relaxed = "Relaxed to parts of seeds, at some of the points and places 1 mm apart,"
    if not needles.v100_reachable:
        fewest = f"{relaxed} no number of seeds on these needles reaches V100: an estimate, no proof."
    elif needles.seeds_bound is not None:
        fewest = (
            f"{relaxed} V100 needs {counted(needles.seeds_bound, 'seed')} on these needles: an estimate of "
            "how few would do, no proof."
        )
    else:
        fewest = "Unproved: how few seeds would do."
    other = "Unproved: whether seeds at other places do as well on needles that cost less."
    if needles.tracks_considered == 0:
        return tuple(_given_claims(needles, paths))
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
    said = given_twice(needles)
    for path in paths:
        if path.aim is Aim.GIVEN and not path.seeds:
            said.append(f"{path.id}, given, carries no seed: none may stand or is needed along it.")
    if any(path.aim is Aim.GIVEN for path in paths):
        said.append("Of given needles the shaft alone is held against structures: a hub may touch one.")
    near = [too_near_text(one) for one in needles.given_too_near]
    return [*said, *(f"{text[:1].upper()}{text[1:]}." for text in near)]


def given_twice(needles: NeedleSet | None) -> list[str]:
    """That given seeds may be counted twice, which makes every dose too high; nothing where none may."""
    pairs = 0 if needles is None else needles.given_seed_pairs_near
    if not pairs:
        return []
    lie = "lies" if pairs == 1 else "lie"
    return [
        f"{counted(pairs, 'pair')} of given seeds {lie} nearer to each other than a seed is long: check that "
        "none was given twice."
    ]


def too_near_text(near: TooNear) -> str:
    """What a given needle lies too near to, in a clause. Distances are rounded down."""
    if near.other_path_id is None:
        where = (
            f"passes {floor(10.0 * near.clearance_mm) / 10.0:.1f} mm from"
            if near.clearance_mm > 0.0
            else "touches or runs through"
        )
        return f"{near.path_id}, given, {where} {near.structure}, where {near.asked_mm:g} mm are asked for"
    parts = "the " + near.parts if near.parts in ("shafts", "hubs") else "hub and shaft"
    shown = floor(100.0 * near.clearance_mm) / 100.0
    apart = (
        f"overlap by {-shown:.2f} mm"
        if shown < 0.0
        else f"run {shown:.2f} mm apart and need {near.asked_mm:g} mm"
    )
    return f"{parts} of {near.path_id} and {near.other_path_id}, given, {apart}"


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
    # "120" as asked for, but 120.0004 where that is what decides.
    short = f"{goal.wanted:g}"
    wanted = short if float(short) == goal.wanted else f"{goal.wanted:.{shown}f}"
    return f"{word} of {goal.structure} {goal.reached:.{shown}f} {unit}, {bound} {wanted} {unit} asked for"


def limited_by(request: Request, needles: NeedleSet, missed: Sequence[GoalResult]) -> list[str]:
    """Why no more of the `missed` goals was reached, as far as that is known."""
    ways = {goal.at_least for goal in missed}
    added = any(seed.path_id is not None for seed in needles.seeds)
    if not added and ways == {False}:
        return ["What is in already is hotter than asked for: no seed can be taken out, and none is added."]
    said = []
    if needles.reachable_percent == 0.0:
        said.append("No track was found along which a seed could be added.")
    elif needles.reachable_percent < WELL_REACHED_PERCENT:
        said.append(
            f"The tracks that were found bring a seed within {REACH_MM:g} mm of "
            f"{share_text(needles.reachable_percent / 100.0)} of the PTV only: cut it back where no needle "
            "may go, or ask for smaller clearances."
        )
    if len(needles.path_ids) >= request.needle_set.max_needles:
        most = request.needle_set.max_needles
        said.append(f"No more than {counted(most, 'needle')} {'was' if most == 1 else 'were'} allowed.")
    if needles.time_ended:
        said.append("The time limit cut the exchange of needles short: allow more.")
    if not added:
        return said or ["No seed was found along the tracks there are that brings the goals nearer."]
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
