"""Biologically effective dose: what makes an implant, and radiation given before, comparable.

Both formulas are those of Dong et al. 2021 (10.1111/1759-7714.13932):

    external beam       BED = N d (1 + d / (a/b))
    permanent implant   BED = D (1 + R0 / ((mu + lambda) (a/b))),   R0 = D lambda

D is the implant's dose until it has decayed, and R0 its initial dose rate, both in the same voxel. Rates, and
so the effectiveness of the implant, differ from voxel to voxel. Therefore BED is computed for each sample
first, and statistics after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float

from planner.errors import RequestError
from planner.sources.source import HOURS_PER_DAY

REPAIR_HALF_TIME_DAYS = 1.5 / HOURS_PER_DAY
"""Repair of sublethal damage, 1.5 h [U]."""

FRACTION_OF_EQD2_GY = 2.0


@dataclass(frozen=True)
class Tissue:
    """How a tissue responds to fractionation and dose rate: a/b of the linear-quadratic model, and the half
    time of its repair. [Gy, days]"""

    alpha_beta_gy: float
    repair_half_time_days: float = REPAIR_HALF_TIME_DAYS

    def __post_init__(self) -> None:
        for name, value in (("alpha/beta", self.alpha_beta_gy), ("repair time", self.repair_half_time_days)):
            if not value > 0.0:
                raise RequestError(name, f"it is {value:g}", "Give a value above 0.")


ACUTE, LATE = Tissue(10.0), Tissue(3.0)
"""a/b = 10 Gy for acute reactions and tumour, 3 Gy for late ones (Dong 2021, 10.1111/1759-7714.13932)."""


@dataclass(frozen=True)
class ExternalBeam:
    """Earlier external radiation: its total dose in equal fractions. [Gy]

    `interval_days`, from its end to the implant, is reported but not used: no recovery is assumed, because no
    source for a recovery model of these organs is available. None: the interval is not known.
    """

    dose_gy: float
    fractions: int
    interval_days: float | None = None

    def __post_init__(self) -> None:
        if not self.dose_gy >= 0.0:
            raise RequestError("external dose", f"it is {self.dose_gy:g} Gy", "Give 0 Gy or more.")
        if self.fractions < 1:
            raise RequestError("fractions", f"there are {self.fractions}", "Give at least one fraction.")


def external_bed_gy(beam: ExternalBeam, tissue: Tissue) -> float:
    """N d (1 + d / (a/b)), Dong 2021 (10.1111/1759-7714.13932). [Gy]"""
    return beam.dose_gy * (1.0 + beam.dose_gy / beam.fractions / tissue.alpha_beta_gy)


def relative_effectiveness(
    doses_gy: Float[np.ndarray, "*batch"], half_life_days: float, tissue: Tissue
) -> Float[np.ndarray, "*batch"]:
    """1 + R0 / ((mu + lambda) (a/b)) with R0 = D lambda, Dong 2021 (10.1111/1759-7714.13932).

    mu = ln 2 / repair half time, lambda = ln 2 / half-life; doses until the sources have decayed. [Gy, days]
    """
    decay_per_day = log(2.0) / half_life_days
    repair_per_day = log(2.0) / tissue.repair_half_time_days
    initial_gy_per_day = doses_gy * decay_per_day
    return np.asarray(1.0 + initial_gy_per_day / ((repair_per_day + decay_per_day) * tissue.alpha_beta_gy))


def implant_bed_gy(
    doses_gy: Float[np.ndarray, "*batch"], half_life_days: float, tissue: Tissue
) -> Float[np.ndarray, "*batch"]:
    """BED of a permanent implant in each sample, from its dose until the sources have decayed. [Gy, days]"""
    return np.asarray(doses_gy * relative_effectiveness(doses_gy, half_life_days, tissue))


def summed_bed_gy(
    doses_gy: Float[np.ndarray, "*batch"],
    half_life_days: float,
    tissue: Tissue,
    before: Sequence[ExternalBeam] = (),
) -> Float[np.ndarray, "*batch"]:
    """BED of the implant and all external beams, in each sample. [Gy, days]

    Every sample is assumed to have received the total dose of each beam, because the distribution of that
    dose is not known. This is true inside the field, and too much elsewhere.
    """
    prior_gy = sum(external_bed_gy(beam, tissue) for beam in before)
    return np.asarray(implant_bed_gy(doses_gy, half_life_days, tissue) + prior_gy)


def eqd2_gy(bed_gy: Float[np.ndarray, "*batch"], tissue: Tissue) -> Float[np.ndarray, "*batch"]:
    """The dose in fractions of 2 Gy that has the same BED: BED / (1 + 2 / (a/b)), from the first formula.
    [Gy]"""
    return np.asarray(bed_gy / (1.0 + FRACTION_OF_EQD2_GY / tissue.alpha_beta_gy))
