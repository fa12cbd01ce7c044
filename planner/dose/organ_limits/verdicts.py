"""Verdicts: the result of one row of a table for an organ's samples, with its doubts.

A limit is exceeded if the segmented structures get more than the row allows, whatever is in doubt. It is met
only if no doubt undoes this, such as a part that was not segmented. For a skin that is a solid and contains
the target, an excess says nothing. Where a volume must be spared, a part that was not segmented would add to
it: so it undoes an excess, and a structure that is more than the organ undoes a limit that is met.

    True   met        False   exceeded        None   neither can be said
"""

from dataclasses import dataclass, replace

from anatomy.geometry.frames import MM3_PER_CC
from planner.dose.dvh import ROUNDING, DoseVolume, dose_to_hottest_cc, volume_mm3_at
from planner.dose.organ_limits.organ_names import Match
from planner.published_limits.limit import OrganLimit, Scope
from planner.records.organ_limits import Doubt, LimitKind
from planner.records.wording.organ_limits import POINT_CC


@dataclass(frozen=True)
class Verdict:
    """Whether a limit is met, what is in doubt, and the numbers, as in LimitComparison."""

    met: bool | None
    doubts: tuple[Doubt, ...] = ()
    bed_gy: float | None = None
    achieved_cc: float | None = None
    organ_cc: float | None = None

    def with_doubt(self, doubt: Doubt) -> "Verdict":
        """The verdict with one more doubt, which undoes nothing."""
        return replace(self, doubts=(*self.doubts, doubt))

    def undecided_if_met(self, doubt: Doubt) -> "Verdict":
        """The verdict with a doubt: if the limit was met, neither can be said."""
        return replace(self.with_doubt(doubt), met=None if self.met else self.met)

    def undecided_if_exceeded(self, doubt: Doubt) -> "Verdict":
        """The verdict with a doubt: if the limit was exceeded, neither can be said."""
        return replace(self.with_doubt(doubt), met=True if self.met else None)


def verdict_as_read(limit: OrganLimit, limit_bed: float, bed: DoseVolume) -> Verdict:
    """The verdict on a row that states a dose, from its text and the samples alone. [Gy]"""
    reaching_cc, whole_cc = volume_mm3_at(bed, limit_bed) / MM3_PER_CC, bed.volume_mm3 / MM3_PER_CC
    if limit.volume_cc is None:
        return _maximum(limit_bed, bed, reaching_cc, whole_cc)
    few = reaching_cc < limit.volume_cc * (1.0 - ROUNDING)
    spared_cc = whole_cc - reaching_cc
    enough = spared_cc > limit.volume_cc
    if limit.kind is LimitKind.SPARED:
        verdict = Verdict(enough, (), None, spared_cc, whole_cc)
        return replace(verdict, met=None).with_doubt(Doubt.SMALL) if whole_cc <= limit.volume_cc else verdict
    verdict = Verdict(few, (), dose_to_hottest_cc(bed, limit.volume_cc), reaching_cc, whole_cc)
    if limit.kind is LimitKind.VOLUME or few == enough:
        return verdict
    return verdict.undecided_if_met(Doubt.OTHER_READING)


def _maximum(limit_bed: float, bed: DoseVolume, reaching_cc: float, whole_cc: float) -> Verdict:
    hottest, point = float(bed.doses_gy[-1]), dose_to_hottest_cc(bed, POINT_CC)
    bed_gy = hottest if point is None else point
    verdict = Verdict(bed_gy <= limit_bed, (), bed_gy, reaching_cc, whole_cc)
    if point is None:
        return verdict.with_doubt(Doubt.TINY)
    return verdict.undecided_if_met(Doubt.PART_GETS_MORE) if verdict.met and hottest > limit_bed else verdict


def with_row_doubts(limit: OrganLimit, matched: Match, verdict: Verdict) -> Verdict:
    """The verdict with the doubts that follow from the row and the structures."""
    if limit.scope is Scope.UNVERIFIED:
        verdict = verdict.undecided_if_met(Doubt.UNVERIFIED)
    if limit.scope is Scope.NOT_ADJACENT:
        # If the whole organ meets the limit, the wall does.
        verdict = verdict.with_doubt(Doubt.WALL)
    if matched.lacking:
        spared = limit.kind is LimitKind.SPARED
        verdict = (
            verdict.undecided_if_exceeded(Doubt.LACKING)
            if spared
            else verdict.undecided_if_met(Doubt.LACKING)
        )
    if matched.holds_target:
        verdict = verdict.undecided_if_exceeded(Doubt.HOLDS_TARGET)
    elif matched.holds_more:
        spares = limit.kind in (LimitKind.SPARED, LimitKind.VOLUME_OR_SPARED)
        verdict = (
            verdict.undecided_if_met(Doubt.HOLDS_MORE) if spares else verdict.with_doubt(Doubt.HOLDS_MORE)
        )
    return verdict
