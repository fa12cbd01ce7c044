"""Dose report: the dose of seeds in target and organs, the goals that it meets, and its BED together with
that of earlier radiation. Dose to water in water, TG-43, until the seeds have decayed."""

from collections.abc import Sequence
from math import fsum

import numpy as np

from anatomy.geometry.masks import VoxelMask
from anatomy.runtime.parallel import parallel_for
from anatomy.scene import Scene
from planner.dose.bed import ExternalBeam, Tissue, eqd2_gy, external_bed_gy, summed_bed_gy
from planner.dose.dosimetry import ORGAN_STEP_MM, DoseSamples, Dosimetry, organ_dose, volume_dose
from planner.dose.dvh import (
    dose_covering_percent,
    dose_volume,
    highest_outside_gy,
    volume_percent_at,
)
from planner.dose.goals import goal_results
from planner.dose.holding_target import holds_most
from planner.dose.organ_limits import compare as organ_limits
from planner.dose.tg43.seed_dose import SeedDose
from planner.published_limits.tables import protocol_named
from planner.records.dose import (
    MEDIUM,
    BedReport,
    DoseReport,
    DvhCurve,
    PointDose,
    PointKind,
)
from planner.records.organ_goals import REPORTED_ROLES
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.wording.dose_points import point_name
from planner.sources.source import HOURS_PER_DAY

LEVELS_PERCENT = tuple(range(0, 305, 5))
"""Levels of histograms, in percent of the prescription [U]."""
SHOWN_PART = 0.2
"""Organs whose D0.1cc is below this part of the prescription have no histogram [U]."""
HOT_POINTS = 5
"""Number of organs whose hottest point is named [U]."""


def dose_report(
    scene: Scene,
    prescription: Prescription,
    ptv: VoxelMask,
    dose: SeedDose,
    seeds: Sequence[GivenSeed],
) -> DoseReport:
    """The dose of seeds, compared with the prescription. Raises RequestError for an unknown protocol."""
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


def _organs(dosimetry: Dosimetry, scene: Scene) -> list[DoseSamples]:
    """The samples of every organ, in the scene's order."""
    structures = scene.of_role(*REPORTED_ROLES)
    samples: list[DoseSamples | None] = [None] * len(structures)

    def run(first: int, last: int) -> None:
        for n in range(first, last):
            samples[n] = dosimetry.of(structures[n].name, structures[n].mask, ORGAN_STEP_MM)

    parallel_for(run, len(structures))
    return [organ for organ in samples if organ is not None]


def _curve(samples: DoseSamples, prescribed_gy: float) -> DvhCurve:
    dv = samples.volumes
    levels = tuple(prescribed_gy * percent / 100.0 for percent in LEVELS_PERCENT)
    return DvhCurve(samples.name, levels, tuple(volume_percent_at(dv, level) for level in levels))


def _points(
    dosimetry: Dosimetry, ptv: DoseSamples, gtv: DoseSamples, organs: Sequence[DoseSamples]
) -> tuple[PointDose, ...]:
    """The coldest sample of PTV and GTV, and the hottest of the organs that get most."""
    samples_and_rows = [(PointKind.COLDEST, s, int(s.doses_gy.argmin())) for s in (ptv, gtv)]
    hottest = []
    for organ in organs:
        outside = np.where(np.isfinite(organ.doses_gy), organ.doses_gy, -np.inf)
        row = int(outside.argmax())
        hottest.append((-float(outside[row]), organ.name, organ, row))
    for _, _, organ, row in sorted(hottest, key=lambda h: h[:2])[:HOT_POINTS]:
        samples_and_rows.append((PointKind.HOTTEST, organ, row))
    points = []
    for kind, samples, row in samples_and_rows:
        place = samples.points.points_P[row]
        position = (float(place[0]), float(place[1]), float(place[2]))
        dose_gy, name = float(dosimetry.at(place[None])[0]), point_name(kind, samples.name)
        points.append(PointDose(kind, samples.name, name, position, dose_gy))
    return tuple(points)


def _solids(scene: Scene) -> frozenset[str]:
    """Organs that contain most of the target."""
    return frozenset(s.name for s in scene.of_role(*REPORTED_ROLES) if holds_most(s.mask, scene.target))


def _bed(
    prescription: Prescription,
    dose: SeedDose,
    ptv: DoseSamples,
    organs: Sequence[DoseSamples],
    scene: Scene,
) -> BedReport:
    model, prior = prescription.bed, prescription.prior_external
    solids = _solids(scene)
    repair_days = model.repair_half_time_h / HOURS_PER_DAY
    acute, late = (
        Tissue(model.alpha_beta_target_gy, repair_days),
        Tissue(model.alpha_beta_organ_gy, repair_days),
    )
    before = () if prior is None else (ExternalBeam(prior.dose_gy, prior.fractions, prior.interval_days),)
    half_life = dose.source.half_life_d
    finite = np.minimum(ptv.doses_gy, highest_outside_gy(ptv.volumes))
    bed = dose_volume(summed_bed_gy(finite, half_life, acute, before), ptv.points.weights_mm3)
    d90 = dose_covering_percent(bed, 90.0)
    compared = organ_limits.compare_all(
        [
            organ_limits.OrganSamples(
                o.name, o.doses_gy, o.points.weights_mm3, o.name in solids, o.name in scene.too_small
            )
            for o in organs
        ],
        organ_limits.Radiobiology(half_life, late, before),
        protocols=[protocol_named(name) for name in model.protocols],
    )
    return BedReport(
        external_target_gy=fsum(external_bed_gy(beam, acute) for beam in before),
        external_organ_gy=fsum(external_bed_gy(beam, late) for beam in before),
        target_d90_gy=d90,
        target_d90_eqd2_gy=float(eqd2_gy(np.array(d90), acute)),
        limits=compared,
    )
