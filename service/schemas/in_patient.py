"""In-patient schema: findings in a patient, as strict JSON: seeds after an implant, and needles in place."""

from typing import Annotated

from pydantic import Field, model_validator

from planner.records.bounds import Name
from planner.records.request.given import GivenPoint
from service.schemas.json.ranges import MAX_NEEDLES, MAX_SEEDS
from service.schemas.json.strict import Strict
from service.schemas.plan.fields import Sha256
from service.schemas.request.seeds_and_needles import GivenSeedInJson, refuse_no_direction

MAX_FOUND_BYTES = 1_000_000
"""Larger than a message with five hundred seeds and two hundred needles."""


class SeedsFound(Strict):
    """The seeds of an implant, as found on an image taken after it."""

    seeds: Annotated[tuple[GivenSeedInJson, ...], Field(min_length=1, max_length=MAX_SEEDS)]


class MeasuredNeedleModel(Strict):
    """A needle in place, as measured. `path_id` is the planned needle that it is; null if it was not
    planned."""

    path_id: Name | None = None
    entry_mm: GivenPoint
    tip_mm: GivenPoint

    @model_validator(mode="after")
    def _has_a_direction(self) -> "MeasuredNeedleModel":
        refuse_no_direction(self.entry_mm, self.tip_mm)
        return self


class NeedlesMeasured(Strict):
    """The needles in place, and the seeds already dropped."""

    needles: Annotated[tuple[MeasuredNeedleModel, ...], Field(min_length=1, max_length=MAX_NEEDLES)]
    seeds: Annotated[tuple[GivenSeedInJson, ...], Field(max_length=MAX_SEEDS)] = ()

    @model_validator(mode="after")
    def _each_path_once(self) -> "NeedlesMeasured":
        path_ids = [needle.path_id for needle in self.needles if needle.path_id is not None]
        for n, path_id in enumerate(path_ids):
            if path_id in path_ids[:n]:
                raise ValueError(
                    f"Two needles stand for path {path_id!r}. Name it for one, and give null for the other."
                )
        return self


class EvaluateBody(SeedsFound):
    """The body of POST /v1/plans/{id}:evaluate-implant. Without `case`, the plan's own case is used."""

    case: Sha256 | None = None


class ReplanBody(NeedlesMeasured):
    """The body of POST /v1/plans/{id}:replan. Without `case`, the plan's own case is used."""

    case: Sha256 | None = None
