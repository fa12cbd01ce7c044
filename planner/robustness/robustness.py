"""Robustness: every needle displaced many times, the structures it then touches, and the resulting dose."""

from collections.abc import Sequence

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.dose.tg43.seed_dose import SeedDose
from planner.measuring.clearance import Obstacles
from planner.records.paths import Aim, Path
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.request.robustness import RobustnessRequest
from planner.records.robustness import NeedleRisk, Robustness, Touch
from planner.robustness.dose_spread import PtvDoseSamples, dose_samples, percentiles_of
from planner.robustness.placement_errors import (
    ERRORS,
    DisplacedNeedle,
    PlacementErrors,
    displaced_needle,
    uniform_draws,
)
from planner.robustness.tolerance import tolerance_deg
from planner.robustness.touched import touched_structures

DOSE_SAMPLES = 60
"""Dose is computed only in the first samples, at most this many [U], because it takes the most time. With 60
samples the 5th percentile lies between the third and the fourth smallest."""


def robustness(
    scene: Scene,
    needles: tuple[Path, ...],
    extra_seeds: tuple[GivenSeed, ...],
    ptv: VoxelMask,
    dose: SeedDose,
    *,
    sampling: RobustnessRequest,
    prescription: Prescription | None,
    needle_radius_mm: float,
    random_seed: int,
) -> Robustness | None:
    """The effect of errors published for `sampling.placement` on these needles and on the PTV's dose.

    Given needles are already in place: their seeds have errors only in depth. `extra_seeds` stay in place.
    The share of goals met is that of the samples in which D90 and V100 reach their goals. A needle's random
    numbers depend only on `random_seed` and on its index in `needles`. None if no sample is requested or no
    dose is prescribed.
    """
    if sampling.samples == 0 or prescription is None:
        return None
    displaced = [
        _displaced(
            scene.grid,
            ERRORS[sampling.placement],
            needle,
            uniform_draws(random_seed, number, sampling.samples),
        )
        for number, needle in enumerate(needles)
    ]
    doses = _dose(scene.grid, prescription, sampling.samples, needles, displaced, extra_seeds, ptv, dose)
    met = (doses.d90_gy >= prescription.d90_goal_gy) & (doses.v100_percent >= prescription.goals.v100_percent)
    return Robustness(
        placement=str(sampling.placement),
        samples=sampling.samples,
        dose_samples=len(doses.d90_gy),
        needles=_risks(scene, needle_radius_mm, needles, displaced),
        d90_gy=percentiles_of(doses.d90_gy),
        v100_percent=percentiles_of(doses.v100_percent),
        goals_met_share=float(met.mean()),
    )


def _displaced(grid: Grid, errors: PlacementErrors, needle: Path, draws: np.ndarray) -> DisplacedNeedle:
    entry_B = grid.to_box(np.array(needle.entry_mm))
    direction_B = grid.vectors_to_box(np.array(needle.direction))
    displaced = displaced_needle(errors, entry_B, direction_B, needle.length_mm, draws)
    return displaced.in_line(entry_B, direction_B) if needle.aim is Aim.GIVEN else displaced


def _risks(
    scene: Scene, radius_mm: float, needles: Sequence[Path], displaced: Sequence[DisplacedNeedle]
) -> tuple[NeedleRisk, ...]:
    """Each needle's tolerance, and its probability to touch each forbidden structure between tip and
    entry."""
    forbidden = scene.of_role(Role.FORBIDDEN)
    obstacles = Obstacles(forbidden, scene.grid)
    risks = []
    touches = _touches(forbidden, scene.grid, radius_mm, needles, displaced)
    for needle, touched_by in zip(needles, touches, strict=True):
        entry_B, tip_B = (scene.grid.to_box(np.array(p)) for p in (needle.entry_mm, needle.tip_mm))
        tolerance = tolerance_deg(obstacles, entry_B, tip_B, radius_mm)
        risks.append(NeedleRisk(needle.id, tolerance, touched_by))
    return tuple(risks)


def _touches(
    forbidden: Sequence[Structure],
    grid: Grid,
    radius_mm: float,
    needles: Sequence[Path],
    displaced: Sequence[DisplacedNeedle],
) -> list[tuple[Touch, ...]]:
    """For each needle the structures that at least one sample touches, the most likely first, then by
    name."""
    if not needles:
        return []
    entries_B = np.concatenate([d.entry_B for d in displaced])
    tips_B = np.concatenate([d.at(n.length_mm) for n, d in zip(needles, displaced, strict=True)])
    touched = touched_structures(forbidden, grid, entries_B, tips_B, radius_mm)
    samples = len(entries_B) // len(needles)
    chances = touched.by.reshape(len(needles), samples, len(touched.names)).mean(axis=1)
    # What a needle already in place touches is not random: the claims of the needle set state it.
    return [
        () if needle.aim is Aim.GIVEN else _by_chance(touched.names, row)
        for needle, row in zip(needles, chances.tolist(), strict=True)
    ]


def _by_chance(names: Sequence[str], chances: Sequence[float]) -> tuple[Touch, ...]:
    some = [Touch(name, chance) for name, chance in zip(names, chances, strict=True) if chance > 0.0]
    return tuple(sorted(some, key=lambda t: (-t.chance, t.structure)))


def _dose(
    grid: Grid,
    prescription: Prescription,
    samples: int,
    needles: Sequence[Path],
    displaced: Sequence[DisplacedNeedle],
    given_seeds: Sequence[GivenSeed],
    ptv: VoxelMask,
    dose: SeedDose,
) -> PtvDoseSamples:
    """The dose in the first samples, with all needles displaced at once."""
    count = min(samples, DOSE_SAMPLES)
    carried = [(seed, d) for needle, d in zip(needles, displaced, strict=True) for seed in needle.seeds]
    centres_B, axes_B = np.empty((count, len(carried), 3)), np.empty((count, len(carried), 3))
    for n, (seed, d) in enumerate(carried):
        centres_B[:, n] = d.at(seed.depth_mm)[:count]
        axes_B[:, n] = d.direction_B[:count]
    return dose_samples(grid, ptv, dose, prescription.dose_gy, centres_B, axes_B, given_seeds)
