"""Results schema: an evaluation and a replanning as strict models of JSON. A plan in them is a whole plan."""

from typing import Annotated, Literal

from pydantic import Field

from planner.records import dose as dose_records
from planner.records import followup as followup_records
from planner.records import plan as plan_records
from planner.records import verification as verification_records
from planner.records.request import GivenSeed
from service.schemas.json.strict import Strict
from service.schemas.json.to_record import optional_record, to_record
from service.schemas.plan.fields import Count, Gy, Length, Percent, PointMm, Sha256
from service.schemas.plan.implant import GoalResultModel, OrganDoseModel, TargetDoseModel, VolumeDoseModel
from service.schemas.plan.model import OutcomeModel, PlanModel, VerificationModel
from service.schemas.request.seeds_and_needles import GivenSeedModel


class ColdSpotModel(Strict):
    """A region of the PTV that gets less than the prescribed dose."""

    volume_cc: Length
    centre_mm: PointMm
    least_dose_gy: Gy
    least_at_mm: PointMm


class AchievedModel(Strict):
    """What the seeds found after an implant give."""

    seeds_found: Count
    seeds_outside_ptv: Count
    seed_pairs_near: Count
    target: TargetDoseModel
    gtv: VolumeDoseModel
    organs: tuple[OrganDoseModel, ...]
    goals: tuple[GoalResultModel, ...]
    cold_spots: tuple[ColdSpotModel, ...]


class EvaluationModel(Strict):
    """An implant as it came out; `supplement` is a plan that brings D90 back, null where none is needed."""

    schema_: Annotated[Literal["seedpath.evaluation/2"], Field(alias="schema")]
    plan_sha256: Sha256
    seeds: tuple[GivenSeedModel, ...]
    outcome: OutcomeModel
    planned: TargetDoseModel | None
    achieved: AchievedModel
    supplement: PlanModel | None
    verification: VerificationModel | None

    def to_record(self) -> followup_records.Evaluation:
        """The planner's record."""
        return followup_records.Evaluation(
            schema=self.schema_,
            plan_sha256=self.plan_sha256,
            seeds=tuple(to_record(seed, GivenSeed) for seed in self.seeds),
            outcome=to_record(self.outcome, plan_records.Outcome),
            planned=optional_record(self.planned, dose_records.TargetDose),
            achieved=to_record(self.achieved, followup_records.Achieved),
            supplement=None if self.supplement is None else self.supplement.to_record(),
            verification=optional_record(self.verification, verification_records.Verification),
        )


class NeedleChangeModel(Strict):
    """A needle before and after replanning; null: it was not there."""

    before_id: str | None
    after_id: str | None
    entry_moved_mm: Length | None
    tip_moved_mm: Length | None
    seeds_before: Count
    seeds_after: Count


class ChangesModel(Strict):
    """What replanning changed: needles, seeds on them, seeds that were in already, and what all give."""

    needles: tuple[NeedleChangeModel, ...]
    seeds_before: Count
    seeds_after: Count
    given_seeds_before: Count
    given_seeds_after: Count
    d90_before_gy: Gy
    d90_after_gy: Gy
    v100_before_percent: Percent
    v100_after_percent: Percent
    sentences: tuple[str, ...]


class ReplannedModel(Strict):
    """A plan around needles as measured, and what changed against the plan before."""

    schema_: Annotated[Literal["seedpath.replan/2"], Field(alias="schema")]
    plan_sha256: Sha256
    changes: ChangesModel
    plan: PlanModel
    verification: VerificationModel | None

    def to_record(self) -> followup_records.Replanned:
        """The planner's record."""
        return followup_records.Replanned(
            schema=self.schema_,
            plan_sha256=self.plan_sha256,
            changes=to_record(self.changes, followup_records.Changes),
            plan=self.plan.to_record(),
            verification=optional_record(self.verification, verification_records.Verification),
        )
