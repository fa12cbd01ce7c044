"""Dose report: what seeds give to target and organs, which goals that meets, and what it means beside earlier
radiation. Dose to water in water, TG-43, until the seeds have decayed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum

import numpy as np
from jaxtyping import Float, Int

from anatomy.geometry.masks import VoxelMask
from anatomy.runtime.parallel import spread
from anatomy.scene import Scene
from planner.dose import organ_limits
from planner.dose.bed import ExternalBeam, Tissue, eqd2_gy, external_bed_gy, summed_bed_gy
from planner.dose.dvh import (
    DoseVolume,
    dose_covering_percent,
    dose_to_hottest_cc,
    dose_volume,
    highest_outside_gy,
    reported,
    volume_percent_at,
)
from planner.dose.in_seed import doses_outside, in_seed
from planner.dose.indices import quality_indices
from planner.dose.limit_tables import protocol_named
from planner.dose.outside import outside_mm3
from planner.dose.sampling import Near, SamplePoints, sampled
from planner.dose.solids import holds_most
from planner.implant_records import (
    MEDIUM,
    BedReport,
    DoseReport,
    DvhCurve,
    GoalResult,
    OrganDose,
    PointDose,
    TargetDose,
    VolumeDose,
)
from planner.organ_goals import GOAL_VOLUMES_CC, REPORTED_ROLES, goal_dose_gy
from planner.request import GivenSeed, Prescription, Request
from planner.seeding.dose import SeedDose

HOTTEST_MM3, TOUCHING_MM = 4_000.0, 0.1
"""The hottest part of an organ that is sampled finely wherever it lies, twice the largest volume reported;
and how near voxels lie to it that are [U]."""
TARGET_STEP_MM, ORGAN_STEP_MM = 0.5, 1.0
"""Sides of the parts that volumes to treat, wherever they lie, and organs near the seeds are sampled by
[U]."""
LEVELS_PERCENT = tuple(range(0, 305, 5))
"""Levels of histograms, in percent of the prescription [U]."""
SHOWN_PART = 0.2
"""Organs whose hottest 0.1 cm3 gets less than this part of the prescription have no histogram [U]."""
HOT_POINTS = 5
"""Organs whose hottest point is named [U]."""
MM3_PER_CC = 1000.0
HOURS_PER_DAY = 24.0


@dataclass(frozen=True, eq=False)
class Sampled:
    """A structure's samples with their dose, infinity inside seeds. [Gy]"""

    name: str
    points: SamplePoints
    doses_gy: Float[np.ndarray, " n"]

    @cached_property
    def volumes(self) -> DoseVolume:
        """Its dose-volume statistics."""
        return dose_volume(self.doses_gy, self.points.weights_mm3)


class Dosimetry:
    """Samples the dose of some seeds in structures of a scene."""

    def __init__(self, scene: Scene, dose: SeedDose, seeds: Sequence[GivenSeed]) -> None:
        self._scene, self._dose, self._seeds = scene, dose, tuple(seeds)
        self._centres_P = np.array([s.position_mm for s in seeds], float).reshape(-1, 3)
        none = (0.0, 0.0, 0.0)
        self._axes_P = np.array([s.axis or none for s in seeds], float).reshape(-1, 3)

    def at(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Dose at points. [Gy]"""
        return self._dose.total(points_P, self._seeds)

    def of(self, name: str, mask: VoxelMask, step_mm: float) -> Sampled:
        """An organ's samples: fine near the seeds, or where it is hottest."""
        near = Near(self._centres_P) if len(self._centres_P) else None
        points = sampled(mask, self._scene.grid, step_mm if near else ORGAN_STEP_MM, near)
        doses = self.outside_seeds(points.points_P)
        if near is not None and float(points.weights_mm3[: points.near_count].sum()) < HOTTEST_MM3:
            # Far from all seeds a voxel is one sample, which is too coarse for the hottest of them.
            hot = hottest(doses, points.weights_mm3, HOTTEST_MM3)
            points = sampled(mask, self._scene.grid, step_mm, Near(points.points_P[hot], TOUCHING_MM))
            doses = self.outside_seeds(points.points_P)
        return Sampled(name, points, doses)

    def treated(self, name: str, mask: VoxelMask) -> Sampled:
        """A volume to treat, fine all over: what is far from all seeds decides its D90 and D100."""
        points = sampled(mask, self._scene.grid, TARGET_STEP_MM)
        return Sampled(name, points, self.outside_seeds(points.points_P))

    def outside_seeds(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Dose at points, infinite inside seeds. [Gy]"""
        source = self._dose.source
        inside = in_seed(
            points_P,
            self._centres_P,
            self._axes_P,
            source.seed_length_mm,
            source.seed_diameter_mm,
        )
        return doses_outside(self.at(points_P), inside)

    def target(self, ptv: VoxelMask, prescribed_gy: float) -> tuple[Sampled, TargetDose]:
        """The PTV and its dose."""
        samples = self.treated("PTV", ptv)
        volume = volume_dose(samples, prescribed_gy)
        outside = 0.0
        if len(self._centres_P):
            outside = outside_mm3(self.outside_seeds, prescribed_gy, self._centres_P, ptv, self._scene.grid)
        indices = quality_indices(samples.volumes, prescribed_gy, outside)
        return samples, TargetDose(
            **{name: getattr(volume, name) for name in VolumeDose.__dataclass_fields__},
            ci=indices.ci,
            ei=indices.ei,
            hi=indices.hi,
        )


def hottest(
    doses_gy: Float[np.ndarray, " n"], weights_mm3: Float[np.ndarray, " n"], volume_mm3: float
) -> Int[np.ndarray, " k"]:
    """Rows of the samples of highest dose that make up the volume, or of all where there is less."""
    order = np.argsort(-doses_gy, kind="stable")
    count = int(np.searchsorted(np.cumsum(weights_mm3[order]), volume_mm3)) + 1
    return np.asarray(order[:count])


def volume_dose(samples: Sampled, prescribed_gy: float) -> VolumeDose:
    """The D and V values of a volume to treat."""
    dv = samples.volumes
    highest = highest_outside_gy(dv)
    return VolumeDose(
        volume_cc=dv.volume_mm3 / MM3_PER_CC,
        d90_gy=reported(dose_covering_percent(dv, 90.0), highest).gy,
        d100_gy=reported(dose_covering_percent(dv, 100.0), highest).gy,
        v100_percent=volume_percent_at(dv, prescribed_gy),
        v150_percent=volume_percent_at(dv, 1.5 * prescribed_gy),
        v200_percent=volume_percent_at(dv, 2.0 * prescribed_gy),
    )


def dose_report(
    scene: Scene,
    request: Request,
    prescription: Prescription,
    ptv: VoxelMask,
    dose: SeedDose,
    seeds: Sequence[GivenSeed],
) -> DoseReport:
    """The dose of seeds, held against the prescription. Raises RequestError for an unknown protocol."""
    dosimetry = Dosimetry(scene, dose, seeds)
    rx = prescription.dose_gy
    treated, target = dosimetry.target(ptv, rx)
    gtv = dosimetry.treated("GTV", scene.target)
    organs = _organs(dosimetry, scene)
    records = tuple(organ_dose(o) for o in organs)
    hot = [o for o, r in zip(organs, records, strict=True) if (r.d0_1cc_gy or 0.0) >= SHOWN_PART * rx]
    return DoseReport(
        medium=MEDIUM,
        source=dose.source.name,
        air_kerma_strength_u=dose.strength_u,
        prescribed_gy=rx,
        target=target,
        gtv=volume_dose(gtv, rx),
        organs=records,
        dvh=tuple(_curve(s, rx) for s in (treated, gtv, *hot)),
        goals=goal_results(prescription, target, records),
        points=_points(dosimetry, treated, gtv, organs),
        bed=_bed(prescription, dose, treated, organs, scene),
    )


def _organs(dosimetry: Dosimetry, scene: Scene) -> list[Sampled]:
    """The samples of every organ, in the scene's order."""
    structures = scene.of_role(*REPORTED_ROLES)
    found: list[Sampled | None] = [None] * len(structures)

    def run(first: int, last: int) -> None:
        for n in range(first, last):
            found[n] = dosimetry.of(structures[n].name, structures[n].mask, ORGAN_STEP_MM)

    spread(run, len(structures))
    return [organ for organ in found if organ is not None]


def goal_results(
    prescription: Prescription, target: VolumeDose | TargetDose, organs: Sequence[OrganDose]
) -> tuple[GoalResult, ...]:
    """Every goal, and whether it is met."""
    goals = prescription.goals
    results = [
        _goal("PTV", "d90_gy", True, prescription.d90_goal_gy, target.d90_gy),
        _goal("PTV", "v100_percent", True, goals.v100_percent, target.v100_percent),
        _goal("PTV", "v150_percent", False, goals.v150_percent, target.v150_percent),
        _goal("PTV", "v200_percent", False, goals.v200_percent, target.v200_percent),
    ]
    by_name = {o.structure: o for o in organs}
    for name, asked in sorted(prescription.organ_goals.items()):
        for field in GOAL_VOLUMES_CC:
            wanted = getattr(asked, field)
            if wanted is not None:
                results.append(_goal(name, field, False, wanted, goal_dose_gy(by_name[name], field)))
    return tuple(results)


def _goal(structure: str, name: str, at_least: bool, wanted: float, reached: float) -> GoalResult:
    met = reached >= wanted if at_least else reached <= wanted
    return GoalResult(structure, name, at_least, float(wanted), float(reached), bool(met))


def organ_dose(organ: Sampled) -> OrganDose:
    """The least dose in an organ's hottest parts."""
    dv = organ.volumes
    highest = highest_outside_gy(dv)

    def hottest(cc: float) -> float | None:
        dose = dose_to_hottest_cc(dv, cc)
        return None if dose is None else reported(dose, highest).gy

    return OrganDose(organ.name, dv.volume_mm3 / MM3_PER_CC, hottest(0.1), hottest(1.0), hottest(2.0))


def _curve(samples: Sampled, prescribed_gy: float) -> DvhCurve:
    dv = samples.volumes
    levels = tuple(prescribed_gy * percent / 100.0 for percent in LEVELS_PERCENT)
    return DvhCurve(samples.name, levels, tuple(volume_percent_at(dv, level) for level in levels))


def _points(
    dosimetry: Dosimetry, ptv: Sampled, gtv: Sampled, organs: Sequence[Sampled]
) -> tuple[PointDose, ...]:
    """The coldest sample of PTV and GTV, and the hottest of the organs that get most."""
    named = [(f"coldest sample of the {s.name}", s, int(s.doses_gy.argmin())) for s in (ptv, gtv)]
    hottest = []
    for organ in organs:
        outside = np.where(np.isfinite(organ.doses_gy), organ.doses_gy, -np.inf)
        row = int(outside.argmax())
        hottest.append((-float(outside[row]), organ.name, organ, row))
    for _, name, organ, row in sorted(hottest, key=lambda h: h[:2])[:HOT_POINTS]:
        named.append((f"hottest sample of {name}", organ, row))
    found = []
    for name, samples, row in named:
        place = samples.points.points_P[row]
        position = (float(place[0]), float(place[1]), float(place[2]))
        found.append(PointDose(name, position, float(dosimetry.at(place[None])[0])))
    return tuple(found)


def _solids(scene: Scene) -> frozenset[str]:
    """Organs that most of the target lies in."""
    return frozenset(s.name for s in scene.of_role(*REPORTED_ROLES) if holds_most(s.mask, scene.target))


def _bed(
    prescription: Prescription,
    dose: SeedDose,
    ptv: Sampled,
    organs: Sequence[Sampled],
    scene: Scene,
) -> BedReport:
    asked, prior = prescription.bed, prescription.prior_external
    solids = _solids(scene)
    repair_days = asked.repair_half_time_h / HOURS_PER_DAY
    acute, late = (
        Tissue(asked.alpha_beta_target_gy, repair_days),
        Tissue(asked.alpha_beta_organ_gy, repair_days),
    )
    before = () if prior is None else (ExternalBeam(prior.dose_gy, prior.fractions, prior.interval_days),)
    half_life = dose.source.half_life_d
    finite = np.minimum(ptv.doses_gy, highest_outside_gy(ptv.volumes))
    bed = dose_volume(summed_bed_gy(finite, half_life, acute, before), ptv.points.weights_mm3)
    d90 = dose_covering_percent(bed, 90.0)
    compared = organ_limits.compare_all(
        [
            organ_limits.OrganDose(
                o.name, o.doses_gy, o.points.weights_mm3, o.name in solids, o.name in scene.too_small
            )
            for o in organs
        ],
        organ_limits.Radiobiology(half_life, late, before),
        protocols=[protocol_named(name) for name in asked.protocols],
    )
    return BedReport(
        external_target_gy=fsum(external_bed_gy(beam, acute) for beam in before),
        external_organ_gy=fsum(external_bed_gy(beam, late) for beam in before),
        target_d90_gy=d90,
        target_d90_eqd2_gy=float(eqd2_gy(np.array(d90), acute)),
        limits=compared,
    )
