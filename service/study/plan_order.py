"""Plan order: one plan of a study (one case under one ranking), its job, and its outcome.

The job's id is made of everything on which the plan depends, so that the job table finds an earlier job
again.
"""

import hashlib
import json
from dataclasses import dataclass

from planner import SOFTWARE
from planner.records.plan import Plan
from planner.records.request.request import Request
from service.schemas.request.writer import request_to_json
from service.schemas.result_kinds import ResultKind
from service.storage.job import Job, NewJob
from service.storage.job_states import FINAL, State

OWNER = "study"
"""The owner of all jobs and cases of a study."""

REFUSED = "unusable-input"
"""The kind of problem that is caused by the input: it returns however often the plan is tried."""


@dataclass(frozen=True)
class StudyPlan:
    """One plan of a study: the names of case and ranking, the stored case's id, and the complete request."""

    case: str
    ranking: str
    case_id: str
    request: Request

    def order(self, attempt: int) -> NewJob:
        """Its new job. `attempt` counts earlier jobs that failed."""
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
    """Whether a job ended for a reason that may not return: a limit, a killed process, a full disk."""
    if job.state is State.FAILED:
        return kind_of_problem(job) != REFUSED
    return job.state is State.CANCELLED


def kind_of_problem(job: Job) -> str:
    """The kind of problem that ended a job, one of problems.KINDS; "cancelled" if it was cancelled."""
    assert job.state in FINAL
    return "cancelled" if job.problem is None else str(job.problem["type"]).rpartition("/")[2]
