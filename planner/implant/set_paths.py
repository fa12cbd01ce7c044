"""Paths of a set: its needles as the plan states them, each with its seeds."""

from collections.abc import Sequence

import numpy as np

from anatomy.scene import Scene
from planner.implant.chosen_set import ChosenSet
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath, to_path
from planner.paths.approach_names import approach_of
from planner.paths.ranking import ranked
from planner.records.paths import Aim, Path, SeedDrop
from planner.records.request.request import Request


def paths_of_set(
    scene: Scene, request: Request, given_paths: Sequence[MeasuredPath], chosen: ChosenSet
) -> tuple[Path, ...]:
    """The needles that carry seeds, and the given ones, in rank order: N1, N2 ... Ranks start at 1."""
    measurer = Measurer(scene, request.needle_assembly)
    drops: dict[MeasuredPath, tuple[SeedDrop, ...]] = {}
    aims: dict[MeasuredPath, Aim] = {}
    for place, row in enumerate(chosen.rows.tolist()):
        s = np.sort(chosen.seeds.from_tip_mm[chosen.seeds.track == place])
        if row < len(given_paths):
            measured = given_paths[row]
        elif len(s):
            tip_P = scene.grid.to_patient(chosen.pool.tip_B[row])
            outward_P = scene.grid.vectors_to_patient(chosen.pool.outward_B[row])
            measured = measurer.measure_to(tip_P, outward_P, float(chosen.pool.length_mm[row]))
        else:
            continue
        drops[measured] = _drops(measured, s.tolist())
        aims[measured] = Aim.GIVEN if row < len(given_paths) else Aim.PTV
    return tuple(
        to_path(
            m,
            id=f"N{n}",
            rank=n,
            window="",
            approach=approach_of(scene, m),
            pareto=False,
            seeds=drops[m],
            aim=aims[m],
        )
        for n, m in enumerate(ranked(list(drops), request.path_order), start=1)
    )


def _drops(measured: MeasuredPath, from_tip_mm: list[float]) -> tuple[SeedDrop, ...]:
    """The seeds at these distances from the tip, distal first."""
    drops = []
    before = from_tip_mm[0] if from_tip_mm else 0.0
    for s in from_tip_mm:
        depth = measured.length_mm - s
        place_P = measured.entry_P + depth * measured.direction_P
        position = (float(place_P[0]) + 0.0, float(place_P[1]) + 0.0, float(place_P[2]) + 0.0)
        drops.append(SeedDrop(position, measured.direction, depth, s - before))
        before = s
    return tuple(drops)
