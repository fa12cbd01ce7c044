"""Claims on organ limits: every row of the requested tables, with its numbers, its doubts and its result.

rows      those of the published tables, each once
names     the structures of the organ, and the part of it that they lack      (organ_match)
numbers   BED, and volumes by counting sample points                          (bed_model, compared_organ,
                                                                               limit_numbers)
doubts    what the row, names, volumes and numbers leave open; the result     (limit_doubts)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.published_limits.limit import OrganLimit
from planner.published_limits.organs import ORGAN_OF_ROW
from planner.published_limits.tables import PROTOCOLS
from planner.records.dose import BedReport, OrganDose
from planner.records.organ_limits import Doubt, LimitComparison
from planner.records.request.prescription import Prescription
from planner.records.wording.organ_limits import reason_of
from planner.verify.claims import Claims
from planner.verify.dose.organ_limits.bed_model import BedModel
from planner.verify.dose.organ_limits.compared_organ import ComparedOrgan
from planner.verify.dose.organ_limits.limit_doubts import doubts_of, result_of
from planner.verify.dose.organ_limits.limit_numbers import (
    check_in_seeds,
    check_limit_numbers,
    check_organ_dose,
)
from planner.verify.dose.organ_limits.organ_match import MatchedOrgan, matched
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.geometry.voxels import voxels_of
from planner.verify.needle_set.ptv import holds

RESULTS = {True: "met", False: "exceeded", None: "neither can be said"}


def check_limits(
    claims: Claims,
    prescription: Prescription,
    bed: BedReport,
    bed_model: BedModel,
    organs: Mapping[str, VoxelMask],
    grid: Grid,
    seeds: SeedDoses,
    target: VoxelMask,
    stated: Sequence[OrganDose] = (),
    too_small: Collection[str] = (),
) -> None:
    """All claims of this module.

    `stated` are the doses of single organs; `too_small` names structures that are too small to be the organ
    of their name.
    """
    tables = {protocol.name: protocol.limits for protocol in PROTOCOLS}
    rows = [row for name in prescription.bed.protocols for row in tables.get(name, ())]
    expected = [f"{row.protocol}, {row.organ}: {row.words}" for row in rows]
    listed = [f"{limit.protocol}, {limit.organ}: {limit.limit}" for limit in bed.limits]
    claims.same(
        "the limits are those of the protocols asked for", "BED", "; ".join(listed), "; ".join(expected)
    )
    if listed != expected:
        return
    present = {name: mask for name, mask in organs.items() if mask.count}
    centres_B = voxels_of(target, outer_only=False) * grid.spacing_mm
    # A body's mask contains the target; a shell may share a voxel with it.
    solids = [name for name, mask in present.items() if holds(mask, grid.spacing_mm, centres_B).mean() > 0.5]
    compared_by_names: dict[tuple[str, ...], ComparedOrgan | None] = {}
    doses = {(organ.structure,): organ for organ in stated}
    for row, limit in zip(rows, bed.limits, strict=True):
        match = matched(ORGAN_OF_ROW[row.organ], present, solids)
        small = [name for name in match.structures if name in too_small]
        if small and not match.lacking:
            match = replace(match, lacking=f"most of {small[0]}")
        if match.structures not in compared_by_names:
            masks = tuple(present[name] for name in match.structures)
            compared_by_names[match.structures] = ComparedOrgan(masks, grid, seeds) if masks else None
        compared = compared_by_names[match.structures]
        _check_limit(claims, bed_model, row, limit, match, compared, prescription.prior_external is not None)
        if match.structures in doses:
            check_organ_dose(claims, bed_model, row, limit, doses[match.structures])


def _check_limit(
    claims: Claims,
    bed_model: BedModel,
    row: OrganLimit,
    limit: LimitComparison,
    match: MatchedOrgan,
    compared: ComparedOrgan | None,
    beams_before: bool,
) -> None:
    subject = f"limit {limit.limit} of {limit.organ}"
    stated_row, table_row = (f"{one.kind}, {one.volume_cc}" for one in (limit, row))
    claims.same("what the row says", subject, stated_row, table_row)
    structures = ", ".join(match.structures) or "none"
    claims.same("the structures compared", subject, limit.structure or "none", structures)
    check_limit_numbers(claims, subject, bed_model, row, limit, compared)
    doubts = doubts_of(bed_model, row, limit, match, compared, beams_before)
    lacking = match.lacking if Doubt.LACKING in doubts else ""
    claims.same("what the organ lacks", subject, limit.lacking or "nothing", lacking or "nothing")
    stated = [doubt for doubt in limit.doubts if doubt is not Doubt.IN_SEED]
    claims.same("what is in doubt", subject, ", ".join(sorted(stated)), ", ".join(sorted(doubts)))
    check_in_seeds(claims, subject, row, limit, compared)
    claims.same("result of the limit", subject, RESULTS[limit.met], RESULTS[result_of(row, limit)])
    written = reason_of(replace(limit, reason=""))
    claims.same("sentence on the limit", subject, limit.reason, written)
