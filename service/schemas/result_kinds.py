"""JobResult: what jobs make, as texts: a plan, an evaluation, or a replanning."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from planner.paths.skin_access import SkinAccess
from planner.plan import PlanningResult
from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan
from service.schemas.plan.file import is_plan_of, plan_sha256, write_plan
from service.schemas.plan.followup_file import write_evaluation, write_replanned
from service.schemas.plan_summary import summary_text
from service.schemas.skin_access import write_access


class ResultKind(StrEnum):
    """What was made, by the word that its address has."""

    PLAN = "plans"
    EVALUATION = "evaluations"
    REPLAN = "replans"


def is_text_of(kind: ResultKind, id: str, text: bytes) -> bool:
    """Whether a text is what has that id, byte for byte."""
    return is_plan_of(id, text) if kind is ResultKind.PLAN else _sha256(text) == id


@dataclass(frozen=True)
class JobResult:
    """A text and its id, a sha256: a plan's own, or that of the whole text.

    `plan` is a plan within, which is kept as one too; a plan holds none. `access` is the skin access map that
    a plan was chosen from, where it was made by planning alone. `summary` is by what lists know a plan.
    """

    kind: ResultKind
    id: str
    text: bytes
    plan: "JobResult | None" = None
    access: bytes | None = None
    summary: str | None = None

    @property
    def size_bytes(self) -> int:
        """What it takes in the store, without the plan within it."""
        return len(self.text) + len(self.access or b"")

    @property
    def plan_id(self) -> str | None:
        """The plan that was made, if one was."""
        if self.kind is ResultKind.PLAN:
            return self.id
        return None if self.plan is None else self.plan.id


def planning_result(planning: PlanningResult) -> JobResult:
    """A plan, with its skin access map."""
    return plan_result(planning.plan, planning.access)


def plan_result(plan: Plan, access: SkinAccess | None = None) -> JobResult:
    """A plan."""
    id = plan_sha256(plan)
    drawn = None if access is None else write_access(id, access)
    return JobResult(ResultKind.PLAN, id, write_plan(plan), access=drawn, summary=summary_text(plan))


def evaluation_result(evaluation: Evaluation) -> JobResult:
    """An evaluation, with its supplement where it has one."""
    text, supplement = write_evaluation(evaluation), evaluation.supplement
    return JobResult(
        ResultKind.EVALUATION, _sha256(text), text, None if supplement is None else plan_result(supplement)
    )


def replan_result(replanned: Replanned) -> JobResult:
    """A replanning, with its plan."""
    text = write_replanned(replanned)
    return JobResult(ResultKind.REPLAN, _sha256(text), text, plan_result(replanned.plan))


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
