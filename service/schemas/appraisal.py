"""Appraisal schema: needles that a user moves, as strict JSON, and the answer about each."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from planner.records.appraisal import Appraisal
from planner.records.paths import Aim
from planner.records.request.given import GivenPoint
from service.schemas.json.records import STRICT
from service.schemas.json.strict import Strict
from service.schemas.request.model import PlanRequest
from service.schemas.request.seeds_and_needles import refuse_no_direction

MAX_NEEDLES_AT_ONCE = 1000
"""In one message; an answer is promised within a tenth of a second [U]."""

MAX_NEEDLES_BYTES = 1_000_000
"""Longer than a thousand entries and tips with a request."""


class NeedleAt(Strict):
    """A needle to appraise: its tip, and as entry any other point of its line. [mm, LPS]

    `aim` is what its tip is at, as the paths of a plan state it, and says by what it is judged: the target;
    the PTV, for needles that leave seeds; or nothing, for needles that are in already.
    """

    entry_mm: GivenPoint
    tip_mm: GivenPoint
    aim: Aim = Aim.TARGET

    @model_validator(mode="after")
    def _has_a_direction(self) -> "NeedleAt":
        refuse_no_direction(self.entry_mm, self.tip_mm)
        return self


class NeedlesBody(Strict):
    """Needles to appraise, one by one, and the request that says what is safe; of it, target, needle,
    clearances, roles, pose and the seeds' model matter."""

    paths: Annotated[tuple[NeedleAt, ...], Field(min_length=1, max_length=MAX_NEEDLES_AT_ONCE)]
    request: PlanRequest = PlanRequest()

    @field_validator("request")
    @classmethod
    def _without_needles_that_are_in(cls, value: PlanRequest) -> PlanRequest:
        if value.needle_set.given_needles or value.needle_set.given_seeds:
            raise ValueError("Needles and seeds that are in are not looked at here. Leave them out.")
        return value


class NeedlesMessage(NeedlesBody):
    """As NeedlesBody, over a WebSocket; `id` comes back with the answer, and a request that is left out is
    the last one that was sent."""

    id: int | Annotated[str, Field(max_length=100)] | None = None


@dataclass(frozen=True, config=STRICT)
class AppraisalsModel:
    """One appraisal for each needle, in order, and what no verdict knows of: forbidden organs that the case
    lacks, notes on it, and the structures whose surface its skin is; none where it is guessed."""

    paths: tuple[Appraisal, ...]
    missing_structures: tuple[str, ...]
    notes: tuple[str, ...]
    skin_structures: tuple[str, ...]
    skin_source: str
