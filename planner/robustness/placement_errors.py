r"""Placement errors: their published sizes by guidance method, and randomly displaced needles.

                 entry error, in a random direction across the axis
    skin  ------o---E'---------------------
                |    \                           planned axis E T, displaced axis E' T'
                |     \  depth error along it: a point at depth s moves to s + error on E' T'
                T      T'
                 tip error, in a random direction across the axis

Papers give the mean and SD of an error's magnitude. The magnitude is modelled as a Weibull distribution with
this mean and SD [U]. The family includes the isotropic normal error (shape 2, SD 0.52 of the mean: close to
the entry errors of templates), and its quantile function is one line, so that each sample needs six uniform
numbers. The direction across the axis is uniform; depth errors are as often too deep as not deep enough [U].
Entry, tip and depth are independent [U]: for templates and needles of 100 to 120 mm this gives angles of 3.2
+- 1.8 to 2.7 +- 1.5 deg [C], and the same paper measured 2.8 +- 1.7 deg.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gamma
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from planner.records.request.robustness import Placement

ENTRY, ENTRY_DIRECTION, TIP, TIP_DIRECTION, DEPTH, DEPTH_SIGN = range(6)
"""The meaning of each uniform number of a sample."""

_NARROWEST, _WIDEST = 50.0, 0.5
"""Limits of the Weibull shape: SDs from 0.025 to 2.2 of the mean."""


@dataclass(frozen=True)
class Magnitude:
    """Mean and SD of the magnitude of an error. Both above 0. [mm]"""

    mean_mm: float
    sd_mm: float


@dataclass(frozen=True)
class PlacementErrors:
    """Errors of a needle: across its axis at entry and tip, and along it."""

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
"""Errors by guidance method.

Template: 318 needles in 28 chests (10.1093/jrr/rrab068). The tip error is smaller than the depth error, so it
is assumed to be across the axis. Robot: 1.4 mm is the upper end of the errors across the axis stated for
robot guides, 0.7 to 1.4 mm; the SD is half of that, as in PMC9474375, a phantom (0.73 +- 0.50 to 0.93 +- 0.45
mm). The same at entry and tip [U]. The depth error is from the same paper, which gives total and lateral
distances: sqrt(2.04^2 - 0.93^2) = 1.8 mm [C]; SD half of that [U]. Electromagnetic: distance between planned
and achieved line, median 4.1 mm, quartiles 2.7 and 9.1, in 60 patients (10.1371/journal.pone.0173751): mean
and SD are those of the Weibull distribution with this median and this ratio of quartiles [C]. The same at
entry and tip [U]. Depth is set by hand, as with a template [U].
"""


@dataclass(frozen=True, eq=False)
class DisplacedNeedle:
    """One needle, displaced k times: its entries, directions, and how much deeper it goes. [mm, B]"""

    entry_B: Float[np.ndarray, "k 3"]
    direction_B: Float[np.ndarray, "k 3"]
    deeper_mm: Float[np.ndarray, " k"]

    def at(self, depth_mm: float) -> Float[np.ndarray, "k 3"]:
        """The displaced positions of a point planned at this depth from the entry. [mm, B]"""
        depth = (depth_mm + self.deeper_mm)[:, None]
        return np.asarray(self.entry_B + depth * self.direction_B)

    def in_line(
        self, entry_B: Float[np.ndarray, "3"], direction_B: Float[np.ndarray, "3"]
    ) -> "DisplacedNeedle":
        """The same for a needle already in place on that line: its seeds have errors only along it. The
        published depth error of driving is used, because no error is known for dropping seeds alone [U]."""
        samples = len(self.deeper_mm)
        return DisplacedNeedle(
            np.tile(entry_B, (samples, 1)), np.tile(direction_B, (samples, 1)), self.deeper_mm
        )


def uniform_draws(random_seed: int, needle: int, samples: int) -> Float[np.ndarray, "k 6"]:
    """Uniform numbers in [0, 1) for the needle with that number, one row for each sample.

    Each needle has its own random stream: neither other needles nor more samples change its numbers.
    """
    # The 32-bit words must not be negative, so the sign is a separate word.
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
    """The needle with that entry, unit direction and length, displaced once for each row of draws. [mm, B]

    The displaced axis passes through both displaced ends. The needle's length stays the same, so its tip is
    some 0.2 mm short of the displaced tip. A depth error that would pull the tip out of the skin is limited
    to leave it at the skin.
    """
    u, v = _across(direction_B)
    ends = []
    for size, direction, magnitude in (
        (ENTRY, ENTRY_DIRECTION, errors.entry),
        (TIP, TIP_DIRECTION, errors.tip),
    ):
        angle = 2.0 * np.pi * draws[:, direction]
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
    """The magnitude below which this share of errors lies, 0 <= share < 1. [mm]"""
    shape = _weibull_shape(magnitude.sd_mm / magnitude.mean_mm)
    scale = magnitude.mean_mm / gamma(1.0 + 1.0 / shape)
    return np.asarray(scale * (-np.log1p(-share)) ** (1.0 / shape))


def _weibull_shape(variation: float) -> float:
    """The Weibull shape whose SD is `variation` times its mean: SD^2 / mean^2 = G(1 + 2/k) / G(1 + 1/k)^2 - 1
    decreases as k grows, so bisection finds it."""
    low, high = _WIDEST, _NARROWEST
    while high - low > 1e-12 * high:
        k = 0.5 * (low + high)
        wider = gamma(1.0 + 2.0 / k) / gamma(1.0 + 1.0 / k) ** 2 - 1.0 > variation**2
        low, high = (k, high) if wider else (low, k)
    return low


def _across(direction: Float[np.ndarray, "3"]) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Two unit vectors perpendicular to the direction and to each other.

    They are computed in B, so that they rotate with the patient. The choice changes where the component along
    the first axis is 0.9, so that rounding does not decide for needles along an axis or in a plane of the
    grid.
    """
    first = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = np.cross(direction, first)
    u /= np.linalg.norm(u)
    return u, np.cross(direction, u)
