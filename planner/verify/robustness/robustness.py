"""Claims on robustness: every needle is displaced again in every sample, and the dose of its seeds with it.

risk                  what each needle touches, and how far it may be turned
percentiles, shares   of D90 and V100, within the bounds that follow from those of each sample
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from planner.records.needle_set import PlacedSeed
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.robustness import Robustness, Spread
from planner.verify.claims import Claims
from planner.verify.dose.dvh import SampledDoses, points_in
from planner.verify.dose.seed_doses import SeedDoses, seed_doses
from planner.verify.dose.strength import seed_strength
from planner.verify.robustness.placement_errors import Misplaced, misplaced
from planner.verify.robustness.risk import check_tolerances, check_touches
from planner.verify.tolerances import DOSE, RATIO

SUBJECT = "robustness"
DOSE_SAMPLES = 60
"""Most samples for which a dose is computed."""
POINTS = 4_000
"""Points of the PTV in each sample, as many as a plan takes."""


def check_robustness(claims: Claims, plan: Plan, scene: Scene, ptv: VoxelMask) -> None:
    """All claims on robustness."""
    settings, prescription, stated = plan.request.robustness, plan.request.prescription, plan.robustness
    seeds_to_place = any(path.seeds for path in plan.paths if path.aim is not Aim.TARGET)
    requested = settings.samples > 0 and prescription is not None and seeds_to_place
    claimed, expected = ("stated" if present else "none" for present in (stated is not None, requested))
    claims.same("robustness where it is asked for", SUBJECT, claimed, expected)
    if stated is None or prescription is None or not requested:
        return
    samples = min(settings.samples, DOSE_SAMPLES)
    claims.same("placement", SUBJECT, stated.placement, str(settings.placement))
    claims.equal("samples", SUBJECT, float(stated.samples), float(settings.samples), 0.0)
    claims.equal("samples with a dose", SUBJECT, float(stated.dose_samples), float(samples), 0.0)
    needles = [path for path in plan.paths if path.aim is not Aim.TARGET]
    listed, present = (
        ", ".join(ids) for ids in ([n.path_id for n in stated.needles], [p.id for p in needles])
    )
    claims.same("needles with a risk", SUBJECT, listed, present)
    # Nothing else can be checked where the lists differ or a needle has no length.
    if listed != present or any(path.entry_mm == path.tip_mm for path in needles):
        return
    wrong = [_misplaced(plan, scene.grid, path, n) for n, path in enumerate(needles)]
    check_touches(claims, scene, plan.request.needle, stated.needles, needles, wrong)
    check_tolerances(claims, scene, plan.request.needle, stated.needles, needles)
    strength = seed_strength(plan.request.seeds)
    places = [_seeds(plan, scene.grid, needles, wrong, sample) for sample in range(samples)]
    seeds = [seed_doses(strength.source, strength.strength_u, placed) for placed in places]
    _check_dose(claims, prescription, stated, scene.grid, ptv, seeds)


def _misplaced(plan: Plan, grid: Grid, path: Path, number: int) -> Misplaced:
    entry_B, tip_B = (grid.to_box(np.array(p, float)) for p in (path.entry_mm, path.tip_mm))
    settings = plan.request.robustness
    seed, in_already = plan.request.random_seed, path.aim is Aim.GIVEN
    return misplaced(settings.placement, entry_B, tip_B, seed, number, settings.samples, in_already)


def _seeds(
    plan: Plan, grid: Grid, needles: Sequence[Path], wrong: Sequence[Misplaced], sample: int
) -> list[PlacedSeed]:
    """Where all seeds are in a sample: each at its depth plus its needle's depth error. Given seeds do not
    move."""
    placed = []
    for path, w in zip(needles, wrong, strict=True):
        axis = grid.vectors_to_patient(w.inward_B[sample])
        for seed in path.seeds:
            at = grid.to_patient(w.at(seed.depth_mm)[sample])
            placed.append(PlacedSeed(path.id, _point(at), _point(axis), seed.depth_mm, seed.retraction_mm))
    given_seeds = plan.request.needle_set.given_seeds
    return [*placed, *(PlacedSeed(None, s.position_mm, s.axis, None, None) for s in given_seeds)]


def _point(p: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    return float(p[0]), float(p[1]), float(p[2])


def _check_dose(
    claims: Claims,
    prescription: Prescription,
    stated: Robustness,
    grid: Grid,
    ptv: VoxelMask,
    samples: Sequence[SeedDoses],
) -> None:
    """D90 and V100 over the samples, and the share of samples in which both reach their goal."""
    points_P = points_in(ptv, grid, POINTS)
    volume = ptv.count * grid.voxel_volume_mm3
    doses = [SampledDoses(seeds.doses(points_P), volume) for seeds in samples]
    d90 = np.array([(r.least, r.value, r.most) for r in (d.covering_percent(90.0) for d in doses)])
    v100 = np.array([(r.least, r.value, r.most) for r in (d.percent_at(prescription.dose_gy) for d in doses)])
    d90 *= 1.0 + DOSE * np.array([-1.0, 0.0, 1.0])
    _check_spread(claims, "D90", stated.d90_gy, d90)
    _check_spread(claims, "V100", stated.v100_percent, v100)
    surely, _, maybe = (
        ((d90 >= prescription.d90_goal_gy) & (v100 >= prescription.goals.v100_percent)).mean(axis=0).tolist()
    )
    middle, off = 0.5 * (surely + maybe), 0.5 * (maybe - surely) + RATIO
    claims.equal("share of samples with D90 and V100", SUBJECT, stated.goals_met_share, middle, off)


def _check_spread(claims: Claims, name: str, stated: Spread, bounds: Float[np.ndarray, "k 3"]) -> None:
    """Percentiles over the samples. `bounds` are the least, recomputed and most value of each sample."""
    for word, share, claimed in (
        ("5th", 0.05, stated.p5),
        ("50th", 0.5, stated.p50),
        ("95th", 0.95, stated.p95),
    ):
        least, value, most = np.quantile(bounds, share, axis=0).tolist()
        off = (most - value if claimed > value else value - least) + RATIO * max(1.0, value)
        claims.equal(f"{word} percentile of {name}", SUBJECT, claimed, value, off)
