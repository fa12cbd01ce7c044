"""Claims on a plan's dose, by the direct sum over the seeds: volumes, points, indices, goals and BED."""

from collections.abc import Mapping, Sequence

import numpy as np

from anatomy.geometry.frames import MM3_PER_CC
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.records.dose import DoseReport, OrganDose, PointKind, TargetDose, VolumeDose
from planner.records.needle_set import NeedleSet
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.wording.dose_points import point_name
from planner.verify.claims import Claims
from planner.verify.dose.coldest import coldest
from planner.verify.dose.conformity import check_indices
from planner.verify.dose.dvh import SampledDoses
from planner.verify.dose.goals import PTV, check_bed, check_goals
from planner.verify.dose.hottest import dose_field_of, hottest_part
from planner.verify.dose.organ_limits.bed_model import bed_model_of
from planner.verify.dose.organ_limits.organ_limits import check_limits
from planner.verify.dose.seed_doses import SeedDoses, seed_doses
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
"""Organs whose D0.1cc is at least this part of the prescription have a histogram [U]."""
HOT_POINTS = 5
"""Number of organs whose hottest point is named [U]."""


def check_dose(
    claims: Claims,
    plan: Plan,
    prescription: Prescription,
    needles: NeedleSet,
    dose: DoseReport,
    scene: Scene,
    treated: VoxelMask,
) -> None:
    """All claims on a dose report. `treated` is the PTV."""
    check_goals(claims, prescription, dose)
    strength = check_strength(claims, plan, prescription, dose)
    check_bed(claims, prescription, dose, strength.source)
    # With the strength that follows from the request, not the one that the report states.
    seeds = seed_doses(strength.source, strength.strength_u, needles.seeds)
    curves = {
        PTV: sampled(treated, scene.grid, seeds),
        GTV: sampled(scene.target, scene.grid, seeds),
    }
    for name, stated, mask in ((PTV, dose.target, treated), (GTV, dose.gtv, scene.target)):
        least = coldest(mask, scene.grid, seeds, curves[name])
        check_treated(claims, name, stated, curves[name], least, prescription.dose_gy)
    check_indices(claims, dose.target, seeds, treated, scene.grid, prescription.dose_gy)
    organs = {s.name: s.mask for s in scene.of_role(Role.FORBIDDEN, Role.LUNG, Role.PASSABLE)}
    _check_points(claims, dose, seeds, {PTV: treated, GTV: scene.target}, organs, scene)
    check_organs(claims, dose.organs, scene, seeds, organs)
    bed_model = bed_model_of(prescription.bed, strength.source, dose.bed.external_organ_gy)
    check_limits(
        claims,
        prescription,
        dose.bed,
        bed_model,
        organs,
        scene.grid,
        seeds,
        scene.target,
        dose.organs,
        scene.too_small,
    )
    _check_curves(claims, dose, scene, seeds, curves, organs)


def _check_points(
    claims: Claims,
    dose: DoseReport,
    seeds: SeedDoses,
    treated: Mapping[str, VoxelMask],
    organs: Mapping[str, VoxelMask],
    scene: Scene,
) -> None:
    """Each named point has the stated dose and lies in the structure of its name. The dose of the coldest
    points is D100."""
    places = {(PointKind.COLDEST, name): mask for name, mask in treated.items()}
    places |= {(PointKind.HOTTEST, name): mask for name, mask in organs.items()}
    d100_gy = {
        (PointKind.COLDEST, PTV): dose.target.d100_gy,
        (PointKind.COLDEST, GTV): dose.gtv.d100_gy,
    }
    for point in dose.points:
        key = (point.kind, point.structure)
        claims.same("the point is named for what it is", point.name, point.name, point_name(*key))
        dose_gy = seeds.at(point.position_mm)
        away_mm = float(seeds.nearest_mm(np.array([point.position_mm]))[0])
        share = DOSE if away_mm > NEAR_SEED_MM else DOSE_NEAR
        off = max(DOSE_GY, share * dose_gy)
        claims.equal("dose at a point", point.name, point.dose_gy, dose_gy, off)
        if key in d100_gy:
            claims.equal("D100 is the dose of the coldest", point.name, d100_gy[key], dose_gy, off)
        mask = places.get(key)
        at_B = scene.grid.to_box(np.array([point.position_mm]))
        lies_in = mask is not None and bool(holds(mask, scene.grid.spacing_mm, at_B)[0])
        # The sample of a block of voxels is at the centroid of those inside, which may lie in none of them.
        lies_in |= mask is not None and mask.count > MANY_VOXELS
        where = "there" if lies_in else "elsewhere"
        claims.holds("the point lies in what it is named for", point.name, "there", where, lies_in)
    unnamed = d100_gy.keys() - {(point.kind, point.structure) for point in dose.points}
    missing = ", ".join(sorted(structure for _, structure in unnamed)) or "none"
    claims.same("coldest points that are not named", "dose", "none", missing)
    tiny = [o.structure for o in dose.organs if o.d0_1cc_gy is None and o.structure in organs]
    least = {name: hottest_sample([organs[name]], scene.grid, seeds).least for name in tiny}
    check_hottest(claims, dose, least)


def check_hottest(claims: Claims, dose: DoseReport, tiny_gy: Mapping[str, float]) -> None:
    """The dose of an organ's hottest point is at least its D0.1cc, or, for an organ that is smaller than
    that, the dose in `tiny_gy`. The organs whose hottest point is named are the hottest ones. [Gy]"""
    stated = {point.structure: point.dose_gy for point in dose.points if point.kind is PointKind.HOTTEST}
    structures = {organ.structure for organ in dose.organs if organ.structure in stated}
    expected = min(HOT_POINTS, len(dose.organs))
    claims.equal("organs whose hottest point is named", "dose", float(len(structures)), float(expected), 0.0)
    coolest = min((stated[name] for name in structures), default=0.0)
    for organ in dose.organs:
        least = tiny_gy.get(organ.structure, 0.0) if organ.d0_1cc_gy is None else organ.d0_1cc_gy
        point = stated.get(organ.structure, coolest)
        subject = point_name(PointKind.HOTTEST, organ.structure)
        if organ.structure in structures:
            claims.at_least("it gets at least D0.1cc", subject, least, point, DOSE_NEAR * least)
        else:
            claims.at_least("points of hotter organs are named", subject, least, point, DOSE_NEAR * least)


def check_organs(
    claims: Claims,
    organ_doses: Sequence[OrganDose],
    scene: Scene,
    seeds: SeedDoses,
    organs: Mapping[str, VoxelMask],
) -> None:
    """Each of the organs is listed once, with the dose in its hottest part."""
    names = ", ".join(sorted(organ.structure for organ in organ_doses))
    claims.same("organs with a dose", "dose", names, ", ".join(sorted(organs)))
    field = dose_field_of(seeds, scene.grid) if len(seeds.centres_P) else None
    for stated in organ_doses:
        mask = organs.get(stated.structure)
        if mask is not None:
            hot = hottest_part(mask, scene.grid, seeds, field)
            samples = sampled(hot, scene.grid, seeds, mask.count)
            check_organ(claims, stated, mask.count * scene.grid.voxel_volume_mm3 / MM3_PER_CC, samples)


def _check_curves(
    claims: Claims,
    dose: DoseReport,
    scene: Scene,
    seeds: SeedDoses,
    treated: Mapping[str, SampledDoses],
    organs: Mapping[str, VoxelMask],
) -> None:
    """The histograms of PTV, GTV and hot organs."""
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
            samples = sampled(mask, scene.grid, seeds, mask.count)
            check_curve(claims, curve, samples, dose.prescribed_gy)
