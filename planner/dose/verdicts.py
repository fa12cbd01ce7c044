"""Verdicts: what one row of a table says of an organ's samples, and what it cannot say.

True, False or None, always with its reason. What is compared may be more than the organ that a row means:
the whole oesophagus for the wall away from the target, a solid body for the skin. Then meeting the limit says
that the organ meets it, and failing says nothing.
"""

from dataclasses import dataclass, replace

from planner.dose.dvh import MM3_PER_CC, ROUNDING, DoseVolume, dose_to_hottest_cc, volume_mm3_at
from planner.dose.limits import LimitKind, OrganLimit, Scope
from planner.dose.organ_names import Match

POINT_CC = 0.1
"""The volume that stands for a point where a limit is a maximum: the smallest that is reported [U]. Protocols
often mean 0.03 cc, which may get more."""


@dataclass(frozen=True)
class Verdict:
    """Whether a limit is met, None where that cannot be said; why; and the numbers, as in Comparison."""

    met: bool | None
    reason: str
    bed_gy: float | None = None
    achieved_cc: float | None = None

    def but(self, reason: str) -> "Verdict":
        """The same with one more sentence."""
        return replace(self, reason=f"{self.reason} {reason}")

    def unsaid(self, reason: str) -> "Verdict":
        """The numbers without a judgement, and why."""
        return replace(self.but(reason), met=None)

    def floored(self) -> "Verdict":
        """The same where the BED stated is the highest known: a limit may be failed by it, and is not met."""
        reason = "Dose inside a seed is not known: the BED is at least this."
        return self.but(reason) if self.met is False else self.unsaid(reason)


def without_dose(limit: OrganLimit) -> str:
    """Why a row that states no dose is not compared."""
    if limit.kind is LimitKind.UNSTATED:
        return "The table states no limit for this organ: nothing to compare."
    return f"The row is relative ({limit.note}): it has no meaning for an implant, so it is not compared."


def judged(limit: OrganLimit, limit_bed: float, bed: DoseVolume) -> Verdict:
    """A row that states a dose, as it stands, against the samples as they are. [Gy]"""
    reaching_cc = volume_mm3_at(bed, limit_bed) / MM3_PER_CC
    if limit.volume_cc is None:
        point = dose_to_hottest_cc(bed, POINT_CC)
        if point is None:
            point = float(bed.doses_gy[-1])
            reason = f"The organ is smaller than {POINT_CC:g} cc: its hottest sample stands for the maximum."
        else:
            reason = (
                f"D{POINT_CC:g}cc, the smallest volume reported, stands for the maximum; less may get more."
            )
        verdict = Verdict(point <= limit_bed, reason, point, reaching_cc)
        if verdict.met and float(bed.doses_gy[-1]) > limit_bed:
            return verdict.unsaid(f"Up to {reaching_cc:.3f} cc get more than the limit's BED: not judged.")
        return verdict
    limit_cc = limit.volume_cc
    hottest = dose_to_hottest_cc(bed, limit_cc)
    few = reaching_cc < limit_cc * (1.0 - ROUNDING)
    received = f"{reaching_cc:.2f} cc get the limit's BED or more; less than {limit_cc:g} cc may."
    if limit.kind is LimitKind.VOLUME:
        return Verdict(few, received, hottest, reaching_cc)
    whole_cc = bed.volume_mm3 / MM3_PER_CC
    spared_cc = whole_cc - reaching_cc
    enough = spared_cc > limit_cc
    spared = f"{spared_cc:.0f} cc get less than the limit's BED; more than {limit_cc:g} cc must."
    if limit.kind is LimitKind.SPARED:
        verdict = Verdict(enough, spared, None, spared_cc)
        if whole_cc <= limit_cc:
            return verdict.unsaid(f"The organ as segmented has only {whole_cc:.0f} cc: not judged.")
        return verdict
    both = f"{received} Other sources give these numbers for what is spared: {spared}"
    verdict = Verdict(few, both, hottest, reaching_cc)
    return verdict if few == enough else verdict.unsaid("The two disagree: not judged.")


def doubted(limit: OrganLimit, matched: Match, verdict: Verdict) -> Verdict:
    """The judgement, or none where row or structures do not bear it."""
    if limit.scope is Scope.UNVERIFIED:
        return verdict.unsaid(
            "The row stands in one score card and is not known to be the protocol's: not judged."
        )
    doubts = []
    if limit.scope is Scope.NOT_ADJACENT:
        doubts.append("The row is said, without a source, to mean the wall away from the target only.")
    if matched.lacking and verdict.met:
        return verdict.unsaid(f"The input lacks a part of this organ, {matched.lacking}: not judged.")
    if matched.holds_more:
        doubts.append(f"{', '.join(matched.structures)} is more than this organ.")
    for doubt in doubts:
        verdict = verdict.but(doubt)
    if not doubts or verdict.met is None:
        return verdict
    if verdict.met:
        return verdict.but("The whole meets it, so the part does.")
    return verdict.unsaid("The whole fails it, the part may not: not judged.")
