"""Claims on the model and strength of the seeds: those of the request, on the day of the implant.

mCi of apparent activity  x  U for each mCi  x  2^(-days / half-life)  =  air-kerma strength
"""

from dataclasses import dataclass

from planner.records.dose import MEDIUM, DoseReport
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.request.seeds import SeedRequest
from planner.sources.source import Source
from planner.verify.claims import Claims
from planner.verify.tolerances import RATIO

SUBJECT = "dose"

U_PER_MCI = {"I-125": 1.270, "Pd-103": 1.293}
"""AAPM TG-43 (Nath 1995, 10.1118/1.597458): 1.45 and 1.476 R cm2/(mCi h), each by 0.876 cGy/R."""


@dataclass(frozen=True)
class SeedStrength:
    """A source, and each seed's air-kerma strength on the day of the implant."""

    source: Source
    strength_u: float


def seed_strength(seeds: SeedRequest) -> SeedStrength:
    """Source and strength of a request's seeds. Its model must be known, which `check_numbers` ensures."""
    source = seeds.source
    fresh = seeds.activity_mci * U_PER_MCI[source.nuclide]
    return SeedStrength(source, fresh * 0.5 ** (seeds.decay_days / source.half_life_d))


def check_strength(claims: Claims, plan: Plan, prescription: Prescription, dose: DoseReport) -> SeedStrength:
    """Medium, prescribed dose, source and strength of a dose report."""
    strength = seed_strength(plan.request.seeds)
    claims.same("medium", SUBJECT, dose.medium, MEDIUM)
    claims.equal("prescribed dose", SUBJECT, dose.prescribed_gy, prescription.dose_gy, RATIO)
    claims.same("source", SUBJECT, dose.source, strength.source.name)
    claims.equal(
        "air-kerma strength",
        SUBJECT,
        dose.air_kerma_strength_u,
        strength.strength_u,
        RATIO * strength.strength_u,
    )
    return strength
