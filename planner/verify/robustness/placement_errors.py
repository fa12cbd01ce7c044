r"""Placement errors, drawn again: where each needle of a plan is in each of its samples.

    magnitude = scale (-ln(1 - u))^(1 / shape)       Weibull, with the published mean and SD

A sample of a needle takes six uniform numbers u from PCG64, seeded by (|random_seed|, random_seed < 0, number
of the needle): size and direction of the error at the entry, the same at the tip, size of the depth error,
and its sign. A direction is an angle about the needle's axis, measured from the vector perpendicular to this
axis and to the grid's first axis (or to its second, if the needle is within 26 degrees of the first). The
displaced needle runs through both displaced ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma, log
from types import MappingProxyType

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from planner.records.request.robustness import Placement

MEAN_AND_SD_MM: Mapping[Placement, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        Placement.TEMPLATE: ((3.4, 1.7), (4.4, 2.9), (5.2, 4.8)),
        Placement.ROBOT: ((1.4, 0.7), (1.4, 0.7), (1.8, 0.9)),
        Placement.ELECTROMAGNETIC: ((5.0, 3.9), (5.0, 3.9), (5.2, 4.8)),
    }
)
"""Mean and SD at the entry, at the tip, and in depth: templates 10.1093/jrr/rrab068; robots PMC9474375;
electromagnetic guidance 10.1371/journal.pone.0173751. How these were read from the papers:
planner.robustness.placement_errors."""

ALONG_FIRST = 0.9
"""From this component along the grid's first axis on, angles are measured from the second axis."""


@dataclass(frozen=True, eq=False)
class Misplaced:
    """One needle in each of k samples, in B: its entry, its unit direction, and how much deeper it goes."""

    entry_B: Float[np.ndarray, "k 3"]
    inward_B: Float[np.ndarray, "k 3"]
    deeper_mm: Float[np.ndarray, " k"]

    def at(self, depth_mm: float) -> Float[np.ndarray, "k 3"]:
        """Where a point that was planned at this depth from the entry comes to lie, in B. [mm]"""
        return np.asarray(self.entry_B + (self.deeper_mm + depth_mm)[:, None] * self.inward_B)


def misplaced(
    placement: Placement,
    entry_B: Float[np.ndarray, "3"],
    tip_B: Float[np.ndarray, "3"],
    random_seed: int,
    number: int,
    samples: int,
    in_already: bool = False,
) -> Misplaced:
    """A needle in every sample. [mm] `number` is its index in the set. A needle that is in already has only
    the error of depth of its seeds."""
    stream = np.random.SeedSequence([abs(random_seed), 1 if random_seed < 0 else 0, number])
    u = np.random.Generator(np.random.PCG64(stream)).random((samples, 6))
    length = float(np.linalg.norm(tip_B - entry_B))
    inward = (tip_B - entry_B) / length
    at_entry, at_tip, in_depth = MEAN_AND_SD_MM[placement]
    across = _across_axes(inward)
    entry = entry_B + _lateral(at_entry, u[:, 0], u[:, 1], across)
    tip = tip_B + _lateral(at_tip, u[:, 2], u[:, 3], across)
    deeper = _sizes(in_depth, u[:, 4]) * np.where(u[:, 5] < 0.5, -1.0, 1.0)
    if in_already:
        entry, tip = np.tile(entry_B, (samples, 1)), np.tile(tip_B, (samples, 1))
    line = tip - entry
    return Misplaced(entry, line / np.linalg.norm(line, axis=1)[:, None], np.maximum(deeper, -length))


def _across_axes(inward: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 3"]:
    """Unit vectors at 0 and 90 degrees about the needle's axis."""
    other = np.eye(3)[0 if abs(inward[0]) < ALONG_FIRST else 1]
    first = np.cross(inward, other)
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(inward, first)])


def _lateral(
    mean_and_sd_mm: tuple[float, float], size: np.ndarray, direction: np.ndarray, across: np.ndarray
) -> Float[np.ndarray, "k 3"]:
    """Lateral displacements, from uniform numbers for size and direction. [mm]"""
    turn = 2.0 * np.pi * direction
    return np.asarray(
        _sizes(mean_and_sd_mm, size)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1) @ across
    )


def _sizes(mean_and_sd_mm: tuple[float, float], u: np.ndarray) -> Float[np.ndarray, " k"]:
    """Weibull quantiles: with m(n) = Gamma(1 + n / shape), SD^2 / mean^2 = m(2) / m(1)^2 - 1."""
    mean, sd = mean_and_sd_mm
    ratio = log(1.0 + (sd / mean) ** 2)
    inverse = brentq(lambda k: lgamma(1.0 + 2.0 * k) - 2.0 * lgamma(1.0 + k) - ratio, 0.02, 2.0, xtol=1e-14)
    scale = mean / float(np.exp(lgamma(1.0 + inverse)))
    return np.asarray(scale * (-np.log1p(-u)) ** inverse)
