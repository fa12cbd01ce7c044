"""Marks of the implant on a slice: needles and seeds where they lie within NEAR_MM of it."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Patch, Polygon

from planner.records.plan import Plan
from service.pictures.oblique_slice import Slice
from service.pictures.palette import NEEDLE, SEED

NEAR_MM = 2.5
"""What lies this close to a slice is drawn on it: half a slice of 5 mm."""


def near_part(
    plane: Slice, from_P: Float[np.ndarray, "3"], to_P: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "2 2"] | None:
    """Where on the page the part of a segment lies that is within NEAR_MM of the slice; None without one."""
    a, b = plane.off_page_mm(from_P), plane.off_page_mm(to_P)
    first, last = 0.0, 1.0
    if a == b:
        if abs(a) > NEAR_MM:
            return None
    else:
        ends = sorted(((-NEAR_MM - a) / (b - a), (NEAR_MM - a) / (b - a)))
        first, last = max(first, ends[0]), min(last, ends[1])
        if first > last:
            return None
    along = to_P - from_P
    return plane.on_page(np.stack([from_P + first * along, from_P + last * along]))


def draw_needles(axes: Axes, plane: Slice, plan: Plan) -> None:
    """The needles of the set, as far as they are near the slice."""
    needle_ids = () if plan.needle_set is None else plan.needle_set.path_ids
    for path in plan.paths:
        part = (
            near_part(plane, np.array(path.entry_mm), np.array(path.tip_mm))
            if path.id in needle_ids
            else None
        )
        if part is not None:
            for colour, width in (("black", 2.6), (NEEDLE, 1.8)):
                axes.plot(*part.T, color=colour, linewidth=width, solid_capstyle="round", zorder=5)


def draw_seeds(axes: Axes, plane: Slice, plan: Plan) -> None:
    """Seeds whose centre is near the slice, in true size: as a disc where seen end on, or without an axis."""
    source = plan.request.seeds.source
    length_mm, diameter_mm = source.seed_length_mm, source.seed_diameter_mm
    for seed in () if plan.needle_set is None else plan.needle_set.seeds:
        centre_P = np.array(seed.position_mm)
        if abs(plane.off_page_mm(centre_P)) > NEAR_MM:
            continue
        half_P = 0.5 * length_mm * np.array(seed.axis or (0.0, 0.0, 0.0))
        a, b = plane.on_page(np.stack([centre_P - half_P, centre_P + half_P]))
        length = float(np.linalg.norm(b - a))
        shape: Patch
        if length < diameter_mm:
            x, y = (a + b) / 2
            shape = Circle((float(x), float(y)), diameter_mm)
        else:
            along = (b - a) / length
            side = 0.5 * diameter_mm * np.array([-along[1], along[0]])
            shape = Polygon(np.stack([a + side, b + side, b - side, a - side]), closed=True)
        shape.set(facecolor=SEED, edgecolor="white", linewidth=0.4, zorder=6)
        axes.add_patch(shape)
