"""Schema: the request as JSON, strict, with every field optional; and its way into the planner.

Defaults are the planner's own, limits are those of `service.schemas.json.ranges`. One default differs: a
request that says nothing of a prescription asks for the planner's Prescription, one that says null for paths
alone. What the planner cannot use yet has no field here, so that asking for it is refused, not ignored.
"""

from typing import Annotated

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic.dataclasses import dataclass

from anatomy.names.did_you_mean import did_you_mean
from anatomy.structures import Role
from planner.records.bounds import Name
from planner.records.request.clearances import ClearanceMm
from planner.records.request.gauge import OUTSIDE_MM
from planner.records.request.needle import Needle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.pose import PoseRequest
from planner.records.request.prescription import Prescription
from planner.records.request.ranking import DEFAULT_RANKING, Weight
from planner.records.request.request import RandomSeed, Request
from planner.records.request.robustness import RobustnessRequest
from planner.records.request.search import MaxPaths, SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import MarginMm, MinChordMm, TargetRequest
from planner.scores import SCORES
from service.schemas.json.ranges import MAX_NAMES
from service.schemas.json.records import STRICT, ReadAs, record_of
from service.schemas.json.strict import Strict
from service.schemas.request.fields import UNIQUE, WHOLE, Names, NamesOrNone, each_once, kind_of
from service.schemas.request.prescription import PrescriptionModel
from service.schemas.request.seeds_and_needles import (
    NeedleSetRequestModel,
    RobustnessRequestModel,
    SeedsModel,
)

MAX_REQUEST_BYTES = 1_000_000
"""Longer than a request that names every structure it may name."""

_SCORES = [score.name for score in SCORES]


def _known_score(name: str) -> str:
    if name not in _SCORES:
        raise ValueError(f"{name!r} is not a known score. {did_you_mean(name, _SCORES)}")
    return name


ScoreName = Annotated[Name, AfterValidator(_known_score), Field(json_schema_extra={"enum": _SCORES})]


ScoreNames = Annotated[
    tuple[ScoreName, ...],
    Field(min_length=1, max_length=MAX_NAMES, json_schema_extra=UNIQUE),
    AfterValidator(each_once),
]


class TargetModel(Strict):
    """What is treated: one structure, several as one target, or null for those whose role is target."""

    structure: Annotated[
        Annotated[Name, Tag("<one>")] | Annotated[Names, Tag("<many>")] | Annotated[None, Tag("<null>")],
        Discriminator(
            kind_of,
            custom_error_type="target_structure",
            custom_error_message="Give a structure's name, a list of names, or null",
        ),
    ] = None
    margin_mm: MarginMm = TargetRequest.margin_mm
    min_chord_mm: MinChordMm | None = TargetRequest.min_chord_mm
    cut_back: NamesOrNone = TargetRequest.cut_back

    def to_record(self) -> TargetRequest:
        """As the planner takes it: a tuple of names, empty for null."""
        named = (self.structure,) if isinstance(self.structure, str) else self.structure or ()
        return TargetRequest(named, self.margin_mm, self.min_chord_mm, self.cut_back)


@dataclass(frozen=True, config=STRICT)
class NeedleModel(Needle):
    """The coaxial needle. `max_length_mm` runs from tip to hub. The diameter tells the gauge: where that is
    given, it must be the diameter's."""

    gauge: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}G$")] | None = None

    @model_validator(mode="after")
    def _gauge_and_diameter_agree(self) -> "NeedleModel":
        if self.gauge is None:
            return self
        if self.gauge not in OUTSIDE_MM:
            raise ValueError(f"The gauge is {self.gauge}, of which no diameter is known: leave it out.")
        least, most = OUTSIDE_MM[self.gauge]
        if not least <= self.outer_diameter_mm <= most:
            raise ValueError(
                f"The gauge is {self.gauge}, which is {least:.2f} to {most:.2f} mm thick outside, and "
                f"outer_diameter_mm is {self.outer_diameter_mm:g}: give those of one needle."
            )
        return self


@dataclass(frozen=True, config=STRICT)
class SearchModel(SearchRequest):
    """How finely to search, for how long, and how much to return."""

    max_paths: Annotated[MaxPaths, WHOLE] = SearchRequest.max_paths


class WeightsModel(Strict):
    """Order by a weighted sum of scores."""

    weights: Annotated[dict[ScoreName, Weight], Field(min_length=1, max_length=MAX_NAMES)]


class PlanRequest(Strict):
    """A request for a plan. `{}` takes every default."""

    target: TargetModel = TargetModel()
    needle: NeedleModel = NeedleModel()
    clearance_mm: Annotated[dict[Name, ClearanceMm], Field(max_length=MAX_NAMES)] = {}
    roles: Annotated[dict[Name, Role], Field(max_length=MAX_NAMES)] = {}
    pose: PoseRequest = PoseRequest()
    search: Annotated[SearchRequest, ReadAs(SearchModel)] = SearchRequest()
    ranking: Annotated[
        Annotated[ScoreNames, Tag("<many>")] | Annotated[WeightsModel, Tag("<table>")],
        Discriminator(
            kind_of,
            custom_error_type="ranking",
            custom_error_message='Give a list of score names, or {"weights": {name: number}}',
        ),
    ] = DEFAULT_RANKING
    seeds: Annotated[SeedRequest, ReadAs(SeedsModel)] = SeedRequest()
    needle_set: Annotated[NeedleSetRequest, ReadAs(NeedleSetRequestModel)] = NeedleSetRequest()
    prescription: Annotated[Prescription, ReadAs(PrescriptionModel)] | None = Field(
        # A factory: generators of clients have problems with an object as the default of a nullable field.
        default_factory=lambda: Prescription(organ_goals={}),
        description="Left out: the defaults of its fields. null: paths alone, without seeds and dose.",
    )
    robustness: Annotated[RobustnessRequest, ReadAs(RobustnessRequestModel)] = RobustnessRequest()
    random_seed: Annotated[RandomSeed, WHOLE] = 0

    def to_request(self) -> Request:
        """The request as the planner takes it, with all defaults in."""
        weights = self.ranking.weights if isinstance(self.ranking, WeightsModel) else {}
        return Request(
            target=self.target.to_record(),
            needle=record_of(self.needle),
            clearance_mm={**Request().clearance_mm, **self.clearance_mm},
            roles={name: str(role) for name, role in self.roles.items()},
            pose=self.pose,
            search=self.search,
            ranking=DEFAULT_RANKING if isinstance(self.ranking, WeightsModel) else self.ranking,
            weights=weights,
            seeds=self.seeds,
            needle_set=self.needle_set,
            prescription=self.prescription,
            robustness=self.robustness,
            random_seed=self.random_seed,
        )
