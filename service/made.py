"""Made: what jobs make, as texts with addresses: a plan, an evaluation, or a replanning."""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from planner.implant_results import Evaluation, Replanned
from planner.records import Plan
from service.plan_json import plan_sha256, write_plan
from service.results_json import write_evaluation, write_replanned


class Kind(StrEnum):
    """What was made, by the word that its address has."""

    PLAN = "plans"
    EVALUATION = "evaluations"
    REPLAN = "replans"


@dataclass(frozen=True)
class Made:
    """A text and its id, a sha256: a plan's own, or that of the whole text.

    `plan` is a plan within, which has an address of its own; a plan holds none.
    """

    kind: Kind
    id: str
    text: bytes
    plan: "Made | None" = None

    @property
    def address(self) -> str:
        """Where the service answers it."""
        return f"/v1/{self.kind}/{self.id}"

    def without_text(self) -> "Made":
        """Its id and addresses alone."""
        return replace(self, text=b"", plan=None if self.plan is None else self.plan.without_text())

    @property
    def plan_address(self) -> str | None:
        """Where the service answers the plan that was made, if one was."""
        if self.kind is Kind.PLAN:
            return self.address
        return None if self.plan is None else self.plan.address


def of_plan(plan: Plan) -> Made:
    """A plan."""
    return Made(Kind.PLAN, plan_sha256(plan), write_plan(plan))


def of_evaluation(evaluation: Evaluation) -> Made:
    """An evaluation, with its supplement where it has one."""
    text, supplement = write_evaluation(evaluation), evaluation.supplement
    return Made(Kind.EVALUATION, _sha256(text), text, None if supplement is None else of_plan(supplement))


def of_replanned(replanned: Replanned) -> Made:
    """A replanning, with its plan."""
    text = write_replanned(replanned)
    return Made(Kind.REPLAN, _sha256(text), text, of_plan(replanned.plan))


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
