"""Limit wording: what is said of an organ limit, from its record alone."""

from planner.implant_records import Doubt, LimitComparison, LimitKind

POINT_CC = 0.1
"""The volume that stands for a point, as `planner.dose.verdicts` has it."""

_SENTENCES = {
    Doubt.NOT_IN_INPUT: "The input has no voxel of this organ: not compared.",
    Doubt.IN_SEED: "Dose inside a seed is not known: the BED is at least this.",
    Doubt.BEAMS_IN_FULL: "External beams before count in full everywhere.",
}
_UNSURE = {
    Doubt.OTHER_READING: "by another reading of the row it is met",
    Doubt.UNVERIFIED: "the row is not known to be the protocol's",
    Doubt.WALL: "the row may mean the wall away from the target only",
    Doubt.HOLDS_MORE: "what was segmented is more than this organ",
    Doubt.LACKING: "a part of it was not segmented, so it may be more",
    Doubt.IN_SEED: "it may be more, for dose inside a seed is not known",
}
"""What makes an excess unsure, in short."""


def reason_of(limit: LimitComparison) -> str:
    """What was compared, how it ended and what that leaves open, in sentences."""
    first = [] if limit.organ_cc is None else [_compared(limit)]
    # That an organ is tiny is said with the numbers.
    return " ".join([*first, *(_doubt(limit, d) for d in limit.doubts if d is not Doubt.TINY)])


def exceeded_text(limit: LimitComparison) -> str:
    """An exceeded limit in a clause: the organ, what it gets and may get, whose limit, and what is unsure."""
    of = f" ({limit.structure})" if limit.structure else ""
    unsure = [_UNSURE[doubt] for doubt in limit.doubts if doubt in _UNSURE]
    beside = f"; unsure: {', '.join(unsure)}" if unsure else ""
    return f"{limit.organ}{of} {_excess(limit)} ({limit.protocol}{beside})"


def _excess(limit: LimitComparison) -> str:
    bed = "-" if limit.limit_bed_gy is None else f"{limit.limit_bed_gy:.1f}"
    if limit.volume_cc is None or limit.achieved_cc is None:
        got = "-" if limit.achieved_bed_gy is None else f"{limit.achieved_bed_gy:.1f}"
        return f"gets BED {got} Gy, at most {bed} Gy allowed"
    if limit.kind is LimitKind.SPARED:
        return f"has {limit.achieved_cc:.0f} cc below BED {bed} Gy, more than {limit.volume_cc:g} cc needed"
    got = f"gets BED {bed} Gy or more in {limit.achieved_cc:.1f} cc"
    return f"{got}, less than {limit.volume_cc:g} cc allowed"


def _compared(limit: LimitComparison) -> str:
    """The numbers of a row that states a dose."""
    got, whole = limit.achieved_cc or 0.0, limit.organ_cc or 0.0
    if limit.volume_cc is None:
        if Doubt.TINY in limit.doubts:
            return f"The organ is smaller than {POINT_CC:g} cc: its hottest sample stands for the maximum."
        return f"D{POINT_CC:g}cc, the smallest volume reported, stands for the maximum; less may get more."
    received = f"{got:.2f} cc get the limit's BED or more; less than {limit.volume_cc:g} cc may."
    if limit.kind is LimitKind.VOLUME:
        return received
    left = got if limit.kind is LimitKind.SPARED else whole - got
    spared = f"{left:.0f} cc get less than the limit's BED; more than {limit.volume_cc:g} cc must."
    if limit.kind is LimitKind.SPARED:
        return spared
    return f"{received} Other sources give these numbers for what is spared: {spared}"


def _doubt(limit: LimitComparison, doubt: Doubt) -> str:
    match doubt:
        case Doubt.NO_DOSE if limit.kind is LimitKind.UNSTATED:
            return "The table states no limit for this organ: nothing to compare."
        case Doubt.NO_DOSE:
            said = f"The row is relative ({limit.limit})"
            return f"{said}: it has no meaning for an implant, so it is not compared."
        case Doubt.PART_GETS_MORE:
            return f"Up to {limit.achieved_cc or 0.0:.3f} cc get more than the limit's BED: not judged."
        case Doubt.SMALL:
            return f"The organ as segmented has only {limit.organ_cc or 0.0:.0f} cc: not judged."
        case Doubt.OTHER_READING:
            return "By the other it is met." if limit.met is False else "The two disagree: not judged."
        case Doubt.UNVERIFIED:
            said = "The row stands in one score card and is not known to be the protocol's"
            return f"{said}: not judged." if limit.met is None else f"{said}."
        case Doubt.WALL:
            said = "The row is said, without a source, to mean the wall away from the target only."
            return f"{said} The whole meets it, so the part does." if limit.met else said
        case Doubt.LACKING:
            ends = "it may be more" if limit.met is False else "not judged"
            return f"The input lacks a part of this organ, {limit.lacking}: {ends}."
        case Doubt.HOLDS_MORE:
            said = f"{limit.structure} is more than this organ."
            return f"{said} The whole meets it, so the part does." if limit.met else said
        case Doubt.HOLDS_TARGET:
            ends = "The whole meets it, so the part does." if limit.met else "Not judged."
            return f"{limit.structure} holds the target as well, and is more than this organ. {ends}"
        case _:
            return _SENTENCES[doubt]
