"""Prescription schema: the prescribed dose, as strict JSON; goals that contradict each other are refused."""

from itertools import combinations
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from planner.published_limits.tables import PROTOCOLS
from planner.records.request.prescription import BedRequest, Goals, OrganGoal, Prescription, PriorExternal
from service.schemas.json.ranges import MAX_NAMES
from service.schemas.json.strict import Strict
from service.schemas.request.fields import UNIQUE, WHOLE, Name, each_once, known_as, within

Percent = Annotated[float, within("/prescription/goals/v100_percent")]
OrganDose = Annotated[float, within("/prescription/organ_goals/*/d1cc_gy")]
AlphaBeta = Annotated[float, within("/prescription/bed/alpha_beta_organ_gy")]

_PROTOCOLS = [protocol.name for protocol in PROTOCOLS]
ProtocolName = Annotated[str, known_as(_PROTOCOLS), Field(json_schema_extra={"enum": _PROTOCOLS})]
Protocols = Annotated[
    tuple[ProtocolName, ...],
    Field(max_length=MAX_NAMES, json_schema_extra=UNIQUE),
    AfterValidator(each_once),
]
"""The tables of organ limits that the planner has."""

D90_PERCENT = 90.0
"""D90 is the dose that this share of the volume gets at least."""


class GoalsModel(Strict):
    """What the dose in the PTV is to reach: D90 and V100 at least, V150 and V200 at most."""

    d90_gy: Annotated[float, within("/prescription/goals/d90_gy")] | None = Goals.d90_gy
    v100_percent: Percent = Goals.v100_percent
    v150_percent: Percent = Goals.v150_percent
    v200_percent: Percent = Goals.v200_percent

    @model_validator(mode="after")
    def _hot_parts_agree(self) -> "GoalsModel":
        if self.v200_percent > self.v150_percent:
            raise ValueError(
                f"v200_percent {self.v200_percent:g} is above v150_percent {self.v150_percent:g}, but what "
                "gets 200 % gets 150 % too. Give v200_percent no more than v150_percent."
            )
        return self

    def refuse_d90_too_hot(self, prescribed_gy: float) -> None:
        """Raise ValueError where D90 asks for more of the PTV to be hot than V150 and V200 allow."""
        if self.d90_gy is None:
            return
        for name, times, most in (("v150", 1.5, self.v150_percent), ("v200", 2.0, self.v200_percent)):
            if self.d90_gy >= times * prescribed_gy and most < D90_PERCENT:
                raise ValueError(
                    f"goals: d90_gy {self.d90_gy:g} has {D90_PERCENT:g} % of the PTV get {times:g} times "
                    f"dose_gy {prescribed_gy:g}, and {name}_percent allows {most:g} %. Lower d90_gy, or "
                    f"raise {name}_percent."
                )


class OrganGoalModel(Strict):
    """The most dose that the hottest part of an organ may get. null: no limit."""

    d0_1cc_gy: OrganDose | None = OrganGoal.d0_1cc_gy
    d1cc_gy: OrganDose | None = OrganGoal.d1cc_gy
    d2cc_gy: OrganDose | None = OrganGoal.d2cc_gy

    @model_validator(mode="after")
    def _smaller_is_hotter(self) -> "OrganGoalModel":
        given = [(name, dose) for name, dose in self if dose is not None]
        for (small, hot), (large, cool) in combinations(given, 2):
            if hot < cool:
                raise ValueError(
                    f"{small} {hot:g} is below {large} {cool:g}, but the hotter, smaller part gets at least "
                    f"what the larger gets. Give {large} no more than {small}, or null."
                )
        return self


class PriorExternalModel(Strict):
    """External beam therapy given before: total dose, fractions, and the days since."""

    dose_gy: Annotated[float, within("/prescription/prior_external/dose_gy")]
    fractions: Annotated[int, within("/prescription/prior_external/fractions"), WHOLE]
    interval_days: Annotated[float, within("/prescription/prior_external/interval_days")] | None = (
        PriorExternal.interval_days
    )


class BedRequestModel(Strict):
    """Parameters of the biologically effective dose, and the protocols whose organ limits it is compared
    with."""

    alpha_beta_target_gy: AlphaBeta = BedRequest.alpha_beta_target_gy
    alpha_beta_organ_gy: AlphaBeta = BedRequest.alpha_beta_organ_gy
    repair_half_time_h: Annotated[float, within("/prescription/bed/repair_half_time_h")] = (
        BedRequest.repair_half_time_h
    )
    protocols: Protocols = BedRequest.protocols


class PrescriptionModel(Strict):
    """The dose prescribed to the PTV's edge, and what the plan is to keep."""

    dose_gy: Annotated[float, within("/prescription/dose_gy")] = Prescription.dose_gy
    goals: GoalsModel = GoalsModel()
    organ_goals: Annotated[dict[Name, OrganGoalModel], Field(max_length=MAX_NAMES)] = {}
    prior_external: PriorExternalModel | None = None
    bed: BedRequestModel = BedRequestModel()

    @model_validator(mode="after")
    def _goals_fit_the_dose(self) -> "PrescriptionModel":
        self.goals.refuse_d90_too_hot(self.dose_gy)
        return self
