"""Appraisal schema: needles that a user moves, as strict JSON, and the answer about each."""

from typing import Annotated

from pydantic import BaseModel, Field, field_validator, model_validator

from planner.records.appraisal import Lack, SkinLack
from planner.records.paths import Aim
from service.schemas.json.strict import Strict
from service.schemas.request.fields import PointMm
from service.schemas.request.model import PlanRequest
from service.schemas.request.seeds_and_needles import refuse_no_direction

MAX_NEEDLES_AT_ONCE = 1000
"""In one message; an answer is promised within a tenth of a second [U]."""

MAX_NEEDLES_BYTES = 1_000_000
"""Longer than a thousand entries and tips with a request."""


class NeedleAt(Strict):
    """A needle as it is held: any point of its line outside the tip as entry, and its tip. [mm, LPS]

    `aim` is what its tip is at, as the paths of a plan state it, and says by what it is judged: the target;
    the PTV, for needles that leave seeds; or nothing, for needles that are in already.
    """

    entry_mm: PointMm
    tip_mm: PointMm
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


class CrossingAt(BaseModel):
    """A structure that the axis runs through, between two depths from the entry. [mm]"""

    structure: str
    from_mm: float
    to_mm: float


class NearModel(BaseModel):
    """A structure near the needle: from the needle's wall to it, negative inside, and what it needs. [mm]"""

    structure: str
    clearance_mm: float
    needed_mm: float


class ReasonModel(BaseModel):
    """What a needle lacks: its way to the skin, its way in the target or PTV, a tip that goes no farther than
    that, or free space beside a structure; how much there is and is needed, and why it does not reach the
    skin."""

    lack: Lack
    structure: str | None
    found_mm: float | None
    needed_mm: float | None
    skin: SkinLack | None
    detail: str


class AppraisalModel(BaseModel):
    """One needle, with the fields of a plan's path and a verdict. The tip is as given, the entry where the
    line leaves the skin; where it does not, what depends on it is null, and `crosses` counts from the entry
    given. `safe` is by its `aim`; nothing is asked of the tip of a needle with the aim "given", while skin,
    clearance, table and bore are asked as of others. Not verified by a second route, as plans are."""

    aim: Aim
    entry_mm: tuple[float, float, float] | None
    tip_mm: tuple[float, float, float]
    direction: tuple[float, float, float]
    length_mm: float | None
    lung_length_mm: float | None
    pleural_punctures: int | None
    fissures_crossed: int | None
    clearance_mm: float
    nearest_structure: str
    crosses: list[CrossingAt]
    axial_angle_deg: float
    craniocaudal_angle_deg: float
    target_chord_mm: float
    clearances: list[NearModel]
    safe: bool
    reasons: list[ReasonModel]


class AppraisalsModel(BaseModel):
    """One appraisal for each needle, in order, and what no verdict knows of: forbidden organs that the case
    lacks, notes on it, and the structures whose surface its skin is; none where it is guessed."""

    paths: list[AppraisalModel]
    missing_structures: list[str]
    notes: list[str]
    skin_structures: list[str]
    skin_source: str
