"""BED model: what turns the dose of the implant, and of external beams, into BED and back.

    implant    D (1 + k D),   k = lambda / ((mu + lambda) (a/b))
    beams      N d (1 + d / (a/b))

(Dong 2021, 10.1111/1759-7714.13932). BED rises with dose, so that the BED of a D value is the D value of BED.
"""

from dataclasses import dataclass
from math import log, sqrt

from planner.records.request.prescription import BedRequest
from planner.sources.source import Source


@dataclass(frozen=True)
class BedModel:
    """BED of an implant's dose D: D (1 + k D) + beams, where k is `per_gy`. [Gy]"""

    alpha_beta_gy: float
    per_gy: float
    beams_gy: float

    def bed_gy(self, dose_gy: float) -> float:
        """BED of implant and beams together. [Gy]"""
        return dose_gy * (1.0 + self.per_gy * dose_gy) + self.beams_gy

    def dose_gy(self, bed_gy: float) -> float:
        """The implant's dose that gives this BED; 0 where the beams alone give as much. [Gy]"""
        implant_bed_gy = max(0.0, bed_gy - self.beams_gy)
        return 2.0 * implant_bed_gy / (1.0 + sqrt(1.0 + 4.0 * self.per_gy * implant_bed_gy))

    def of_fractions(self, dose_gy: float, fractions: int) -> float:
        """BED of external beams. [Gy]"""
        fraction_gy = dose_gy / fractions
        return fractions * fraction_gy * (1.0 + fraction_gy / self.alpha_beta_gy)


def bed_model_of(request: BedRequest, source: Source, beams_gy: float) -> BedModel:
    """The model for organs. `beams_gy` is the BED of earlier external beams. [Gy]"""
    repair, decay = log(2.0) * 24.0 / request.repair_half_time_h, log(2.0) / source.half_life_d
    alpha_beta = request.alpha_beta_organ_gy
    return BedModel(alpha_beta, decay / ((repair + decay) * alpha_beta), beams_gy)
