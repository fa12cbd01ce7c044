"""Prescription: what JSON asks of it beyond the bounds of the records; goals that contradict each other are
refused."""

from dataclasses import asdict
from itertools import combinations
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from planner.published_limits.tables import PROTOCOLS
from planner.records.bounds import Name
from planner.records.request.prescription import (
    BedRequest,
    Fractions,
    Goals,
    OrganGoal,
    Prescription,
    PriorExternal,
)
from service.schemas.json.ranges import MAX_NAMES
from service.schemas.json.records import STRICT, ReadAs
from service.schemas.request.fields import UNIQUE, WHOLE, each_once, known_as

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


def _hot_parts_agree(goals: Goals) -> Goals:
    if goals.v200_percent > goals.v150_percent:
        raise ValueError(
            f"v200_percent {goals.v200_percent:g} is above v150_percent {goals.v150_percent:g}, but what "
            "gets 200 % gets 150 % too. Give v200_percent no more than v150_percent."
        )
    return goals


def _smaller_is_hotter(goal: OrganGoal) -> OrganGoal:
    given = [(name, dose) for name, dose in asdict(goal).items() if dose is not None]
    for (small, hot), (large, cool) in combinations(given, 2):
        if hot < cool:
            raise ValueError(
                f"{small} {hot:g} is below {large} {cool:g}, but the hotter, smaller part gets at least "
                f"what the larger gets. Give {large} no more than {small}, or null."
            )
    return goal


@dataclass(frozen=True, config=STRICT)
class PriorExternalModel(PriorExternal):
    """External beam therapy given before: total dose, fractions, and the days since."""

    fractions: Annotated[Fractions, WHOLE]


@dataclass(frozen=True, config=STRICT)
class BedRequestModel(BedRequest):
    """Parameters of the biologically effective dose, and the protocols whose organ limits it is compared
    with."""

    protocols: Protocols = BedRequest.protocols


@dataclass(frozen=True, config=STRICT)
class PrescriptionModel(Prescription):
    """The dose prescribed to the PTV's edge, and what the plan is to keep."""

    goals: Annotated[Goals, AfterValidator(_hot_parts_agree)] = Prescription.goals
    organ_goals: Annotated[
        dict[Name, Annotated[OrganGoal, AfterValidator(_smaller_is_hotter)]], Field(max_length=MAX_NAMES)
    ] = Field(default={})
    prior_external: Annotated[PriorExternal, ReadAs(PriorExternalModel)] | None = None
    bed: Annotated[BedRequest, ReadAs(BedRequestModel)] = Prescription.bed

    @model_validator(mode="after")
    def _d90_is_not_too_hot(self) -> "PrescriptionModel":
        goals = self.goals
        if goals.d90_gy is None:
            return self
        for name, times, most in (("v150", 1.5, goals.v150_percent), ("v200", 2.0, goals.v200_percent)):
            if goals.d90_gy >= times * self.dose_gy and most < D90_PERCENT:
                raise ValueError(
                    f"goals: d90_gy {goals.d90_gy:g} has {D90_PERCENT:g} % of the PTV get {times:g} times "
                    f"dose_gy {self.dose_gy:g}, and {name}_percent allows {most:g} %. Lower d90_gy, or "
                    f"raise {name}_percent."
                )
        return self
