"""Doubts of a limit: which of them its row, names, volumes and numbers call for, and how it then ends."""

from planner.published_limits.limit import OrganLimit, Scope
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.verify.dose.organ_limits.bed_model import BedModel
from planner.verify.dose.organ_limits.compared_organ import ComparedOrgan
from planner.verify.dose.organ_limits.organ_match import MatchedOrgan
from planner.verify.tolerances import RATIO

POINT_CC = 0.1
"""The volume that stands for a point of an organ."""


def doubts_of(
    bed_model: BedModel,
    row: OrganLimit,
    limit: LimitComparison,
    match: MatchedOrgan,
    compared: ComparedOrgan | None,
    beams_before: bool,
) -> list[Doubt]:
    """The doubts that follow from the row, the matched names, and the volumes and numbers as stated.

    `beams_before`: the patient had external beams. Doubt.IN_SEED is checked elsewhere.
    """
    if row.dose_gy is None:
        return [Doubt.NO_DOSE]
    if compared is None:
        return [Doubt.NOT_IN_INPUT]
    organ_cc, achieved_cc = limit.organ_cc or 0.0, limit.achieved_cc or 0.0
    within = row.volume_cc is None or achieved_cc < row.volume_cc
    tiny = row.volume_cc is None and organ_cc < POINT_CC * (1.0 - RATIO)
    bed, most = limit.achieved_bed_gy, limit.limit_bed_gy
    met = row.volume_cc is None and bed is not None and most is not None and bed <= most
    more = achieved_cc > 0.0
    if more and met and bed is not None and bed == most:
        # Beams alone may give all of the organ exactly what is allowed, and seeds nothing.
        more = bed_model.bed_gy(float(compared.hottest.doses_gy.max())) > bed
    applies = {
        Doubt.TINY: tiny,
        # The volume that stands for a point meets a maximum, and a smaller part gets more.
        Doubt.PART_GETS_MORE: met and not tiny and more,
        Doubt.SMALL: row.kind is LimitKind.SPARED and organ_cc <= (row.volume_cc or 0.0),
        Doubt.OTHER_READING: row.kind is LimitKind.VOLUME_OR_SPARED
        and within != (organ_cc - achieved_cc > (row.volume_cc or 0.0)),
        Doubt.UNVERIFIED: row.scope is Scope.UNVERIFIED,
        Doubt.WALL: row.scope is Scope.NOT_ADJACENT,
        Doubt.LACKING: bool(match.lacking),
        Doubt.HOLDS_MORE: match.holds_more and not match.holds_target,
        Doubt.HOLDS_TARGET: match.holds_target,
        Doubt.BEAMS_IN_FULL: beams_before,
    }
    return [doubt for doubt, applied in applies.items() if applied]


def result_of(row: OrganLimit, limit: LimitComparison) -> bool | None:
    """Whether the limit is met by the numbers as stated; None where a doubt leaves it open."""
    most, bed, achieved_cc = limit.limit_bed_gy, limit.achieved_bed_gy, limit.achieved_cc
    undo_exceeded = {Doubt.HOLDS_TARGET}
    undo_met = {Doubt.PART_GETS_MORE, Doubt.OTHER_READING, Doubt.UNVERIFIED, Doubt.IN_SEED}
    spares = row.kind in (LimitKind.SPARED, LimitKind.VOLUME_OR_SPARED)
    undo_met |= {Doubt.HOLDS_MORE} if spares else set()
    # A missing part of an organ could only add to the volume that is spared.
    (undo_exceeded if row.kind is LimitKind.SPARED else undo_met).add(Doubt.LACKING)
    if most is None or achieved_cc is None or Doubt.SMALL in limit.doubts:
        return None
    if row.volume_cc is None:
        met = bed is not None and bed <= most
    elif row.kind is LimitKind.SPARED:
        met = achieved_cc > row.volume_cc
    else:
        met = achieved_cc < row.volume_cc * (1.0 - RATIO)
    if met:
        return None if undo_met & set(limit.doubts) else True
    return None if undo_exceeded & set(limit.doubts) else False
