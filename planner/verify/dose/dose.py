"""Claims on a plan's dose, from the seeds' places by the direct sum: volumes, points, indices, goals, BED."""

from collections.abc import Mapping, Sequence

import numpy as np

from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.records.dose import DoseReport, OrganDose, PointKind, TargetDose, VolumeDose
from planner.records.needle_set import NeedleSet
from planner.records.plan import Plan
from planner.records.request import Prescription
from planner.records.wording.dose_points import point_name
from planner.verify.claims import Claims
from planner.verify.dose.all_seeds import Planted, planted
from planner.verify.dose.coldest import coldest
from planner.verify.dose.conformity import check_indices
from planner.verify.dose.dvh import CC_MM3, SampledDoses
from planner.verify.dose.goals import PTV, check_bed, check_goals
from planner.verify.dose.hottest import field_of, hottest_part
from planner.verify.dose.organ_limits.organ_limits import check_limits, effect_of
from planner.verify.dose.strength import check_strength
from planner.verify.dose.tiny_organ import hottest_sample
from planner.verify.dose.volume_dose import (
    MANY_VOXELS,
    check_curve,
    check_levels,
    check_organ,
    check_treated,
    sampled,
)
from planner.verify.needle_set.ptv import holds
from planner.verify.tolerances import DOSE, DOSE_GY, DOSE_NEAR, NEAR_SEED_MM

GTV = "GTV"
SHOWN_PART = 0.2
"""Organs whose hottest 0.1 cm3 gets this part of the prescription have a histogram [U]."""
HOT_POINTS = 5
"""So many organs' hottest points are named [U]."""


def check_dose(
    claims: Claims,
    plan: Plan,
    asked: Prescription,
    needles: NeedleSet,
    dose: DoseReport,
    scene: Scene,
    treated: VoxelMask,
) -> None:
    """All claims on a dose report, `treated` being the PTV."""
    check_goals(claims, asked, dose)
    strong = check_strength(claims, plan, asked, dose)
    check_bed(claims, asked, dose, strong.source)
    # Of the strength that the request means, not of the one that is stated.
    seeds = planted(strong.source, strong.strength_u, needles.seeds)
    curves = {
        PTV: sampled(treated, scene.grid, seeds),
        GTV: sampled(scene.target, scene.grid, seeds),
    }
    for name, stated, mask in ((PTV, dose.target, treated), (GTV, dose.gtv, scene.target)):
        least = coldest(mask, scene.grid, seeds, curves[name])
        check_treated(claims, name, stated, curves[name], least, asked.dose_gy)
    check_indices(claims, dose.target, seeds, treated, scene.grid, asked.dose_gy)
    organs = {s.name: s.mask for s in scene.of_role(Role.FORBIDDEN, Role.LUNG, Role.PASSABLE)}
    _check_points(claims, dose, seeds, {PTV: treated, GTV: scene.target}, organs, scene)
    check_organs(claims, dose.organs, scene, seeds, organs)
    effect = effect_of(asked, strong.source, dose.bed.external_organ_gy)
    check_limits(
        claims, asked, dose.bed, effect, organs, scene.grid, seeds, scene.target, dose.organs, scene.too_small
    )
    _check_curves(claims, dose, scene, seeds, curves, organs)


def _check_points(
    claims: Claims,
    dose: DoseReport,
    seeds: Planted,
    treated: Mapping[str, VoxelMask],
    organs: Mapping[str, VoxelMask],
    scene: Scene,
) -> None:
    """Each point's dose; that it lies in what it is named for; and the coldest ones' to be D100."""
    places = {(PointKind.COLDEST, name): mask for name, mask in treated.items()}
    places |= {(PointKind.HOTTEST, name): mask for name, mask in organs.items()}
    coldest = {
        (PointKind.COLDEST, PTV): dose.target.d100_gy,
        (PointKind.COLDEST, GTV): dose.gtv.d100_gy,
    }
    for point in dose.points:
        what = (point.kind, point.structure)
        claims.same("the point is named for what it is", point.name, point.name, point_name(*what))
        found = seeds.at(point.position_mm)
        away_mm = float(seeds.nearest_mm(np.array([point.position_mm]))[0])
        share = DOSE if away_mm > NEAR_SEED_MM else DOSE_NEAR
        off = max(DOSE_GY, share * found)
        claims.equal("dose at a point", point.name, point.dose_gy, found, off)
        if what in coldest:
            claims.equal("D100 is the dose of the coldest", point.name, coldest[what], found, off)
        mask = places.get(what)
        at_B = scene.grid.to_box(np.array([point.position_mm]))
        there = mask is not None and bool(holds(mask, scene.grid.spacing_mm, at_B)[0])
        # A sample for a block of voxels lies at the middle of those inside, which may be in none of them.
        there |= mask is not None and mask.count > MANY_VOXELS
        said = "there" if there else "elsewhere"
        claims.holds("the point lies in what it is named for", point.name, "there", said, there)
    unnamed = coldest.keys() - {(point.kind, point.structure) for point in dose.points}
    missing = ", ".join(sorted(structure for _, structure in unnamed)) or "none"
    claims.same("coldest points that are not named", "dose", "none", missing)
    tiny = [o.structure for o in dose.organs if o.d0_1cc_gy is None and o.structure in organs]
    least = {name: hottest_sample([organs[name]], scene.grid, seeds).least for name in tiny}
    check_hottest(claims, dose, least)


def check_hottest(claims: Claims, dose: DoseReport, tiny_gy: Mapping[str, float]) -> None:
    """The hottest point of an organ gets no less than its hottest 0.1 cm3, or what `tiny_gy` says of one that
    has less; and no organ whose point is not named has a hotter part than one whose is. [Gy]"""
    stated = {point.structure: point.dose_gy for point in dose.points if point.kind is PointKind.HOTTEST}
    named = {organ.structure for organ in dose.organs if organ.structure in stated}
    wanted = min(HOT_POINTS, len(dose.organs))
    claims.equal("organs whose hottest point is named", "dose", float(len(named)), float(wanted), 0.0)
    coolest = min((stated[name] for name in named), default=0.0)
    for organ in dose.organs:
        least = tiny_gy.get(organ.structure, 0.0) if organ.d0_1cc_gy is None else organ.d0_1cc_gy
        point = stated.get(organ.structure, coolest)
        subject = point_name(PointKind.HOTTEST, organ.structure)
        if organ.structure in named:
            claims.at_least("it gets what the hottest 0.1 cm3 do", subject, least, point, DOSE_NEAR * least)
        else:
            claims.at_least("points of hotter organs are named", subject, least, point, DOSE_NEAR * least)


def check_organs(
    claims: Claims,
    told: Sequence[OrganDose],
    scene: Scene,
    seeds: Planted,
    organs: Mapping[str, VoxelMask],
) -> None:
    """Each of the organs once, and the dose in its hottest part."""
    names = ", ".join(sorted(organ.structure for organ in told))
    claims.same("organs with a dose", "dose", names, ", ".join(sorted(organs)))
    field = field_of(seeds, scene.grid) if len(seeds.centres_P) else None
    for stated in told:
        mask = organs.get(stated.structure)
        if mask is not None:
            hot = hottest_part(mask, scene.grid, seeds, field)
            found = sampled(hot, scene.grid, seeds, mask.count)
            check_organ(claims, stated, mask.count * scene.grid.voxel_volume_mm3 / CC_MM3, found)


def _check_curves(
    claims: Claims,
    dose: DoseReport,
    scene: Scene,
    seeds: Planted,
    treated: Mapping[str, SampledDoses],
    organs: Mapping[str, VoxelMask],
) -> None:
    """The histograms of PTV and GTV, and of those organs that have one."""
    names = [curve.structure for curve in dose.dvh]
    claims.equal("a structure has one histogram", "dose", float(len(names)), float(len(set(names))), 0.0)
    hot = {o.structure for o in dose.organs if (o.d0_1cc_gy or 0.0) >= SHOWN_PART * dose.prescribed_gy}
    missing = ", ".join(sorted((treated.keys() | hot) - set(names))) or "none"
    claims.same("volumes to treat, and hot organs, without a histogram", "dose", "none", missing)
    unknown = ", ".join(sorted(set(names) - treated.keys() - organs.keys())) or "none"
    claims.same("histograms of unknown structures", "dose", "none", unknown)
    stated: dict[str, TargetDose | VolumeDose] = {PTV: dose.target, GTV: dose.gtv}
    for curve in dose.dvh:
        name = curve.structure
        if name in treated:
            check_curve(claims, curve, treated[name], dose.prescribed_gy)
            check_levels(claims, curve, stated[name], treated[name], dose.prescribed_gy)
        elif name in organs:
            mask = organs[name]
            found = sampled(mask, scene.grid, seeds, mask.count)
            check_curve(claims, curve, found, dose.prescribed_gy)
