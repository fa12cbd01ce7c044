"""Wording of the message of a plan, from its records alone. Verification writes it again and compares."""

from anatomy.plausibility.expected_structures import LUNG_NAMES
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.search import DEFAULT, Constraint, NearestMiss, Relaxation
from planner.records.wording.implant import reached_text, worst_first
from planner.records.wording.lung import a_path, through
from planner.records.wording.number_text import mm_text, sentence, share_text
from planner.records.wording.search_claims import radius_text

MISSING_NAMED = 4
"""How many missing organs a message names; the plan lists all."""


def message_of(plan: Plan) -> str:
    """How planning ended, the worst first: what given needles are too near to, goals that the implant does
    not reach, limits that it exceeds, and the effect of placement errors. Then the paths found, what to do,
    and doubts about the paths.

    The outcome of `plan` itself is not read.
    """
    missing = plan.missing_structures
    target = " or ".join(plan.request.target.structures) or "the target"
    radius = radius_text(plan.search.covering_radius_mm)
    ranked = [path for path in plan.paths if path.aim is Aim.TARGET]
    worst, reached = worst_first(plan), reached_text(plan)
    cautions = _cautions(plan.skin_structures, missing)
    if ranked:
        count = "one path" if len(ranked) == 1 else f"{len(ranked)} distinct paths"
        early = "" if plan.search.complete else f" The search ended early, at a covering radius of {radius}."
        crosses = through(ranked[0].lung_length_mm, missing)
        best_path = f"{count} to {target}; the best is {ranked[0].approach}, {crosses}"
        # Without other sentences, it continues the sentence after the status.
        opening = sentence(best_path) if worst else f"{best_path}."
        return " ".join([*worst, f"{opening}{early}", *reached, *cautions])
    none = _none_found(plan, target, radius)
    # Needles and seeds in place are reported also if no path was found.
    return " ".join(none if plan.dose is None else [*worst, *reached, *none, *cautions])


def _none_found(plan: Plan, target: str, radius: str) -> list[str]:
    """That no path was found, or that none exists, and what to do."""
    if not plan.search.complete:
        return [
            f"No path to {target} was found before the search ended early, at a covering radius of {radius}. "
            "Paths may exist: allow more time, or name a smaller target."
        ]
    blocked = ", ".join(f"{b.structure} {share_text(b.share)}" for b in plan.blocked_by[:3])
    mostly = f" Blocked mostly by {blocked}." if blocked else ""
    safe = f"stays safe when displaced by {radius}" if plan.search.covering_radius_mm > 0.0 else "is safe"
    return [
        f"Shown: no path to {target} {safe}.{mostly}",
        *_miss_text(plan.nearest_miss, plan.missing_structures),
    ]


def _cautions(skin_structures: tuple[str, ...], missing: tuple[str, ...]) -> list[str]:
    guessed = "Caution: without a body structure the skin is a guess and may lie inside the patient."
    # Missing lung is named where lung is mentioned, because needles are not kept clear of lung.
    organs = [name for name in missing if name not in LUNG_NAMES]
    names = ", ".join(organs[:MISSING_NAMED])
    others = f" and {len(organs) - MISSING_NAMED} more" if len(organs) > MISSING_NAMED else ""
    return [
        *([] if skin_structures else [guessed]),
        *([f"Not in the input, so not kept clear of: {names}{others}."] if organs else []),
    ]


def _miss_text(miss: NearestMiss | None, missing: tuple[str, ...]) -> list[str]:
    if miss is None:
        return [
            "No line was found that runs far enough in the target and leaves the body once, through skin in "
            "view: check the field of view, the body and target.min_chord_mm."
        ]
    if miss.constraint is Constraint.COVERING_RADIUS:
        return [
            "The nearest line is safe where it is, but not when displaced so far: ask for a smaller "
            "covering_radius_mm to see such narrow paths."
        ]
    nearest = f"The nearest line lacks {mm_text(miss.missing_mm)} {_lacking(miss)}."
    if not miss.relaxations:
        return [
            nearest,
            "None of the smaller clearances and longer needles that were tried, each alone, opens a path: "
            "change pose, role or target.",
        ]
    return [nearest, _remedy(miss.relaxations[0], missing)]


def _lacking(miss: NearestMiss) -> str:
    match miss.constraint:
        case Constraint.NEEDLE_LENGTH:
            return "of needle length"
        case Constraint.TABLE:
            return "of room at the table"
        case Constraint.BORE:
            return "of room at the bore"
        case _:
            return f"of the clearance from {miss.structure}"


def _remedy(change: Relaxation, missing: tuple[str, ...]) -> str:
    opened = a_path(change.lung_length_mm, missing)
    if change.constraint is Constraint.NEEDLE_LENGTH:
        change_text = f"A needle of {change.to_mm:g} mm instead of {change.from_mm:g} mm"
        return f"{change_text} would open {opened}."
    whose = "by default" if change.structure == DEFAULT else f"from {change.structure}"
    return f"A clearance of {change.to_mm:g} mm instead of {change.from_mm:g} mm {whose} would open {opened}."
