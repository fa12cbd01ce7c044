"""Schema: the request as JSON, strict, with every field optional; and its way into the planner.

Defaults are the planner's own, limits are those of `service.schemas.json.ranges`. One default differs: a
request that says nothing of a prescription asks for the planner's Prescription, one that says null for paths
alone. What the planner cannot use yet has no field here, so that asking for it is refused, not ignored.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from anatomy.names.did_you_mean import did_you_mean
from anatomy.patient.pose import Position
from anatomy.structures import Role
from planner.records.request.gauge import OUTSIDE_MM
from planner.records.request.needle import Needle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.pose import PoseRequest
from planner.records.request.prescription import Prescription
from planner.records.request.ranking import DEFAULT_RANKING
from planner.records.request.request import Request
from planner.records.request.robustness import RobustnessRequest
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.scores import SCORES
from service.schemas.json.ranges import MAX_NAMES
from service.schemas.json.strict import Strict
from service.schemas.json.to_record import to_record
from service.schemas.request.fields import UNIQUE, WHOLE, Name, Names, NamesOrNone, each_once, kind_of, within
from service.schemas.request.prescription import PrescriptionModel
from service.schemas.request.seeds_and_needles import (
    NeedleSetRequestModel,
    RobustnessRequestModel,
    SeedsModel,
)

MAX_REQUEST_BYTES = 1_000_000
"""Longer than a request that names every structure it may name."""

ClearanceMm = Annotated[float, within("/clearance_mm/*")]
Weight = Annotated[float, within("/ranking/weights/*")]


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
    margin_mm: Annotated[float, within("/target/margin_mm")] = TargetRequest.margin_mm
    min_chord_mm: Annotated[float, within("/target/min_chord_mm")] | None = TargetRequest.min_chord_mm
    cut_back: NamesOrNone = TargetRequest.cut_back

    def to_record(self) -> TargetRequest:
        """As the planner takes it: a tuple of names, empty for null."""
        named = (self.structure,) if isinstance(self.structure, str) else self.structure or ()
        return TargetRequest(named, self.margin_mm, self.min_chord_mm, self.cut_back)


class NeedleModel(Strict):
    """The coaxial needle. `max_length_mm` runs from tip to hub. The diameter tells the gauge: where that is
    given, it must be the diameter's."""

    gauge: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}G$")] | None = None
    outer_diameter_mm: Annotated[float, within("/needle/outer_diameter_mm")] = Needle.outer_diameter_mm
    max_length_mm: Annotated[float, within("/needle/max_length_mm")] = Needle.max_length_mm

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


class PoseModel(Strict):
    """How the patient lies, and what is around the patient."""

    position: Position = PoseRequest.position
    rotation_deg: Annotated[float, within("/pose/rotation_deg")] = PoseRequest.rotation_deg
    table: Name = PoseRequest.table
    bore_diameter_mm: Annotated[float, within("/pose/bore_diameter_mm")] = PoseRequest.bore_diameter_mm
    hub_length_mm: Annotated[float, within("/pose/hub_length_mm")] = PoseRequest.hub_length_mm
    hub_diameter_mm: Annotated[float, within("/pose/hub_diameter_mm")] = PoseRequest.hub_diameter_mm


class SearchModel(Strict):
    """How finely to search, for how long, and how much to return."""

    max_paths: Annotated[int, within("/search/max_paths"), WHOLE] = SearchRequest.max_paths
    covering_radius_mm: Annotated[float, within("/search/covering_radius_mm")] = (
        SearchRequest.covering_radius_mm
    )
    time_limit_s: Annotated[float, within("/search/time_limit_s")] | None = SearchRequest.time_limit_s
    min_separation_mm: Annotated[float, within("/search/min_separation_mm")] = SearchRequest.min_separation_mm
    field_resolution_mm: Annotated[float, within("/search/field_resolution_mm")] = (
        SearchRequest.field_resolution_mm
    )


class WeightsModel(Strict):
    """Order by a weighted sum of scores."""

    weights: Annotated[dict[ScoreName, Weight], Field(min_length=1, max_length=MAX_NAMES)]


def _default_in_words(schema: dict[str, Any]) -> None:
    """Generators of clients have problems with an object as the default of a nullable field."""
    del schema["default"]
    schema["description"] = "Left out: the defaults of its fields. null: paths alone, without seeds and dose."


class PlanRequest(Strict):
    """A request for a plan. `{}` takes every default."""

    target: TargetModel = TargetModel()
    needle: NeedleModel = NeedleModel()
    clearance_mm: Annotated[dict[Name, ClearanceMm], Field(max_length=MAX_NAMES)] = {}
    roles: Annotated[dict[Name, Role], Field(max_length=MAX_NAMES)] = {}
    pose: PoseModel = PoseModel()
    search: SearchModel = SearchModel()
    ranking: Annotated[
        Annotated[ScoreNames, Tag("<many>")] | Annotated[WeightsModel, Tag("<table>")],
        Discriminator(
            kind_of,
            custom_error_type="ranking",
            custom_error_message='Give a list of score names, or {"weights": {name: number}}',
        ),
    ] = DEFAULT_RANKING
    seeds: SeedsModel = SeedsModel()
    needle_set: NeedleSetRequestModel = NeedleSetRequestModel()
    prescription: Annotated[PrescriptionModel | None, Field(json_schema_extra=_default_in_words)] = (
        PrescriptionModel()
    )
    robustness: RobustnessRequestModel = RobustnessRequestModel()
    random_seed: Annotated[int, within("/random_seed"), WHOLE] = 0

    def to_request(self) -> Request:
        """The request as the planner takes it, with all defaults in."""
        weights = self.ranking.weights if isinstance(self.ranking, WeightsModel) else {}
        return Request(
            target=self.target.to_record(),
            needle=Needle(self.needle.outer_diameter_mm, self.needle.max_length_mm),
            clearance_mm={**Request().clearance_mm, **self.clearance_mm},
            roles={name: str(role) for name, role in self.roles.items()},
            pose=PoseRequest(**dict(self.pose)),
            search=SearchRequest(**dict(self.search)),
            ranking=DEFAULT_RANKING if isinstance(self.ranking, WeightsModel) else self.ranking,
            weights=weights,
            seeds=to_record(self.seeds, SeedRequest),
            needle_set=to_record(self.needle_set, NeedleSetRequest),
            prescription=None if self.prescription is None else to_record(self.prescription, Prescription),
            robustness=to_record(self.robustness, RobustnessRequest),
            random_seed=self.random_seed,
        )
