"""Given seeds: those that are in the body already, and what cannot be true of them.

They are where they were found, so little is refused: what lies in another frame, outside the body, or in
another seed. Two that lie nearer than their length may be one that was found twice: that is said.
"""

from collections.abc import Sequence

import numpy as np

from anatomy.scene import Scene
from planner.dose.indices import inside
from planner.request import GivenSeed, RequestError
from planner.sources.source import SEED_DIAMETER_MM

LIKELY_SPAN_MM = 300.0
"""Seeds lie within this of the target; farther, they were found in another frame [U]."""


def refuse_impossible(scene: Scene, seeds: Sequence[GivenSeed], field: str) -> None:
    """Raise RequestError for the first seed of a `field` that cannot be where it is said to be."""
    centres = np.array([s.position_mm for s in seeds], float).reshape(-1, 3)
    target = scene.target
    middle = scene.grid.to_patient(
        0.5 * (np.array(target.lower) + np.array(target.upper) - 1) * scene.grid.spacing_mm
    )
    for n, centre in enumerate(centres):
        where = f"{field}/{n}/position_mm"
        if float(np.linalg.norm(centre - middle)) > LIKELY_SPAN_MM:
            raise RequestError(
                where,
                f"it lies over {LIKELY_SPAN_MM:g} mm from the target",
                "Give LPS mm in the plan's frame: register the CT after the implant to it first.",
            )
        if not inside(scene.body, scene.grid, centre[None])[0]:
            raise RequestError(where, "it lies outside the body", "Check the frame, or leave it out.")
        apart = np.linalg.norm(centres[:n] - centre, axis=1)
        if n and apart.min() < SEED_DIAMETER_MM:
            raise RequestError(
                where,
                f"it lies {apart.min():.2f} mm from seed {apart.argmin()}, nearer than a seed is thick",
                "Name each seed once.",
            )


def beside(known: Sequence[GivenSeed], more: Sequence[GivenSeed]) -> tuple[GivenSeed, ...]:
    """All seeds, each once: of `more` those that are not among the known ones already."""
    centres = np.array([s.position_mm for s in known], float).reshape(-1, 3)
    fresh = [
        s
        for s in more
        if not (np.linalg.norm(centres - np.array(s.position_mm), axis=1) < SEED_DIAMETER_MM).any()
    ]
    return (*known, *fresh)
