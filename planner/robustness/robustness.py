"""Robustness as a whole: every needle displaced many times, what it then touches, and what dose is left."""

from collections.abc import Sequence

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.dose.tg43.seed_dose import SeedDose
from planner.measuring.clearance import Obstacles
from planner.records.paths import Aim, Path
from planner.records.request import GivenSeed, Prescription, Request
from planner.records.robustness import NeedleRisk, Robustness, Touch
from planner.robustness.dose_spread import PtvDoseSamples, dose_samples, percentiles_of
from planner.robustness.placement_errors import ERRORS, DisplacedNeedle, displaced_needle, uniform_draws
from planner.robustness.tolerance import tolerance_deg
from planner.robustness.touched import touched_structures

DOSE_SAMPLES = 60
"""Dose is looked at in the first samples only, this many at the most [U]: it costs the most. Of 60 the 5th
percentile lies between the third and fourth least."""


def robustness(
    scene: Scene,
    request: Request,
    needles: tuple[Path, ...],
    extra_seeds: tuple[GivenSeed, ...],
    ptv: VoxelMask,
    dose: SeedDose,
) -> Robustness | None:
    """What errors published for `request.robustness.placement` do to these needles and the PTV's dose.

    Given needles are in already: their seeds go wrong in depth alone. `extra_seeds` stay in place. The share
    of goals met is of samples in which D90 and V100 reach theirs. A needle's draws depend on
    `request.random_seed` and its place among `needles` alone. None where no sample is asked for or no dose is
    prescribed.
    """
    asked, prescription = request.robustness, request.prescription
    if asked.samples == 0 or prescription is None:
        return None
    wrong = [
        _displaced(scene.grid, request, needle, uniform_draws(request.random_seed, number, asked.samples))
        for number, needle in enumerate(needles)
    ]
    doses = _dose(scene.grid, prescription, asked.samples, needles, wrong, extra_seeds, ptv, dose)
    met = (doses.d90_gy >= prescription.d90_goal_gy) & (doses.v100_percent >= prescription.goals.v100_percent)
    return Robustness(
        placement=str(asked.placement),
        samples=asked.samples,
        dose_samples=len(doses.d90_gy),
        needles=_risks(scene, request, needles, wrong),
        d90_gy=percentiles_of(doses.d90_gy),
        v100_percent=percentiles_of(doses.v100_percent),
        goals_met_share=float(met.mean()),
    )


def _displaced(grid: Grid, request: Request, needle: Path, draws: np.ndarray) -> DisplacedNeedle:
    entry_B = grid.to_box(np.array(needle.entry_mm))
    direction_B = grid.vectors_to_box(np.array(needle.direction))
    errors = ERRORS[request.robustness.placement]
    wrong = displaced_needle(errors, entry_B, direction_B, needle.length_mm, draws)
    return wrong.in_line(entry_B, direction_B) if needle.aim is Aim.GIVEN else wrong


def _risks(
    scene: Scene, request: Request, needles: Sequence[Path], wrong: Sequence[DisplacedNeedle]
) -> tuple[NeedleRisk, ...]:
    """Each needle's tolerance, and its chance to touch each forbidden structure between tip and entry."""
    forbidden = scene.of_role(Role.FORBIDDEN)
    obstacles = Obstacles(forbidden, scene.grid)
    risks = []
    touches = _touches(forbidden, scene.grid, request, needles, wrong)
    for needle, touched_by in zip(needles, touches, strict=True):
        entry_B, tip_B = (scene.grid.to_box(np.array(p)) for p in (needle.entry_mm, needle.tip_mm))
        tolerance = tolerance_deg(obstacles, entry_B, tip_B, request.needle.radius_mm)
        risks.append(NeedleRisk(needle.id, tolerance, touched_by))
    return tuple(risks)


def _touches(
    forbidden: Sequence[Structure],
    grid: Grid,
    request: Request,
    needles: Sequence[Path],
    wrong: Sequence[DisplacedNeedle],
) -> list[tuple[Touch, ...]]:
    """For each needle what at least one sample touches, the likeliest first, then by name."""
    if not needles:
        return []
    entries_B = np.concatenate([w.entry_B for w in wrong])
    tips_B = np.concatenate([w.at(n.length_mm) for n, w in zip(needles, wrong, strict=True)])
    found = touched_structures(forbidden, grid, entries_B, tips_B, request.needle.radius_mm)
    chances = found.by.reshape(len(needles), request.robustness.samples, len(found.names)).mean(axis=1)
    # What a needle touches that is in already is no matter of chance: the set's claims say it.
    return [
        () if needle.aim is Aim.GIVEN else _by_chance(found.names, row)
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
    wrong: Sequence[DisplacedNeedle],
    given: Sequence[GivenSeed],
    ptv: VoxelMask,
    dose: SeedDose,
) -> PtvDoseSamples:
    """The dose in the first samples, all needles displaced at once."""
    count = min(samples, DOSE_SAMPLES)
    carried = [(seed, w) for needle, w in zip(needles, wrong, strict=True) for seed in needle.seeds]
    centres_B, axes_B = np.empty((count, len(carried), 3)), np.empty((count, len(carried), 3))
    for n, (seed, w) in enumerate(carried):
        centres_B[:, n] = w.at(seed.depth_mm)[:count]
        axes_B[:, n] = w.direction_B[:count]
    return dose_samples(grid, ptv, dose, prescription.dose_gy, centres_B, axes_B, given)
