"""StudyPlan: one plan of a study, one case under one ranking: its order, and what came of it.

The order's id is made of all that the plan follows from, so that the job table finds again what it took
before.
"""

import hashlib
import json
from dataclasses import dataclass

from planner import SOFTWARE
from planner.records.plan import Plan
from planner.records.request import Request
from service.schemas.request.writer import request_to_json
from service.schemas.result_kinds import ResultKind
from service.storage.job import Job, NewJob
from service.storage.job_states import FINAL, State

OWNER = "study"
"""Whose jobs and cases all of a study's are."""

REFUSED = "unusable-input"
"""The kind of problem that follows from the input: it comes again as often as it is tried."""


@dataclass(frozen=True)
class StudyPlan:
    """One plan of a study: the names of case and ranking, the stored case's id, and the whole request."""

    case: str
    ranking: str
    case_id: str
    request: Request

    def order(self, attempt: int) -> NewJob:
        """The order for its job. `attempt` counts orders of which the one before came to nothing."""
        body = json.dumps(request_to_json(self.request), sort_keys=True)
        made_of = json.dumps([SOFTWARE, self.case_id, body, attempt])
        return NewJob(
            id=hashlib.sha256(made_of.encode()).hexdigest()[:32],
            owner=OWNER,
            case_id=self.case_id,
            kind=ResultKind.PLAN,
            asked=body,
            plan_id=None,
        )


@dataclass(frozen=True)
class StudyOutcome:
    """A plan of a study, or why there is none: the kind of problem and its sentence."""

    study_plan: StudyPlan
    plan: Plan | None
    plan_sha256: str | None
    problem: str | None
    message: str


def is_worth_trying_again(job: Job) -> bool:
    """Whether a job ended by what may be otherwise the next time: a limit, a death, a full disk."""
    if job.state is State.FAILED:
        return kind_of_problem(job) != REFUSED
    return job.state is State.CANCELLED


def kind_of_problem(job: Job) -> str:
    """The kind of problem that ended a job, one of problems.KINDS; "cancelled" where it was withdrawn."""
    assert job.state in FINAL
    return "cancelled" if job.problem is None else str(job.problem["type"]).rpartition("/")[2]
