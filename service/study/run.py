"""Run: creates a study's jobs in the job table, runs the dispatcher, and collects the outcomes.

The job table is the only memory: what has ended there is not done again, whatever was killed meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from planner.records.plan import Plan
from service.jobs.dispatcher import Dispatcher
from service.jobs.job_table import JobTable
from service.jobs.workspace import UNLIMITED, Workspace, workspace_of
from service.operations.job_tasks import Work
from service.schemas.plan.file import UnreadablePlanFile, read_kept_plan
from service.schemas.result_kinds import ResultKind
from service.settings import Settings, SettingsError
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.errors import StorageError
from service.storage.file_store import Store
from service.storage.job import Job
from service.storage.job_states import OPEN, State
from service.storage.library import is_about_another_folder
from service.study.plan_order import StudyOutcome, StudyPlan, is_worth_trying_again, kind_of_problem

POLL_S = 0.5
"""Time between two checks of the study's progress [U]."""

CHANGED = (
    "The plan's file was changed or removed while the study ran. Run the study again to make the plan again."
)


@dataclass(frozen=True)
class StudyProgress:
    """Progress of a study: number of plans, of those that have ended, of those that had ended when it began,
    and the plans and phases in progress."""

    total: int
    ended: int
    ended_before: int
    at_work: tuple[tuple[StudyPlan, str], ...]


OnStudyProgress = Callable[[StudyProgress], None]


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Workspace]:
    """A workspace in the settings' folder, which is a study's alone.

    Raises SettingsError for records of something else, OSError and database.connection.Unavailable.
    """
    workspace = workspace_of(settings, limits=UNLIMITED)
    try:
        migrate(workspace.database)
        workspace.store.sweep_aside()
        if settings.scheduler is not None:
            _refuse_foreign(workspace.database, workspace.store)
        yield workspace
    finally:
        workspace.database.close()


def _refuse_foreign(database: Database, store: Store) -> None:
    """Servers and studies with a common database would do each other's jobs, with their own folders. Raises
    SettingsError if the database has cases whose files are not here."""
    if database.read(lambda c: is_about_another_folder(c, store)):
        raise SettingsError(
            "SEEDPATH_DATABASE_URL",
            "the database holds what a service or another study works on",
            "Name one of this study's own.",
        )


def run(
    workspace: Workspace, work: Work, plans: Sequence[StudyPlan], tell: OnStudyProgress
) -> list[StudyOutcome]:
    """Make every plan that is not made yet, and report progress. Returns the outcomes in order.

    KeyboardInterrupt ends the workers and leaves the job table as it is. Raises OSError and Unavailable.
    """
    jobs = [_accepted(workspace, study_plan) for study_plan in plans]
    _withdraw_others(workspace.job_table, jobs)
    if any(job.state in OPEN for job in jobs):
        _work(workspace, work, plans, jobs, tell)
    return [
        _ended(workspace, study_plan, workspace.job_table.get(job.id))
        for study_plan, job in zip(plans, jobs, strict=True)
    ]


def _accepted(workspace: Workspace, study_plan: StudyPlan) -> Job:
    """Its job: an earlier one, unless that failed for a reason that may not return."""
    attempt = 0
    while True:
        job = workspace.job_table.accept(study_plan.order(attempt))
        if not is_worth_trying_again(job) and not _is_lost(workspace.store, job):
            return job
        attempt += 1


def _is_lost(store: Store, job: Job) -> bool:
    """Whether a plan was made and somebody removed or changed its file."""
    return job.state is State.DONE and _plan(store, job) is None


def _plan(store: Store, job: Job) -> Plan | None:
    """The plan that a job made; None where its file is not there, or not as it was written."""
    assert job.result_id is not None
    try:
        return read_kept_plan(store.kept(ResultKind.PLAN, job.result_id), job.result_id)
    except (StorageError, UnreadablePlanFile):
        return None


def _withdraw_others(job_table: JobTable, jobs: Sequence[Job]) -> None:
    """Cancel jobs that an earlier command requested and this one does not."""
    own_ids = {job.id for job in jobs}
    for job in job_table.open_jobs():
        if job.id not in own_ids:
            job_table.cancel(job.id)


def _work(
    workspace: Workspace, work: Work, plans: Sequence[StudyPlan], jobs: Sequence[Job], tell: OnStudyProgress
) -> None:
    ended_before = sum(job.state not in OPEN for job in jobs)

    def look() -> StudyProgress:
        return _progress(plans, jobs, {job.id: job for job in workspace.job_table.open_jobs()}, ended_before)

    dispatcher = Dispatcher(workspace.settings, work, workspace.job_table)
    try:
        dispatcher.start()
        while (progress := look()).ended < progress.total:
            tell(progress)
            time.sleep(POLL_S)
    finally:
        dispatcher.close()
        # The last progress, whether the study ended or was interrupted.
        tell(look())


def _progress(
    plans: Sequence[StudyPlan], jobs: Sequence[Job], still_open: dict[str, Job], ended_before: int
) -> StudyProgress:
    at_work = tuple(
        (study_plan, still_open[job.id].phase or "reading")
        for study_plan, job in zip(plans, jobs, strict=True)
        if job.id in still_open and still_open[job.id].state is State.RUNNING
    )
    ended = sum(job.id not in still_open for job in jobs)
    return StudyProgress(len(jobs), ended, ended_before, at_work)


def _ended(workspace: Workspace, study_plan: StudyPlan, job: Job) -> StudyOutcome:
    if job.state is State.DONE:
        plan = _plan(workspace.store, job)
        if plan is None:
            return StudyOutcome(study_plan, None, None, "failed", CHANGED)
        return StudyOutcome(study_plan, plan, job.result_id, None, plan.outcome.message)
    detail = "" if job.problem is None else str(job.problem["detail"])
    return StudyOutcome(study_plan, None, None, kind_of_problem(job), detail)
