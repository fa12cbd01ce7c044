"""Worker: runs one job in a Dask worker. It starts an attempt, works in a sandbox, and ends the attempt as
the job table allows.

`run_job` may be called for one job any number of times, one after the other or at once: only the attempt that
was started last counts, and a job that has ended is left alone.
"""

import functools
import logging
import threading
import time

from anatomy.errors import AnatomyError
from planner.records.progress import Phase, Progress
from planner.records.wording.number_text import counted
from service.host.errors import ServiceError
from service.jobs.error_reports import input_report, report_of
from service.jobs.errors import LimitReached
from service.jobs.job_table import JobTable
from service.jobs.memory_limits import job_memory_bytes
from service.jobs.sandbox.sandbox import (
    LimitExceeded,
    ProcessLost,
    ResourceLimits,
    SandboxedProcess,
    Stopped,
    TaskFailed,
)
from service.jobs.watchdog import watchdog
from service.jobs.workspace import Workspace, workspace_of
from service.logs.json_lines import job_id as job_id_of_logs
from service.logs.json_lines import log_to_stderr
from service.operations.case_files import parts_by_name
from service.operations.job_tasks import JobSpec, Work, do
from service.problems import Report
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import JobResult
from service.settings import Settings
from service.storage.errors import NoRoom
from service.storage.file_store import Store, StoredCase
from service.storage.job import Job
from service.storage.reserved_space import ReservedSpace, reserve_of

_log = logging.getLogger("seedpath.jobs")

REPORT_S = 0.25
"""Progress within one phase is recorded this often at most [U]."""

PATIENCE_S = 120.0
"""How long a worker waits for an unreachable database: it has work to lose [U]."""

ROOM_S, ROOM_LOOK_S = 300.0, 1.0
"""How long a job that is about to start waits for space on a full disk, and how often it checks [U]."""

OVERDUE_S = 300.0
"""What an attempt may take besides its work: it reads the case, and waits for a database, both for minutes at
most [U]."""

UNEXPECTED = Report("failed", "The work failed unexpectedly. The service's log says more.")


def run_job(settings: Settings, work: Work, job_id: str) -> None:
    """Run a job to its end, or find that it has ended.

    Raises database.connection.Unavailable when the database stays unreachable.
    """
    workspace = _workspace(settings)
    store, job_table = workspace.store, workspace.job_table
    job_id_of_logs.set(job_id)
    times = counted(settings.job_attempts, "time")
    died = Report("failed", f"The process that worked on it died or was stalled, {times}.")
    while (job := job_table.begin(job_id, settings.job_attempts, died)) is not None:
        most_s = ROOM_S + settings.job_time_s + OVERDUE_S
        try:
            with watchdog(most_s, f"job {job.id}", functools.partial(job_table.lose, job)):
                _attempt(job_table, store, reserve_of(settings), work, job, _sandbox(settings))
            return
        except ProcessLost as lost:
            _log.warning("job %s lost its process, attempt %d: %s", job.id, job.attempt, lost)
            if not job_table.lose(job):
                return


def _attempt(
    job_table: JobTable, store: Store, reserve: ReservedSpace, work: Work, job: Job, sandbox: SandboxedProcess
) -> None:
    """One attempt. Raises ProcessLost."""
    watch = _Watcher(job_table, job)
    try:
        _await_room(reserve, watch)
        stored = store.case(job.case_id)
        spec = _job_spec(store, stored, job)
    except ServiceError as error:
        job_table.fail(job, report_of(error))
        return
    except Stopped:
        _log.info("job %s is no longer wanted", job.id)
        return
    try:
        result = sandbox.run(do, work, spec, watch=watch)
        assert isinstance(result, JobResult)
        _keep(job_table, store, reserve, job, result)
    except ServiceError as error:
        job_table.fail(job, report_of(error))
    except Stopped:
        _log.info("job %s is no longer wanted", job.id)
    except AnatomyError as error:
        job_table.fail(job, input_report(error, stored.folder, parts_by_name(stored.record)))
    except LimitExceeded as error:
        job_table.fail(job, report_of(LimitReached(f"{error}")))
    except TaskFailed as error:
        _log.error("job %s failed:\n%s", job.id, error)
        job_table.fail(job, UNEXPECTED)


def _await_room(reserve: ReservedSpace, watch: "_Watcher") -> None:
    """Wait until there is space for the result: a disk that is full for a moment fails no waiting job.

    Raises NoRoom where there is none for ROOM_S, and Stopped where the job is no longer wanted.
    """
    end_s = time.monotonic() + ROOM_S
    while True:
        try:
            reserve.refuse_use()
        except NoRoom:
            if time.monotonic() >= end_s:
                raise
        else:
            return
        if not watch(None):
            raise Stopped
        time.sleep(ROOM_LOOK_S)


def _keep(job_table: JobTable, store: Store, reserve: ReservedSpace, job: Job, result: JobResult) -> None:
    try:
        # The disk may have become full or faulty meanwhile: the work is not done again for that.
        reserve.refuse_use()
        job_table.succeed(job, result, store.keep)
    except OSError as error:
        _log.error("the result of job %s cannot be saved", job.id, exc_info=error)
        job_table.fail(
            job, Report("no-room", "What was made cannot be written. The service's log says more.")
        )


def _job_spec(store: Store, stored: StoredCase, job: Job) -> JobSpec:
    plan_text = None if job.plan_id is None else store.kept(ResultKind.PLAN, job.plan_id)
    return JobSpec(job.kind, stored.case, job.asked.encode(), job.plan_id, plan_text)


class _Watcher:
    """Records progress in the job table, and asks it whether the job is still wanted."""

    def __init__(self, job_table: JobTable, job: Job) -> None:
        self._job_table, self._job = job_table, job
        self._phase: Phase | None = None
        self._last: Progress | None = None
        self._due_s = 0.0

    def __call__(self, progress: Progress | None) -> bool:
        self._last = progress or self._last
        new_phase = progress is not None and progress.phase is not self._phase
        if not new_phase and time.monotonic() < self._due_s:
            return True
        self._due_s = time.monotonic() + REPORT_S
        latest, self._last = self._last, None
        try:
            if latest is None:
                return self._job_table.is_at(self._job)
            self._phase = latest.phase
            return self._job_table.report(self._job, latest.phase, latest.fraction)
        except OSError as error:
            # The disk may have space again at the end; a lost progress report does not justify a failed job.
            _log.warning("progress of job %s is not recorded: %s", self._job.id, error)
            return True


@functools.cache
def _workspace(settings: Settings) -> Workspace:
    """Opened once in each process, which logs as the server does."""
    if not logging.getLogger().handlers:
        log_to_stderr(settings.log_format)
    return workspace_of(settings, patience_s=PATIENCE_S)


_sandboxes = threading.local()
"""Each thread of a worker has a sandbox of its own, which stays warm from job to job."""


def _sandbox(settings: Settings) -> SandboxedProcess:
    limits = ResourceLimits(settings.job_time_s, job_memory_bytes(settings), settings.nice)
    sandbox: SandboxedProcess | None = getattr(_sandboxes, "sandbox", None)
    if sandbox is None or sandbox.limits != limits:
        # A restarted server may ask the same worker for other limits.
        if sandbox is not None:
            sandbox.end()
        sandbox = _sandboxes.sandbox = SandboxedProcess(limits)
    return sandbox
