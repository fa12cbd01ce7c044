"""Claims that follow from a dose report's own numbers: its goals and whether they are met, and its BED.

    external beam       BED = N d (1 + d / (a/b))
    permanent implant   BED = D (1 + D lambda / ((mu + lambda) (a/b)))

(Dong 2021, 10.1111/1759-7714.13932). BED rises with dose: that of D90 is the D90 of BED.
"""

from collections.abc import Iterator
from math import log

from planner.records.dose import DoseReport
from planner.records.followup import Achieved
from planner.records.request.prescription import Prescription
from planner.sources.source import Source
from planner.verify.claims import Claims
from planner.verify.tolerances import RATIO

PTV = "PTV"
ORGAN_GOALS = ("d0_1cc_gy", "d1cc_gy", "d2cc_gy")
GOAL_NAMES = ("d90_gy", "v100_percent", "v150_percent", "v200_percent", *ORGAN_GOALS)

Goal = tuple[str, str, bool, float, float]
"""Structure, name, whether the goal is a lower bound, its value, and the value reached."""


def check_goals(claims: Claims, prescription: Prescription, dose: DoseReport | Achieved) -> None:
    """Every goal of the prescription is listed, and no other, with the value that the stated doses reach."""
    expected = {(goal[0], goal[1]): goal for goal in _goals(prescription, dose)}
    names = [(goal.structure, goal.name) for goal in dose.goals]
    listed = ", ".join(sorted(" ".join(name) for name in names))
    required = ", ".join(sorted(" ".join(name) for name in expected))
    claims.same("the goals are those of the prescription", "goals", listed, required)
    reported = {organ.structure for organ in dose.organs}
    missing = ", ".join(sorted(set(prescription.organ_goals) - reported)) or "none"
    claims.same("organs with a goal that have no dose", "goals", "none", missing)
    for goal in dose.goals:
        subject = f"goal {goal.name} of {goal.structure}"
        if (goal.structure, goal.name) not in expected:
            continue
        _, _, at_least, aim, reached = expected[goal.structure, goal.name]
        direction, other = ("at least" if g else "at most" for g in (goal.at_least, at_least))
        claims.same("direction of the goal", subject, direction, other)
        claims.equal("value of the goal", subject, goal.wanted, aim, RATIO)
        claims.equal("value reached", subject, goal.reached, reached, RATIO)
        met = reached >= aim if at_least else reached <= aim
        stated, expected_result = ("met" if g else "not met" for g in (goal.met, met))
        claims.same("whether the goal is met", subject, stated, expected_result)


def _goals(prescription: Prescription, dose: DoseReport | Achieved) -> Iterator[Goal]:
    goals, target = prescription.goals, dose.target
    yield PTV, "d90_gy", True, prescription.d90_goal_gy, target.d90_gy
    yield PTV, "v100_percent", True, goals.v100_percent, target.v100_percent
    yield PTV, "v150_percent", False, goals.v150_percent, target.v150_percent
    yield PTV, "v200_percent", False, goals.v200_percent, target.v200_percent
    organs = {organ.structure: organ for organ in dose.organs}
    for name, goal in prescription.organ_goals.items():
        for part in ORGAN_GOALS:
            most = getattr(goal, part)
            if most is not None:
                # For an organ that is smaller than the goal's volume, the next smaller volume is used.
                smaller = ORGAN_GOALS[: ORGAN_GOALS.index(part) + 1]
                doses = [getattr(organs.get(name), one, None) for one in smaller]
                yield name, part, False, most, min((gy for gy in doses if gy is not None), default=0.0)


def check_bed(claims: Claims, prescription: Prescription, dose: DoseReport, source: Source) -> None:
    """BED of external beams and of the PTV's D90."""
    bed, model, prior = dose.bed, prescription.bed, prescription.prior_external
    for tissue, alpha_beta, stated in (
        ("target", model.alpha_beta_target_gy, bed.external_target_gy),
        ("organs", model.alpha_beta_organ_gy, bed.external_organ_gy),
    ):
        before = 0.0
        if prior is not None:
            fraction_gy = prior.dose_gy / prior.fractions
            before = prior.fractions * fraction_gy * (1.0 + fraction_gy / alpha_beta)
        claims.equal("BED of external beams", f"BED of {tissue}", stated, before, RATIO * max(1.0, before))
    repair, decay = log(2.0) * 24.0 / model.repair_half_time_h, log(2.0) / source.half_life_d
    d90, alpha_beta = dose.target.d90_gy, model.alpha_beta_target_gy
    both = d90 * (1.0 + d90 * decay / ((repair + decay) * alpha_beta)) + bed.external_target_gy
    claims.equal("D90 as BED", "BED of target", bed.target_d90_gy, both, RATIO * max(1.0, both))
    eqd2 = bed.target_d90_gy / (1.0 + 2.0 / alpha_beta)
    claims.equal("D90 as EQD2", "BED of target", bed.target_d90_eqd2_gy, eqd2, RATIO * max(1.0, eqd2))
