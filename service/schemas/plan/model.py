"""Plan schema: a plan file's JSON as strict models, the contract's names, each with its way into records.

Frame P (LPS), mm, degrees where named. `planner.records.plan` says what each quantity means. The parts about
the implant are in `service.schemas.plan.implant`.
"""

from typing import Annotated, Literal

from pydantic import Field

from anatomy.structures import InputDigest, Role
from planner.records import dose as dose_records
from planner.records import needle_set as needle_set_records
from planner.records import paths as paths_records
from planner.records import plan as plan_records
from planner.records import robustness as robustness_records
from planner.records import search as search_records
from planner.records import verification as verification_records
from service.schemas.json.strict import Strict
from service.schemas.json.to_record import optional_record, to_record
from service.schemas.plan.fields import Count, Length, PointMm, Sha256, Share
from service.schemas.plan.implant import DoseReportModel, NeedleSetModel, RobustnessModel
from service.schemas.request.model import PlanRequest


class InputModel(Strict):
    """An input file: its name without folder, its sha256, and of a surface the axes that its numbers were
    read in."""

    name: str
    sha256: Sha256
    axes: Literal["lps", "ras"] | None = None


class OutcomeModel(Strict):
    """How planning ended, and what to do about it."""

    status: plan_records.Status
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
    aim: paths_records.Aim
    pareto: bool
    seeds: tuple[SeedModel, ...]


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


class PlanModel(Strict):
    """A plan, as files hold it and the service answers it."""

    # The contract names the key "schema"; pydantic keeps that attribute name for itself.
    schema_: Annotated[Literal["seedpath.plan/2"], Field(alias="schema")]
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
    needle_set: NeedleSetModel | None
    dose: DoseReportModel | None
    robustness: RobustnessModel | None
    verification: VerificationModel | None

    def to_record(self) -> plan_records.Plan:
        """The planner's record."""
        return plan_records.Plan(
            schema=self.schema_,
            software=self.software,
            frame=self.frame,
            inputs=tuple(InputDigest(i.name, i.sha256, i.axes) for i in self.inputs),
            request=self.request.to_request(),
            roles=tuple((name, str(role)) for name, role in self.roles.items()),
            skin_source=self.skin_source,
            missing_structures=self.missing_structures,
            notes=self.notes,
            outcome=to_record(self.outcome, plan_records.Outcome),
            search=to_record(self.search, search_records.SearchReport),
            paths=tuple(to_record(p, paths_records.Path) for p in self.paths),
            windows=tuple(to_record(w, paths_records.Window) for w in self.windows),
            blocked_by=tuple(to_record(b, search_records.Blocker) for b in self.blocked_by),
            nearest_miss=optional_record(self.nearest_miss, search_records.NearestMiss),
            needle_set=optional_record(self.needle_set, needle_set_records.NeedleSet),
            dose=optional_record(self.dose, dose_records.DoseReport),
            robustness=optional_record(self.robustness, robustness_records.Robustness),
            verification=optional_record(self.verification, verification_records.Verification),
        )
