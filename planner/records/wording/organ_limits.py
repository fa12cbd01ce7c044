"""Wording of an organ limit, from its record alone."""

from collections.abc import Iterable
from math import inf, isclose

from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.records.wording.number_text import decimals_apart

POINT_CC = 0.1
"""The volume used as a point if a limit is a maximum: the smallest that is reported [U]. Protocols often mean
0.03 cc, which may get more."""

_SENTENCES = {
    Doubt.NOT_IN_INPUT: "The input has no voxel of this organ: not compared.",
    Doubt.IN_SEED: "Dose inside a seed is not known: the BED is at least this.",
    Doubt.BEAMS_IN_FULL: "External beams before count in full everywhere.",
}
_MAY_BE_MORE = {
    Doubt.LACKING: "a part of it was not segmented",
    Doubt.IN_SEED: "dose inside a seed is not known",
}
"""Why an excess may be larger, in short."""

_UNSURE = {
    Doubt.OTHER_READING: "by another reading of the row it is met",
    Doubt.UNVERIFIED: "the row is not known to be the protocol's",
    Doubt.WALL: "the row may mean the wall away from the target only",
    Doubt.HOLDS_MORE: "what was segmented is more than this organ",
}
"""Why an excess is unsure, in short."""


def reason_of(limit: LimitComparison) -> str:
    """What was compared, the result, and what is left open, in sentences."""
    first = [] if limit.organ_cc is None else [_compared(limit)]
    # The sentence with the numbers says that an organ is tiny.
    return " ".join([*first, *(_doubt(limit, d) for d in limit.doubts if d is not Doubt.TINY)])


def exceeded_text(limit: LimitComparison) -> str:
    """An exceeded limit as a clause: the organ, what it gets and may get, and in brackets the protocol, what
    was assumed, why it may be more, and why it is unsure."""
    of = f" ({limit.structure})" if limit.structure else ""
    qualifiers = [limit.protocol]
    if Doubt.BEAMS_IN_FULL in limit.doubts:
        qualifiers.append("external beams before counted in full everywhere")
    for certainty, words in (("may be more", _MAY_BE_MORE), ("unsure", _UNSURE)):
        why = [words[doubt] for doubt in limit.doubts if doubt in words]
        qualifiers += [f"{certainty}: {', '.join(why)}"] if why else []
    return f"{limit.organ}{of} {_excess(limit)} ({'; '.join(qualifiers)})"


def exceeded(limits: Iterable[LimitComparison]) -> list[LimitComparison]:
    """The exceeded limits, the largest excess first."""
    return sorted((limit for limit in limits if limit.met is False), key=excess_ratio, reverse=True)


def excess_ratio(limit: LimitComparison) -> float:
    """The ratio of what an organ gets to its limit, by BED; by volume for a spared volume."""
    volume, got_cc = limit.volume_cc, limit.achieved_cc
    if limit.kind is LimitKind.SPARED:
        return inf if not volume or not got_cc else volume / got_cc
    if limit.achieved_bed_gy is None or not limit.limit_bed_gy:
        return inf
    return limit.achieved_bed_gy / limit.limit_bed_gy


def _excess(limit: LimitComparison) -> str:
    most, reached = limit.limit_bed_gy or 0.0, limit.achieved_bed_gy or 0.0
    if limit.volume_cc is None or limit.achieved_cc is None:
        decimals = decimals_apart(reached, most, 1)
        return f"gets BED {reached:.{decimals}f} Gy, at most {most:.{decimals}f} Gy allowed"
    if limit.kind is LimitKind.SPARED:
        cc = _cc(limit.achieved_cc, limit.volume_cc, 0)
        return f"has {cc} cc below BED {most:.1f} Gy, more than {limit.volume_cc:g} cc needed"
    cc = _cc(limit.achieved_cc, limit.volume_cc, 1)
    return f"gets BED {most:.1f} Gy or more in {cc} cc, less than {limit.volume_cc:g} cc allowed"


def _cc(got_cc: float, limit_cc: float, least: int) -> str:
    """A volume with the decimals that show whether it is above or below the limit's, so that rounding hides
    no excess. A volume equal to the limit's within rounding is shown as the limit's."""
    if isclose(got_cc, limit_cc):
        return f"{limit_cc:g}"
    return f"{got_cc:.{decimals_apart(got_cc, limit_cc, least)}f}"


def _compared(limit: LimitComparison) -> str:
    """The numbers of a row that states a dose."""
    treated_cc, organ_cc = limit.achieved_cc or 0.0, limit.organ_cc or 0.0
    if limit.volume_cc is None:
        if Doubt.TINY in limit.doubts:
            return f"The organ is smaller than {POINT_CC:g} cc: its hottest sample stands for the maximum."
        return f"D{POINT_CC:g}cc, the smallest volume reported, stands for the maximum; less may get more."
    received = _cc(treated_cc, limit.volume_cc, 2)
    received += f" cc get the limit's BED or more; less than {limit.volume_cc:g} cc may."
    if limit.kind is LimitKind.VOLUME:
        return received
    remaining_cc = treated_cc if limit.kind is LimitKind.SPARED else organ_cc - treated_cc
    spared = _cc(remaining_cc, limit.volume_cc, 0)
    spared += f" cc get less than the limit's BED; more than {limit.volume_cc:g} cc must."
    if limit.kind is LimitKind.SPARED:
        return spared
    return f"{received} Other sources give these numbers for what is spared: {spared}"


def _doubt(limit: LimitComparison, doubt: Doubt) -> str:
    match doubt:
        case Doubt.NO_DOSE if limit.kind is LimitKind.UNSTATED:
            return "The table states no limit for this organ: nothing to compare."
        case Doubt.NO_DOSE:
            text = f"The row is relative ({limit.limit})"
            return f"{text}: it has no meaning for an implant, so it is not compared."
        case Doubt.PART_GETS_MORE:
            cc = limit.achieved_cc or 0.0
            some = "Less than 0.001" if cc < 0.001 else f"Up to {cc:.3f}"
            return f"{some} cc get more than the limit's BED: not judged."
        case Doubt.SMALL:
            return f"The organ as segmented has only {limit.organ_cc or 0.0:.0f} cc: not judged."
        case Doubt.OTHER_READING:
            return "By the other it is met." if limit.met is False else "The two disagree: not judged."
        case Doubt.UNVERIFIED:
            text = "The row stands in one score card and is not known to be the protocol's"
            return f"{text}: not judged." if limit.met is None else f"{text}."
        case Doubt.WALL:
            text = "The row is said, without a source, to mean the wall away from the target only."
            return f"{text} The whole meets it, so the part does." if limit.met else text
        case Doubt.LACKING:
            ends = {True: "it would only spare more", False: "it may be more", None: "not judged"}
            return f"The input lacks a part of this organ, {limit.lacking}: {ends[limit.met]}."
        case Doubt.HOLDS_MORE:
            ends = {True: " The whole meets it, so the part does.", False: "", None: " Not judged."}
            return f"{limit.structure} is more than this organ.{ends[limit.met]}"
        case Doubt.HOLDS_TARGET:
            part = "The whole meets it, so the part does." if limit.met else "Not judged."
            return f"{limit.structure} holds the target as well, and is more than this organ. {part}"
        case _:
            return _SENTENCES[doubt]
