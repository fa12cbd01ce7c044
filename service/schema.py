"""Schema: the request as JSON, strict, with every field optional; and its way into and out of the planner.

Defaults are the planner's own, limits are those of `service.limits`. What the planner cannot use yet has no
field here, so that asking for it is refused, not ignored.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from anatomy.pose import Position
from anatomy.structures import Role
from anatomy.suggest import nearest
from planner.request import (
    DEFAULT_RANKING,
    Needle,
    PoseRequest,
    Request,
    SearchRequest,
    SeedRequest,
    TargetRequest,
)
from planner.scores import SCORES
from service.limits import LIMITS, MAX_NAME_LENGTH, MAX_NAMES
from service.strict_json import Strict

MAX_REQUEST_BYTES = 1_000_000
"""A request naming every structure it may name is shorter."""


def _within(pointer: str) -> Any:
    limit = LIMITS[pointer]
    return Field(ge=limit.low, le=limit.high, description=f"{limit.unit}; {limit.reason}".removeprefix("; "))


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_NAMES)]
ClearanceMm = Annotated[float, _within("/clearance_mm/*")]
Weight = Annotated[float, _within("/ranking/weights/*")]


def _known_score(name: str) -> str:
    known = [score.name for score in SCORES]
    if name not in known:
        raise ValueError(f"{name!r} is not a known score. {nearest(name, known)}")
    return name


ScoreName = Annotated[Name, AfterValidator(_known_score)]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for n, name in enumerate(names):
        if name in names[:n]:
            raise ValueError(f"{name!r} is named twice. Name each once.")
    return names


ScoreNames = Annotated[
    tuple[ScoreName, ...], Field(min_length=1, max_length=MAX_NAMES), AfterValidator(_each_once)
]


def _kind(value: Any) -> str:
    """Which member of a union a value means: tags that no document holds as a name by chance."""
    if value is None:
        return "<null>"
    if isinstance(value, str):
        return "<one>"
    if isinstance(value, dict):
        return "<table>"
    return "<many>" if isinstance(value, list | tuple) else "<other>"


class TargetModel(Strict):
    """What is treated: one structure, several as one target, or null for those whose role is target."""

    structure: Annotated[
        Annotated[Name, Tag("<one>")] | Annotated[Names, Tag("<many>")] | Annotated[None, Tag("<null>")],
        Discriminator(
            _kind,
            custom_error_type="target_structure",
            custom_error_message="Give a structure's name, a list of names, or null",
        ),
    ] = None
    margin_mm: Annotated[float, _within("/target/margin_mm")] = TargetRequest.margin_mm
    min_chord_mm: Annotated[float, _within("/target/min_chord_mm")] | None = TargetRequest.min_chord_mm

    @field_validator("structure")
    @classmethod
    def _once(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return _each_once(value) if isinstance(value, tuple) else value

    def structures(self) -> tuple[str, ...]:
        """The names, as the planner takes them."""
        if self.structure is None:
            return ()
        return (self.structure,) if isinstance(self.structure, str) else self.structure


class NeedleModel(Strict):
    """The coaxial needle. `max_length_mm` runs from tip to hub."""

    gauge: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}G$")] = Needle.gauge
    outer_diameter_mm: Annotated[float, _within("/needle/outer_diameter_mm")] = Needle.outer_diameter_mm
    max_length_mm: Annotated[float, _within("/needle/max_length_mm")] = Needle.max_length_mm

    @model_validator(mode="after")
    def _gauge_and_diameter_agree(self) -> "NeedleModel":
        if self.gauge != Needle.gauge and "outer_diameter_mm" not in self.model_fields_set:
            raise ValueError(
                f"The gauge is {self.gauge}, the diameter that of {Needle.gauge}: give outer_diameter_mm too."
            )
        return self


class PoseModel(Strict):
    """How the patient lies, and what stands around him."""

    position: Position = PoseRequest.position
    rotation_deg: Annotated[float, _within("/pose/rotation_deg")] = PoseRequest.rotation_deg
    table: Name = PoseRequest.table
    bore_diameter_mm: Annotated[float, _within("/pose/bore_diameter_mm")] = PoseRequest.bore_diameter_mm
    hub_length_mm: Annotated[float, _within("/pose/hub_length_mm")] = PoseRequest.hub_length_mm
    hub_diameter_mm: Annotated[float, _within("/pose/hub_diameter_mm")] = PoseRequest.hub_diameter_mm


class SearchModel(Strict):
    """How finely to search, for how long, and how much to return."""

    max_paths: Annotated[int, _within("/search/max_paths")] = SearchRequest.max_paths
    covering_radius_mm: Annotated[float, _within("/search/covering_radius_mm")] = (
        SearchRequest.covering_radius_mm
    )
    time_limit_s: Annotated[float, _within("/search/time_limit_s")] | None = SearchRequest.time_limit_s
    min_separation_mm: Annotated[float, _within("/search/min_separation_mm")] = (
        SearchRequest.min_separation_mm
    )
    field_resolution_mm: Annotated[float, _within("/search/field_resolution_mm")] = (
        SearchRequest.field_resolution_mm
    )


class WeightsModel(Strict):
    """Order by a weighted sum of scores."""

    weights: Annotated[dict[ScoreName, Weight], Field(min_length=1, max_length=MAX_NAMES)]


class SeedsModel(Strict):
    """Seeds along a track."""

    model: Literal["amersham_6711"] = "amersham_6711"
    spacing_mm: Annotated[float, _within("/seeds/spacing_mm")] = SeedRequest.spacing_mm
    min_spacing_mm: Annotated[float, _within("/seeds/min_spacing_mm")] = SeedRequest.min_spacing_mm

    @model_validator(mode="after")
    def _spacings_agree(self) -> "SeedsModel":
        if self.min_spacing_mm > self.spacing_mm:
            raise ValueError(
                f"spacing_mm {self.spacing_mm:g} is below min_spacing_mm {self.min_spacing_mm:g}. "
                "Widen the one or lower the other."
            )
        return self


class PlanRequest(Strict):
    """What is asked of a plan. `{}` asks for every default."""

    target: TargetModel = TargetModel()
    needle: NeedleModel = NeedleModel()
    clearance_mm: Annotated[dict[Name, ClearanceMm], Field(max_length=MAX_NAMES)] = {}
    roles: Annotated[dict[Name, Role], Field(max_length=MAX_NAMES)] = {}
    pose: PoseModel = PoseModel()
    search: SearchModel = SearchModel()
    ranking: Annotated[
        Annotated[ScoreNames, Tag("<many>")] | Annotated[WeightsModel, Tag("<table>")],
        Discriminator(
            _kind,
            custom_error_type="ranking",
            custom_error_message='Give a list of score names, or {"weights": {name: number}}',
        ),
    ] = DEFAULT_RANKING
    seeds: SeedsModel = SeedsModel()
    random_seed: Annotated[int, _within("/random_seed")] = 0

    def to_request(self) -> Request:
        """The request as the planner takes it, with all defaults in."""
        weights = self.ranking.weights if isinstance(self.ranking, WeightsModel) else {}
        return Request(
            target=TargetRequest(self.target.structures(), self.target.margin_mm, self.target.min_chord_mm),
            needle=Needle(**dict(self.needle)),
            clearance_mm={**Request().clearance_mm, **self.clearance_mm},
            roles={name: str(role) for name, role in self.roles.items()},
            pose=PoseRequest(**dict(self.pose)),
            search=SearchRequest(**dict(self.search)),
            ranking=DEFAULT_RANKING if isinstance(self.ranking, WeightsModel) else self.ranking,
            weights=weights,
            seeds=SeedRequest(**dict(self.seeds)),
            random_seed=self.random_seed,
        )


def _float_or_null(value: float | None) -> float | None:
    return None if value is None else float(value)


def request_to_json(request: Request) -> dict[str, Any]:
    """The request as a plan states it: contract names, contract order, tables sorted by name.

    `PlanRequest` reads it back to an equal Request.
    """
    names = request.target.structures
    clearances = dict(request.clearance_mm)
    default = clearances.pop("default", 2.0)
    return {
        "target": {
            "structure": None if not names else names[0] if len(names) == 1 else list(names),
            "margin_mm": float(request.target.margin_mm),
            "min_chord_mm": _float_or_null(request.target.min_chord_mm),
        },
        "needle": {
            "gauge": request.needle.gauge,
            "outer_diameter_mm": float(request.needle.outer_diameter_mm),
            "max_length_mm": float(request.needle.max_length_mm),
        },
        "clearance_mm": {"default": float(default)} | {n: float(clearances[n]) for n in sorted(clearances)},
        "roles": {name: str(request.roles[name]) for name in sorted(request.roles)},
        "pose": {
            "position": str(request.pose.position),
            "rotation_deg": float(request.pose.rotation_deg),
            "table": request.pose.table,
            "bore_diameter_mm": float(request.pose.bore_diameter_mm),
            "hub_length_mm": float(request.pose.hub_length_mm),
            "hub_diameter_mm": float(request.pose.hub_diameter_mm),
        },
        "search": {
            "max_paths": request.search.max_paths,
            "covering_radius_mm": float(request.search.covering_radius_mm),
            "time_limit_s": _float_or_null(request.search.time_limit_s),
            "min_separation_mm": float(request.search.min_separation_mm),
            "field_resolution_mm": float(request.search.field_resolution_mm),
        },
        "ranking": (
            {"weights": {name: float(request.weights[name]) for name in sorted(request.weights)}}
            if request.weights
            else list(request.ranking)
        ),
        "seeds": {
            "model": request.seeds.model,
            "spacing_mm": float(request.seeds.spacing_mm),
            "min_spacing_mm": float(request.seeds.min_spacing_mm),
        },
        "random_seed": request.random_seed,
    }
