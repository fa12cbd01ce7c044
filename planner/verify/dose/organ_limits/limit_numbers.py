"""Numbers of a limit: its BED, the volumes and doses of the structures compared, and where the hottest part
lies."""

from planner.published_limits.limit import OrganLimit
from planner.records.dose import OrganDose
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.verify.claims import Claims
from planner.verify.dose.dvh import Recomputed
from planner.verify.dose.organ_limits.bed_model import BedModel
from planner.verify.dose.organ_limits.compared_organ import ComparedOrgan
from planner.verify.dose.organ_limits.limit_doubts import POINT_CC
from planner.verify.dose.tiny_organ import hottest_sample
from planner.verify.dose.volume_dose import check_within
from planner.verify.tolerances import DOSE_NEAR, RATIO


def check_limit_numbers(
    claims: Claims,
    subject: str,
    bed_model: BedModel,
    row: OrganLimit,
    limit: LimitComparison,
    compared: ComparedOrgan | None,
) -> None:
    """The limit's BED, and the volumes and the BED of the structures compared."""
    if row.dose_gy is None or compared is None:
        numbers = [limit.achieved_bed_gy, limit.achieved_cc, limit.organ_cc]
        numbers += [] if row.dose_gy is not None else [limit.limit_bed_gy]
        stated = "some" if any(number is not None for number in numbers) else "none"
        claims.same("what is not compared has no numbers", subject, stated, "none")
    if row.dose_gy is None:
        return
    most = bed_model.of_fractions(row.dose_gy, row.fractions)
    _check_number(claims, "the limit as BED", subject, limit.limit_bed_gy, Recomputed(most, most, most))
    if compared is None:
        return
    organ_cc = compared.volume_cc
    all_of_it = Recomputed(organ_cc, organ_cc, organ_cc)
    _check_number(claims, "volume compared", subject, limit.organ_cc, all_of_it)
    beams_alone = most <= bed_model.beams_gy
    reaching = all_of_it if beams_alone else compared.reaching_cc(bed_model.dose_gy(most))
    hottest = None
    if row.kind is LimitKind.SPARED:
        reaching = Recomputed(organ_cc - reaching.value, organ_cc - reaching.most, organ_cc - reaching.least)
    else:
        hottest = compared.hottest_gy(row.volume_cc or POINT_CC)
    name = "volume that is spared" if row.kind is LimitKind.SPARED else "volume that gets the limit's BED"
    _check_number(claims, name, subject, limit.achieved_cc, reaching)
    if Doubt.TINY in limit.doubts:
        # For a tiny organ, a plan states the dose of one sample.
        hottest = hottest_sample(compared.masks, compared.grid, compared.seeds)
    bed = _as_bed(bed_model, hottest)
    _check_number(claims, "BED of the hottest part", subject, limit.achieved_bed_gy, bed)


def check_in_seeds(
    claims: Claims, subject: str, row: OrganLimit, limit: LimitComparison, compared: ComparedOrgan | None
) -> None:
    """Whether the hottest part lies in seeds, where no dose is known. Where single samples decide, the plan's
    own samples count and nothing is checked."""
    stated = Doubt.IN_SEED in limit.doubts
    in_seeds: bool | None = False
    if compared is not None and limit.achieved_bed_gy is not None:
        in_seeds = None if Doubt.TINY in limit.doubts else compared.in_seeds(row.volume_cc or POINT_CC)
    if in_seeds is not None:
        claimed, recomputed = ("in seeds" if inside else "outside" for inside in (stated, in_seeds))
        claims.same("where the hottest part lies", subject, claimed, recomputed)


def check_organ_dose(
    claims: Claims, bed_model: BedModel, row: OrganLimit, limit: LimitComparison, organ: OrganDose
) -> None:
    """A limit's BED is that of the dose which the plan states of the organ. A part in seeds has no dose."""
    doses = {0.1: organ.d0_1cc_gy, 1.0: organ.d1cc_gy, 2.0: organ.d2cc_gy}
    dose_gy = doses.get(row.volume_cc or POINT_CC)
    if dose_gy is None or limit.achieved_bed_gy is None or {Doubt.TINY, Doubt.IN_SEED} & set(limit.doubts):
        return
    bed = bed_model.bed_gy(dose_gy)
    subject = f"limit {limit.limit} of {limit.organ}"
    name = "the BED is that of the organ's dose"
    claims.equal(name, subject, limit.achieved_bed_gy, bed, RATIO * max(1.0, bed))


def _as_bed(bed_model: BedModel, dose: Recomputed | None) -> Recomputed | None:
    if dose is None:
        return None
    least, most = dose.least * (1.0 - DOSE_NEAR), dose.most * (1.0 + DOSE_NEAR)
    return Recomputed(bed_model.bed_gy(dose.value), bed_model.bed_gy(least), bed_model.bed_gy(most))


def _check_number(
    claims: Claims, name: str, subject: str, stated: float | None, recomputed: Recomputed | None
) -> None:
    if stated is None or recomputed is None:
        claimed, expected = ("none" if value is None else "a number" for value in (stated, recomputed))
        claims.same(name, subject, claimed, expected)
    else:
        check_within(claims, name, subject, stated, recomputed, max(1.0, recomputed.value))
