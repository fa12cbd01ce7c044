"""Plan schema: a plan file's JSON as strict models, the contract's names, each with its way into records.

Frame P (LPS), mm, degrees where named. `planner.records` says what each quantity means.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from anatomy.structures import InputDigest, Role
from planner import records
from service.schema import PlanRequest
from service.strict_json import Strict

PointMm = tuple[float, float, float]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Length = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class InputModel(Strict):
    """An input file: its name without folder, and its sha256."""

    name: str
    sha256: Sha256


class OutcomeModel(Strict):
    """How planning ended, and what to do about it."""

    status: records.Status
    message: str


class SearchReportModel(Strict):
    """What was searched, and what that proves."""

    lines_tested: Count
    cells_proved_blocked: Count
    safe_lines: Count
    covering_radius_mm: Length
    complete: bool
    lung_bound_mm: Length
    least_lung_mm: Length | None
    claims: tuple[str, ...]


class CrossingModel(Strict):
    """A structure on the way, between two depths from the entry."""

    structure: str
    from_mm: float
    to_mm: float


class SeedModel(Strict):
    """A seed's centre, axis, depth from the entry and retraction from the stop before."""

    position_mm: PointMm
    axis: PointMm
    depth_mm: float
    retraction_mm: float


class PathModel(Strict):
    """A needle path, ranked and measured."""

    id: str
    rank: Count
    window: str
    approach: str
    entry_mm: PointMm
    tip_mm: PointMm
    direction: PointMm
    length_mm: Length
    lung_length_mm: Length
    pleural_punctures: Count
    fissures_crossed: Count
    clearance_mm: float
    nearest_structure: str
    crosses: tuple[CrossingModel, ...]
    axial_angle_deg: float
    craniocaudal_angle_deg: float
    target_chord_mm: Length
    pareto: bool
    seeds: tuple[SeedModel, ...]

    def to_record(self) -> records.Path:
        """The planner's record."""
        return records.Path(
            **dict(self)
            | {
                "crosses": tuple(records.Crossing(**dict(c)) for c in self.crosses),
                "seeds": tuple(records.SeedDrop(**dict(s)) for s in self.seeds),
            }
        )


class WindowModel(Strict):
    """A connected region of safe lines."""

    id: str
    name: str
    path_ids: tuple[str, ...]
    area_mm2: Length
    best_lung_length_mm: Length


class BlockerModel(Strict):
    """What blocks which share of directions."""

    structure: str
    share: Share


class RelaxationModel(Strict):
    """A single change of the request that opens a path."""

    setting: str
    structure: str
    from_mm: float
    to_mm: float
    entry_mm: PointMm
    tip_mm: PointMm
    lung_length_mm: Length


class NearestMissModel(Strict):
    """The line that comes closest to being safe, and what it lacks."""

    entry_mm: PointMm
    tip_mm: PointMm
    structure: str
    missing_mm: float
    relaxations: tuple[RelaxationModel, ...]

    def to_record(self) -> records.NearestMiss:
        """The planner's record."""
        relaxations = tuple(records.Relaxation(**dict(r)) for r in self.relaxations)
        return records.NearestMiss(**dict(self) | {"relaxations": relaxations})


class CheckModel(Strict):
    """One claim, recomputed."""

    name: str
    subject: str
    claimed: float | str
    recomputed: float | str
    tolerance: float
    passed: bool


class VerificationModel(Strict):
    """All claims, recomputed by another route, and pointers to what only a search can tell."""

    passed: bool
    checks: tuple[CheckModel, ...]
    not_recomputed: tuple[str, ...]

    def to_record(self) -> records.Verification:
        """The planner's record."""
        checks = tuple(records.Check(**dict(c)) for c in self.checks)
        return records.Verification(self.passed, checks, self.not_recomputed)


class PlanModel(Strict):
    """A plan, as files hold it and the service answers it."""

    # The contract names the key "schema"; pydantic keeps that attribute name for itself.
    schema_: Annotated[Literal["seedpath.plan/1"], Field(alias="schema")]
    plan_sha256: Sha256
    software: str
    inputs: tuple[InputModel, ...]
    frame: Literal["LPS"]
    request: PlanRequest
    roles: dict[str, Role]
    skin_source: str
    notes: tuple[str, ...]
    outcome: OutcomeModel
    search: SearchReportModel
    paths: tuple[PathModel, ...]
    windows: tuple[WindowModel, ...]
    blocked_by: tuple[BlockerModel, ...]
    missing_structures: tuple[str, ...]
    nearest_miss: NearestMissModel | None
    verification: VerificationModel | None

    def to_record(self) -> records.Plan:
        """The planner's record."""
        return records.Plan(
            schema=self.schema_,
            software=self.software,
            frame=self.frame,
            inputs=tuple(InputDigest(i.name, i.sha256) for i in self.inputs),
            request=self.request.to_request(),
            roles=tuple((name, str(role)) for name, role in self.roles.items()),
            skin_source=self.skin_source,
            missing_structures=self.missing_structures,
            notes=self.notes,
            outcome=records.Outcome(self.outcome.status, self.outcome.message),
            search=records.SearchReport(**dict(self.search)),
            paths=tuple(p.to_record() for p in self.paths),
            windows=tuple(records.Window(**dict(w)) for w in self.windows),
            blocked_by=tuple(records.Blocker(**dict(b)) for b in self.blocked_by),
            nearest_miss=None if self.nearest_miss is None else self.nearest_miss.to_record(),
            verification=None if self.verification is None else self.verification.to_record(),
        )
