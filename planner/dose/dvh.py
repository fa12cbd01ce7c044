"""Dose-volume statistics of a structure from weighted samples.

        volume that gets at least d
    100 % |#######__
          |         ##_              V(d)   volume of all samples with dose >= d: falls in steps
     90 % |- - - - - -#.             D(v)   the largest dose d with V(d) >= v
          |            .#___
          +------------+----#####--- d
                      D90

So D90 is the largest dose that at least 90 % of the volume gets, and D100 is the least dose of any sample.
Each D is the dose of a sample, without interpolation. V and D are inverse to each other: V(d) < v if and only
if D(v) < d.

Inside a seed there is no dose, and no V or D may depend on a value computed there. There are two ways:

- Samples inside a seed have a dose of infinity (planner.dose.tg43.in_seed), so that they reach every level. A
  D that is the dose of such a sample is at least the hottest dose outside, `highest_outside_gy`.
- Doses inside are capped, at a known dose or more. Then results up to `highest_reportable_gy` do not depend
on
  the cap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import MM3_PER_CC

ROUNDING = 1e-9
"""A volume that is smaller than the requested one by this part counts as equal, because of rounding."""

REPORTABLE_PART = 0.9
"""Dose levels end at this part of the cap [U]: so far below it that rounding does not matter."""

LAST_PERCENT = 400
"""Levels of a reported histogram: every 1 % of the prescription up to 400 % [U]."""


@dataclass(frozen=True, eq=False)
class DoseVolume:
    """The samples of a structure, sorted by dose.

    `doses_gy` ascend. `volumes_mm3` is the volume from a sample to the hottest one, so that it descends.
    """

    doses_gy: Float[np.ndarray, " n"]
    volumes_mm3: Float[np.ndarray, " n"]

    @property
    def volume_mm3(self) -> float:
        """The whole structure. [mm3]"""
        return float(self.volumes_mm3[0])


@dataclass(frozen=True)
class DoseIndex:
    """A D value as reported. `at_least`: the true value is this or more, because the dose inside a seed is
    not known."""

    gy: float
    at_least: bool


@dataclass(frozen=True)
class Dvh:
    """A cumulative dose-volume histogram: the share of `volume_cc` that gets each dose or more. [Gy, %]"""

    name: str
    volume_cc: float
    dose_gy: tuple[float, ...]
    volume_percent: tuple[float, ...]


def dose_volume(doses_gy: Float[np.ndarray, " n"], weights_mm3: Float[np.ndarray, " n"]) -> DoseVolume:
    """Samples of a structure, in any order; a dose may be infinity, for inside a seed. [Gy, mm3]

    Raises ValueError if there are no samples, for a dose that is NaN, or for a weight that is not positive.
    """
    if len(doses_gy) == 0:
        raise ValueError("a structure without samples has no dose-volume statistics")
    if np.isnan(doses_gy).any() or not (weights_mm3 > 0.0).all():
        raise ValueError("doses must be numbers and weights positive")
    order = np.argsort(doses_gy, kind="stable")
    return DoseVolume(doses_gy[order], np.cumsum(weights_mm3[order][::-1])[::-1])


def percent_of(part: float, whole: float) -> float:
    """`part` in percent of `whole`: never above 100 if the part is not larger than the whole. [%]

    The quotient is computed first: it is rounded to at most 1, while 100 part / whole may be rounded to
    100.00000000000001.
    """
    return 100.0 * (part / whole)


def volume_mm3_at(samples: DoseVolume, dose_gy: float) -> float:
    """V: the volume that gets `dose_gy` or more. [mm3]"""
    first = int(np.searchsorted(samples.doses_gy, dose_gy, side="left"))
    return float(samples.volumes_mm3[first]) if first < len(samples.doses_gy) else 0.0


def volume_percent_at(samples: DoseVolume, dose_gy: float) -> float:
    """V100 where `dose_gy` is the prescription: the share of the volume that gets that dose or more. [%]"""
    return percent_of(volume_mm3_at(samples, dose_gy), samples.volume_mm3)


def _hottest(samples: DoseVolume, volume_mm3: float) -> float:
    """D: the largest dose that at least `volume_mm3` get. [Gy]"""
    short = np.searchsorted(samples.volumes_mm3[::-1], volume_mm3 * (1.0 - ROUNDING), side="left")
    return float(samples.doses_gy[len(samples.doses_gy) - 1 - int(short)])


def dose_covering_percent(samples: DoseVolume, percent: float) -> float:
    """D90, D100 ...: the largest dose that at least `percent` of the volume get. [Gy]

    Raises ValueError for a share that is not above 0 and up to 100 %.
    """
    if not 0.0 < percent <= 100.0:
        raise ValueError(f"{percent:g} % of a structure is not a part of it: ask for above 0 and up to 100 %")
    return _hottest(samples, 0.01 * percent * samples.volume_mm3)


def dose_to_hottest_cc(samples: DoseVolume, volume_cc: float) -> float | None:
    """D0.1cc, D2cc ...: the largest dose that at least `volume_cc` get. [Gy]

    None where the structure is smaller than that. Raises ValueError for a volume that is not above 0.
    """
    if not volume_cc > 0.0:
        raise ValueError(f"{volume_cc:g} cc is not a volume: ask for more than 0 cc")
    volume_mm3 = MM3_PER_CC * volume_cc
    if samples.volume_mm3 < volume_mm3 * (1.0 - ROUNDING):
        return None
    return _hottest(samples, volume_mm3)


def highest_outside_gy(samples: DoseVolume) -> float:
    """The hottest dose of any sample outside seeds, where those inside have infinity. 0.0 if all are. [Gy]"""
    outside = int(np.searchsorted(samples.doses_gy, np.inf, side="left"))
    return float(samples.doses_gy[outside - 1]) if outside else 0.0


def highest_reportable_gy(cap_gy: float) -> float:
    """The highest dose that is reported, where every sample that a cap may touch has `cap_gy` or more. [Gy]

    A sample inside a seed has at least the cap. It reaches all levels up to this one, so that no V and no D
    up to this level depends on the cap. No V above this level is reported, and a D above it is reported as
    this level, with "at least".
    """
    return REPORTABLE_PART * cap_gy


def reported(dose_gy: float, highest_gy: float) -> DoseIndex:
    """A D value for a report: never above `highest_gy`, which is `highest_outside_gy` or
    `highest_reportable_gy`. [Gy]"""
    return DoseIndex(min(dose_gy, highest_gy), dose_gy > highest_gy)


def dose_levels_gy(prescribed_gy: float, highest_gy: float = inf) -> tuple[float, ...]:
    """Levels of a histogram: every 1 % of the prescription from 0 to LAST_PERCENT, as far as they are
    reportable. [Gy]"""
    levels = prescribed_gy * np.arange(LAST_PERCENT + 1) / 100.0
    return tuple(levels[levels <= highest_gy].tolist())


def cumulative(name: str, samples: DoseVolume, levels_gy: Sequence[float]) -> Dvh:
    """The share of the volume that gets each of `levels_gy` or more. [Gy, %]"""
    percent = tuple(volume_percent_at(samples, level) for level in levels_gy)
    return Dvh(name, samples.volume_mm3 / MM3_PER_CC, tuple(levels_gy), percent)
