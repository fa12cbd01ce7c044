"""Jobs: work that runs while the client does something else: planning, evaluating, planning again.

    queued --> running --> done        what was made is in the store
       |          |------> failed      a problem says why
       '----------+------> cancelled   for good: what came too late is dropped

They live in the service's memory: the work is deterministic, and a lost job is asked for again.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from anatomy.errors import AnatomyError
from planner.progress import Cancelled
from service.made import Made
from service.pool import Pool, Task
from service.problems import Report, of_input, problem
from service.settings import Settings
from service.store import Store, StoredCase, parts_by_name

_log = logging.getLogger("seedpath.jobs")


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One piece of work on one case. `ended` is resolved once the state is final; `result` is what was made,
    without its text."""

    id: str
    case_id: str
    task: Task
    ended: "Future[None]" = field(default_factory=Future)
    final: State | None = None
    cancel_requested: bool = False
    result: Made | None = None
    report: Report | None = None

    @property
    def state(self) -> State:
        """Where the job stands now."""
        if self.final is not None:
            return self.final
        return State.RUNNING if self.task.started() else State.QUEUED

    def to_json(self) -> dict[str, Any]:
        """The job as the service answers it."""
        state = self.state
        progress = self.task.progress() if state is State.RUNNING else None
        return {
            "id": self.id,
            "state": str(state),
            "case": f"/v1/cases/{self.case_id}",
            "progress": None if progress is None else {"phase": progress[0], "fraction": progress[1]},
            "cancel_requested": self.cancel_requested,
            "plan": None if self.result is None else self.result.plan_address,
            "result": None if self.result is None else self.result.address,
            "problem": None if self.report is None else self.report.to_json(),
        }


class Jobs:
    """All jobs of a service, and the processes that do them."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._pool = Pool(settings.workers, settings.max_jobs)
        self._max_finished = settings.max_finished_jobs
        self._store = store
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def submit(self, stored: StoredCase, work: Callable[..., Made], *arguments: Any) -> Job:
        """Queue work on a case: one of `service.tasks`, with its arguments after the desk.

        Raises Problem when too many jobs wait.
        """
        task = self._pool.submit(work, *arguments)
        if task is None:
            raise problem("busy", "Too many jobs wait. Cancel some, or try again later.")
        job = Job(uuid.uuid4().hex, stored.record["id"], task)
        with self._lock:
            self._jobs[job.id] = job
            self._forget_oldest()
        task.future.add_done_callback(lambda future: self._end(job, stored, future))
        return job

    def get(self, job_id: str) -> Job:
        """A job. Raises Problem when it is not there."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise problem(
                "not-found", "There is no such job. Jobs end with the service; what they made stays."
            )
        return job

    def cancel(self, job: Job) -> None:
        """Withdraw a job. One that has ended stays as it is."""
        with self._lock:
            if job.final is not None:
                return
            job.cancel_requested = True
            if not job.task.started():
                self._finish(job, State.CANCELLED)
        job.task.cancel()

    def uses(self, case_id: str) -> bool:
        """Whether a job that has not ended works on the case."""
        with self._lock:
            return any(j.case_id == case_id and j.final is None for j in self._jobs.values())

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._lock:
            states = [job.state for job in self._jobs.values()]
        return {str(state): states.count(state) for state in State}

    def close(self) -> None:
        """Cancel all jobs and wait for the processes to end."""
        self._pool.close()

    def _end(self, job: Job, stored: StoredCase, future: "Future[Made]") -> None:
        """Keep what came out. Runs in a thread of the pool."""
        error = None if future.cancelled() else future.exception()
        made = None
        if error is None and not future.cancelled() and not job.cancel_requested:
            made = future.result()
            try:
                self._store.keep(made)
            except OSError as failure:
                error = failure
        with self._lock:
            if job.final is not None:
                return
            if future.cancelled() or job.cancel_requested or isinstance(error, Cancelled):
                self._finish(job, State.CANCELLED)
            elif isinstance(error, AnatomyError):
                job.report = of_input(error, stored.folder, parts_by_name(stored.record))
                self._finish(job, State.FAILED)
            elif error is not None:
                _log.error("job %s failed", job.id, exc_info=error)
                job.report = Report("failed", "The work failed unexpectedly. The service's log says more.")
                self._finish(job, State.FAILED)
            else:
                job.result = None if made is None else made.without_text()
                self._finish(job, State.DONE)

    def _finish(self, job: Job, state: State) -> None:
        job.final = state
        job.ended.set_result(None)

    def _forget_oldest(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.final is not None]
        for job_id in finished[: max(0, len(finished) - self._max_finished)]:
            del self._jobs[job_id]
