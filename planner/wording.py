"""Wording: the sentences of a plan, from its records alone. Verification writes them again and compares."""

from math import ceil, log10

from anatomy.patient.body.body import GUESSED_SKIN
from anatomy.plausibility.expected_structures import LUNG_NAMES
from planner.implant_records import DoseReport, NeedleSet, Robustness
from planner.implant_wording import reached_text, worst_first
from planner.lung_words import a_path, least_claim, through
from planner.number_text import mm_text, share_text
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
)
from planner.request import Request

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
    """How planning ended, the worst first: what given needles lie too near to, what the implant does not
    reach, what it exceeds, what errors of placement leave of it; then what was found, what to do about it,
    and what a path must be doubted for."""
    target = " or ".join(request.target.structures) or "the target"
    radius = radius_text(search.covering_radius_mm)
    ranked = [path for path in paths if path.aim is Aim.TARGET]
    worst = worst_first(request, needle_set, dose, robustness)
    reached = reached_text(request, needle_set, dose)
    cautions = _cautions(skin_source, missing_structures)
    if ranked:
        count = "one path" if len(ranked) == 1 else f"{len(ranked)} distinct paths"
        early = "" if search.complete else f" The search ended early, at a covering radius of {radius}."
        crosses = through(ranked[0].lung_length_mm, missing_structures)
        found = f"{count} to {target}; the best is {ranked[0].approach}, {crosses}.{early}"
        begun = found[:1].upper() + found[1:] if worst else found
        return " ".join([*worst, begun, *reached, *cautions])
    none = _none_found(target, radius, search, blockers, miss, missing_structures)
    # What is in already is told of all the same.
    return " ".join(none if dose is None else [*worst, *reached, *none, *cautions])


def _none_found(
    target: str,
    radius: str,
    search: SearchReport,
    blockers: tuple[Blocker, ...],
    miss: NearestMiss | None,
    missing: tuple[str, ...],
) -> list[str]:
    """That no path was found, or shown that there is none, and what to do about it."""
    if not search.complete:
        return [
            f"No path to {target} was found before the search ended early, at a covering radius of {radius}. "
            "Paths may exist: allow more time, or name a smaller target."
        ]
    blocked = ", ".join(f"{b.structure} {share_text(b.share)}" for b in blockers[:3])
    mostly = f" Blocked mostly by {blocked}." if blocked else ""
    safe = f"stays safe when displaced by {radius}" if search.covering_radius_mm > 0.0 else "is safe"
    return [f"Shown: no path to {target} {safe}.{mostly}", *_miss_text(miss, missing)]


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
