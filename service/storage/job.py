"""Job: one piece of work on one case, as the database had it; its events; a new job to accept."""

from dataclasses import dataclass
from typing import Any

from service.host.timestamp import rfc3339
from service.schemas.result_kinds import ResultKind
from service.storage.job_states import State


@dataclass(frozen=True)
class JobOrder:
    """What a job has to do, and for whom: the body of the request as it was sent, on a case, and a plan where
    it is about one."""

    id: str
    owner: str
    case_id: str
    kind: ResultKind
    asked: str
    plan_id: str | None


@dataclass(frozen=True)
class Job(JobOrder):
    """A job as it was when the database was read."""

    number: int
    state: State
    attempt: int
    begun_by: str | None
    losses: int
    submission: int
    phase: str | None
    fraction: float
    begun_s: float | None
    left_s: float | None
    result_id: str | None
    result_plan_id: str | None
    problem: dict[str, Any] | None
    last_event: int
    created_s: float
    ended_s: float | None

    def to_json(self) -> dict[str, Any]:
        """The job as the service answers it."""
        at_work = self.state is State.RUNNING and self.phase is not None
        return {
            "id": self.id,
            "kind": str(self.kind),
            "state": str(self.state),
            "case": f"/v1/cases/{self.case_id}",
            "progress": progress_to_json(self) if at_work else None,
            "attempt": self.attempt,
            "created": rfc3339(self.created_s),
            "ended": None if self.ended_s is None else rfc3339(self.ended_s),
            "plan": None if self.result_plan_id is None else f"/v1/{ResultKind.PLAN}/{self.result_plan_id}",
            "result": None if self.result_id is None else f"/v1/{self.kind}/{self.result_id}",
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Event:
    """An event of a job; events of one job are numbered 1, 2, 3, ..."""

    number: int
    state: State
    phase: str | None
    fraction: float
    left_s: float | None

    def to_json(self) -> dict[str, Any]:
        """The event as the service answers it."""
        progress = None if self.phase is None else progress_to_json(self)
        return {"state": str(self.state), "progress": progress}


def progress_to_json(at: Job | Event) -> dict[str, Any]:
    """The progress as the service answers it; the time left is rounded to 0.1 s."""
    left_s = None if at.left_s is None else round(at.left_s, 1)
    return {"phase": at.phase, "fraction": at.fraction, "left_s": left_s}


@dataclass(frozen=True)
class NewJob(JobOrder):
    """Work to accept. `key` is an Idempotency-Key, `fingerprint` the sha256 of the request that came with
    it."""

    key: str | None = None
    fingerprint: str = ""
