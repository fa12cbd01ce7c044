"""Follow-up model: the JSON of an evaluation and of a replanning. A plan in them is a whole plan."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan
from service.schemas.json.records import STRICT, ReadAs
from service.schemas.plan.fields import Sha256
from service.schemas.plan.model import PlanModel
from service.schemas.request.seeds_and_needles import GivenSeedInJson

PlanInJson = Annotated[Plan, ReadAs(PlanModel)]


@dataclass(frozen=True, config=STRICT)
class EvaluationModel(Evaluation):
    """An implant as it was found; `supplement` is a plan that brings D90 back, null if nothing needs to be
    added."""

    schema: Literal["seedpath.evaluation/3"]
    plan_sha256: Sha256
    seeds: tuple[GivenSeedInJson, ...]
    supplement: PlanInJson | None


@dataclass(frozen=True, config=STRICT)
class ReplannedModel(Replanned):
    """A plan around measured needles, and what changed against the plan before."""

    schema: Literal["seedpath.replan/3"]
    plan_sha256: Sha256
    plan: PlanInJson
