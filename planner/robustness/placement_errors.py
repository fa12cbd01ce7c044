r"""Errors of placement: how far needles go wrong, by what guides them, and needles drawn so.

                 entry error, any way across the axis
    skin  ------o---E'---------------------
                |    \                           planned axis E T, displaced axis E' T'
                |     \  depth error along it: what was at depth s comes to s + error on E' T'
                T      T'
                 tip error, any way across the axis

Papers give the mean and SD of a magnitude. It is taken to be Weibull with just that mean and SD [U]. That
family holds the isotropic normal error (shape 2, SD 0.52 of the mean: near what templates show at the
entry), and its quantile is one line, so that each sample takes six uniform numbers. The way across the axis
is uniform; depth errors are as often too deep as not deep enough [U]. Entry, tip and depth are independent
[U]: for templates and needles of 100 to 120 mm that makes angles of 3.2 +- 1.8 to 2.7 +- 1.5 deg [C], where
the same paper measured 2.8 +- 1.7 deg.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gamma
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from planner.records.request import Placement

ENTRY, ENTRY_WAY, TIP, TIP_WAY, DEPTH, DEPTH_SIGN = range(6)
"""What each uniform number of a sample decides."""

_NARROWEST, _WIDEST = 50.0, 0.5
"""Weibull shapes searched: SDs from 0.025 to 2.2 of the mean."""


@dataclass(frozen=True)
class Magnitude:
    """Mean and SD of the size of an error. Both above 0. [mm]"""

    mean_mm: float
    sd_mm: float


@dataclass(frozen=True)
class PlacementErrors:
    """How far a needle goes wrong: across its axis at entry and tip, and along it."""

    entry: Magnitude
    tip: Magnitude
    depth: Magnitude


ERRORS: Mapping[Placement, PlacementErrors] = MappingProxyType(
    {
        Placement.TEMPLATE: PlacementErrors(Magnitude(3.4, 1.7), Magnitude(4.4, 2.9), Magnitude(5.2, 4.8)),
        Placement.ROBOT: PlacementErrors(Magnitude(1.4, 0.7), Magnitude(1.4, 0.7), Magnitude(1.8, 0.9)),
        Placement.ELECTROMAGNETIC: PlacementErrors(
            Magnitude(5.0, 3.9), Magnitude(5.0, 3.9), Magnitude(5.2, 4.8)
        ),
    }
)
"""Errors by what guides the needle.

Template: 318 needles in 28 chests (10.1093/jrr/rrab068). Its tip error is less than its depth error, so it
is taken as across the axis.
Robot: 1.4 mm is the upper end of what robot guides state across the axis, 0.7 to 1.4 mm; SD half of that, as
in PMC9474375, a phantom (0.73 +- 0.50 to 0.93 +- 0.45 mm). At the entry as at the tip [U]. Depth from there
too, where distances in all and across are given: sqrt(2.04^2 - 0.93^2) = 1.8 mm [C]; SD half of that [U].
Electromagnetic: distance of planned and achieved line, median 4.1 mm, quartiles 2.7 and 9.1, in 60 patients
(10.1371/journal.pone.0173751): mean and SD are those of the Weibull distribution with that median and that
ratio of quartiles [C]. At the entry as at the tip [U]. Depth goes by the hand, as with a template [U].
"""


@dataclass(frozen=True, eq=False)
class DisplacedNeedle:
    """One needle, displaced k times: where it enters, its direction, how much deeper it goes. [mm, B]"""

    entry_B: Float[np.ndarray, "k 3"]
    direction_B: Float[np.ndarray, "k 3"]
    deeper_mm: Float[np.ndarray, " k"]

    def at(self, depth_mm: float) -> Float[np.ndarray, "k 3"]:
        """Where what was meant to lie at this depth from the entry comes to lie. [mm, B]"""
        depth = (depth_mm + self.deeper_mm)[:, None]
        return np.asarray(self.entry_B + depth * self.direction_B)

    def in_line(
        self, entry_B: Float[np.ndarray, "3"], direction_B: Float[np.ndarray, "3"]
    ) -> "DisplacedNeedle":
        """The same of a needle that is in already, on that line: its seeds go wrong along it alone, by the
        error of depth that was published for driving: none is known for drops by themselves [U]."""
        samples = len(self.deeper_mm)
        return DisplacedNeedle(
            np.tile(entry_B, (samples, 1)), np.tile(direction_B, (samples, 1)), self.deeper_mm
        )


def uniform_draws(random_seed: int, needle: int, samples: int) -> Float[np.ndarray, "k 6"]:
    """Uniform numbers in [0, 1) for one needle of that number, a row for each sample.

    Of a stream of its own: neither other needles nor more samples change them.
    """
    # Words of 32 bits may not be negative; the sign is a word of its own.
    words = (abs(random_seed), int(random_seed < 0), needle)
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    return generator.random((samples, 6))


def displaced_needle(
    errors: PlacementErrors,
    entry_B: Float[np.ndarray, "3"],
    direction_B: Float[np.ndarray, "3"],
    length_mm: float,
    draws: Float[np.ndarray, "k 6"],
) -> DisplacedNeedle:
    """The needle of that entry, unit direction and length, displaced once for each row of draws. [mm, B]

    The displaced axis runs through both displaced ends. The needle's length stays, so its tip lies some
    0.2 mm short of the second. An error that would draw the tip out of the skin leaves it there.
    """
    u, v = _across(direction_B)
    ends = []
    for size, way, magnitude in ((ENTRY, ENTRY_WAY, errors.entry), (TIP, TIP_WAY, errors.tip)):
        angle = 2.0 * np.pi * draws[:, way]
        sideways = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
        ends.append(quantile_mm(magnitude, draws[:, size])[:, None] * sideways)
    towards = length_mm * direction_B + ends[1] - ends[0]
    sign = np.where(draws[:, DEPTH_SIGN] < 0.5, -1.0, 1.0)
    return DisplacedNeedle(
        entry_B + ends[0],
        towards / np.linalg.norm(towards, axis=1, keepdims=True),
        np.maximum(sign * quantile_mm(errors.depth, draws[:, DEPTH]), -length_mm),
    )


def quantile_mm(magnitude: Magnitude, share: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """The size that this share of errors stays below, 0 <= share < 1. [mm]"""
    shape = _weibull_shape(magnitude.sd_mm / magnitude.mean_mm)
    scale = magnitude.mean_mm / gamma(1.0 + 1.0 / shape)
    return np.asarray(scale * (-np.log1p(-share)) ** (1.0 / shape))


def _weibull_shape(variation: float) -> float:
    """The Weibull shape whose SD is `variation` times its mean: SD^2 / mean^2 = G(1 + 2/k) / G(1 + 1/k)^2 - 1
    falls as k grows, so halving finds it."""
    low, high = _WIDEST, _NARROWEST
    while high - low > 1e-12 * high:
        k = 0.5 * (low + high)
        wider = gamma(1.0 + 2.0 / k) / gamma(1.0 + 1.0 / k) ** 2 - 1.0 > variation**2
        low, high = (k, high) if wider else (low, k)
    return low


def _across(direction: Float[np.ndarray, "3"]) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Two unit vectors that are at right angles to the direction and to each other.

    Made in B, so that they turn with the patient. They change over where the first axis' share is 0.9, which
    rounding decides for no needle that runs along an axis or in a plane of the grid.
    """
    first = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = np.cross(direction, first)
    u /= np.linalg.norm(u)
    return u, np.cross(direction, u)
