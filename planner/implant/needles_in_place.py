"""Needles in place: needles and seeds that are in the body already, and which of them are impossible.

They are where they were measured, so only the impossible is refused: a seed that must be in another frame, a
seed outside the body or inside another seed, a needle that does not lead in through the skin. Two seeds
nearer than their length may be one seed that was found twice, and a needle may be too near to an organ: the
plan says so, and keeps them.
"""

from collections.abc import Sequence

import numpy as np

from anatomy.errors import RequestPath
from anatomy.geometry.points_in_mask import points_inside
from anatomy.scene import Scene
from planner.errors import RequestError
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.request import Request

LIKELY_SPAN_MM = 300.0
"""Seeds lie within this distance of the target. A seed that is farther away was found in another frame
[U]."""


def refuse_impossible_seeds(
    scene: Scene, seeds: Sequence[GivenSeed], seed_diameter_mm: float, field: RequestPath
) -> None:
    """Raise RequestError for the first seed of a `field` whose stated position is impossible."""
    centres = np.array([s.position_mm for s in seeds], float).reshape(-1, 3)
    target = scene.target
    middle = scene.grid.to_patient(
        0.5 * (np.array(target.lower) + np.array(target.upper) - 1) * scene.grid.spacing_mm
    )
    for n, centre in enumerate(centres):
        where = (*field, n, "position_mm")
        if float(np.linalg.norm(centre - middle)) > LIKELY_SPAN_MM:
            raise RequestError(
                where,
                f"it lies over {LIKELY_SPAN_MM:g} mm from the target",
                "Give LPS mm in the plan's frame: register the CT after the implant to it first.",
            )
        if not points_inside(scene.body, scene.grid, centre[None])[0]:
            raise RequestError(where, "it lies outside the body", "Check the frame, or leave it out.")
        apart = np.linalg.norm(centres[:n] - centre, axis=1)
        if n and apart.min() < seed_diameter_mm:
            raise RequestError(
                where,
                f"it lies {apart.min():.2f} mm from seed {apart.argmin()}, nearer than a seed is thick",
                "Name each seed once.",
            )


def all_seeds(
    known: Sequence[GivenSeed], more: Sequence[GivenSeed], seed_diameter_mm: float
) -> tuple[GivenSeed, ...]:
    """All seeds, each once: the known ones, and those of `more` that are not among them. [mm]"""
    centres = np.array([s.position_mm for s in known], float).reshape(-1, 3)
    added = [
        s
        for s in more
        if not (np.linalg.norm(centres - np.array(s.position_mm), axis=1) < seed_diameter_mm).any()
    ]
    return (*known, *added)


def measured_given_needles(scene: Scene, request: Request) -> tuple[MeasuredPath, ...]:
    """The given needles of a request, by `measured_needles`."""
    return measured_needles(scene, request, request.needle_set.given_needles, ("needle_set", "given_needles"))


def measured_needles(
    scene: Scene, request: Request, needles: Sequence[GivenNeedle], field: RequestPath
) -> tuple[MeasuredPath, ...]:
    """The needles of a `field`, measured from their tips, in order.

    Raises RequestError if there are more than a set may have, and for the first needle that does not lead
    from its tip out through the skin.
    """
    most = request.needle_set.max_needles
    if len(needles) > most:
        raise RequestError(
            field, f"there are {len(needles)}, and max_needles is {most}", "Allow more, or give fewer."
        )
    measurer = Measurer(scene, request.needle_assembly)
    return tuple(_measured(measurer, needle, (*field, n)) for n, needle in enumerate(needles))


def _measured(measurer: Measurer, needle: GivenNeedle, where: RequestPath) -> MeasuredPath:
    tip, entry = np.array(needle.tip_mm, float), np.array(needle.entry_mm, float)
    if not float(np.linalg.norm(entry - tip)) > 0.0:
        raise RequestError(where, "entry and tip coincide", "Measure again.")
    measured = measurer.measure_from(tip, entry - tip)
    if measured is None:
        raise RequestError(
            where,
            "it does not lead from its tip out through the skin once, within the needle's length",
            "Check the frame (LPS, mm), which end is the tip, and needle.max_length_mm.",
        )
    return measured


def refuse_impossible(scene: Scene, request: Request) -> None:
    """Raise RequestError for the first given needle or seed that is impossible, and for any in a request
    without a prescription: the plan would not mention it."""
    settings = request.needle_set
    for field, objects in (("given_needles", settings.given_needles), ("given_seeds", settings.given_seeds)):
        if objects and request.prescription is None:
            raise RequestError(
                ("needle_set", field),
                "it is part of an implant, and none is prescribed",
                "Give a prescription, or leave it out.",
            )
    diameter_mm = request.seeds.source.seed_diameter_mm
    refuse_impossible_seeds(scene, settings.given_seeds, diameter_mm, ("needle_set", "given_seeds"))
    measured_given_needles(scene, request)
