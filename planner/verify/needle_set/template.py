"""Claims on a bundle: all needles are parallel and pass through the holes of a template.

o   o   o        The direction of the rows is not stated. It follows from the two nearest needles, which are
o   o   o        a and b holes apart, with a^2 + b^2 = (distance / pitch)^2.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import isqrt

import numpy as np
from jaxtyping import Float

from planner.records.paths import Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.tolerances import LENGTH_MM, UNIT


def check_bundle(claims: Claims, needles: Sequence[Path], pitch_mm: float) -> None:
    """Planned needles are parallel, and their axes a whole number of holes apart. [mm]"""
    if len(needles) < 2:
        return
    directions = np.array([needle.direction for needle in needles])
    turned = float(np.abs(directions - directions[0]).max())
    claims.equal("the needles of a bundle are parallel", "needle set", 0.0, turned, UNIT)
    across = _across(np.array([needle.tip_mm for needle in needles]), directions[0])
    off = first_agreeing(_off_holes(across, pitch_mm), lambda most: most <= LENGTH_MM)
    claims.equal("needles stand in the template's holes", "needle set", 0.0, off, LENGTH_MM)


def _across(tips: Float[np.ndarray, "n 3"], along: Float[np.ndarray, "3"]) -> Float[np.ndarray, "n 2"]:
    """The tips, projected along the needles, relative to the first one. [mm]"""
    e1 = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    e1 /= np.linalg.norm(e1)
    return np.asarray((tips - tips[0]) @ np.stack([e1, np.cross(along, e1)], axis=1))


def _off_holes(across: Float[np.ndarray, "n 2"], pitch_mm: float) -> Iterator[float]:
    """The largest distance of a needle from its hole, for each possible direction of the rows. [mm]"""
    pairs = [b - a for a, b in combinations(across, 2)]
    step = min(pairs, key=lambda v: float(v @ v))
    yield np.inf
    holes2 = round(float(step @ step) / pitch_mm**2)
    for a in range(isqrt(holes2) + 1):
        b = isqrt(holes2 - a * a)
        if a * a + b * b == holes2 > 0:
            # The row's direction e with a e + b (e turned by 90 degrees) = step.
            row = np.array([a * step[0] + b * step[1], a * step[1] - b * step[0]])
            row /= np.linalg.norm(row)
            in_holes = across @ np.stack([row, [-row[1], row[0]]], axis=1) / pitch_mm
            yield float(np.abs(in_holes - np.rint(in_holes)).max()) * pitch_mm
