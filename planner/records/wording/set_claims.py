"""Wording of what a needle set proves, and what is wrong with needles in place."""

from collections.abc import Iterable
from math import floor

from planner.records.needle_set import NeedleParts, NeedleSet, TooNear
from planner.records.paths import Aim, Path
from planner.records.wording.lung import of_lung
from planner.records.wording.number_text import counted, sentence


def nearest_first(near: Iterable[TooNear]) -> list[TooNear]:
    """Things that given needles are too near to, sorted: structures first, because they can bleed or leak,
    then by distance."""
    return sorted(near, key=lambda one: (one.structure is None, one.clearance_mm))


def set_claims(needles: NeedleSet, paths: tuple[Path, ...], missing: tuple[str, ...]) -> tuple[str, ...]:
    """What is proved, and what is not, about a needle set with these numbers, for an input that lacks
    `missing`; then what is wrong with given needles and seeds."""
    # A lower bound is rounded down: a claim with a lower bound is weaker.
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


def _given_claims(needles: NeedleSet, paths: tuple[Path, ...]) -> list[str]:
    """What is wrong with given seeds and given needles, which are kept in the plan."""
    sentences = given_twice(needles)
    for path in paths:
        if path.aim is Aim.GIVEN and not path.seeds:
            sentences.append(f"{path.id}, given, carries no seed: none may stand or is needed along it.")
    if any(path.aim is Aim.GIVEN for path in paths):
        sentences.append(
            "Of given needles only the shaft is checked against structures: a hub may touch one."
        )
    return [*sentences, *(sentence(too_near_text(one)) for one in needles.given_too_near)]


def given_twice(needles: NeedleSet | None) -> list[str]:
    """That given seeds may be counted twice, which makes every dose too high; empty if none may be."""
    pairs = 0 if needles is None else needles.given_seed_pairs_near
    if not pairs:
        return []
    lie = "lies" if pairs == 1 else "lie"
    return [
        f"{counted(pairs, 'pair')} of given seeds {lie} nearer to each other than a seed is long: check that "
        "none was given twice."
    ]


_PARTS = {
    NeedleParts.SHAFTS: "the shafts",
    NeedleParts.HUBS: "the hubs",
    NeedleParts.HUB_AND_SHAFT: "hub and shaft",
    NeedleParts.SHAFT_AND_HUB: "hub and shaft",
}
"""Words for the parts of two needles, to begin a clause."""


def too_near_text(near: TooNear) -> str:
    """What a given needle is too near to, as a clause. Distances are rounded down."""
    if near.other_path_id is None:
        where = (
            f"passes {floor(10.0 * near.clearance_mm) / 10.0:.1f} mm from"
            if near.clearance_mm > 0.0
            else "touches or runs through"
        )
        return f"{near.path_id}, given, {where} {near.structure}, where {near.asked_mm:g} mm are asked for"
    parts = _PARTS[near.parts]
    shown = floor(100.0 * near.clearance_mm) / 100.0
    apart = (
        f"overlap by {-shown:.2f} mm"
        if shown < 0.0
        else f"run {shown:.2f} mm apart and need {near.asked_mm:g} mm"
    )
    return f"{parts} of {near.path_id} and {near.other_path_id}, given, {apart}"
