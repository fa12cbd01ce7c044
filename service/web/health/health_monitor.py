"""Health monitor: whether the service can take work, from background checks.

A request for health waits for nothing: no disk, database or scheduler, and no thread that answers requests. A
check result that is too old counts as a problem.
"""

from dataclasses import dataclass

from planner.records.wording.number_text import counted
from service.host.errors import ServiceError
from service.host.periodic_thread import run_bounded
from service.jobs.dispatcher import Dispatcher
from service.jobs.error_reports import disk_report, report_of
from service.jobs.heartbeat_monitor import WorkforceStatus
from service.jobs.workspace import workspace_of
from service.problems import Report
from service.settings import Settings
from service.storage.file_store import Store
from service.storage.reserved_space import ReservedSpace
from service.web.health.background_check import BackgroundCheck
from service.web.problem_answers import Problem

PATIENCE_S = 1.0
"""How long one check waits for an unreachable database [U]."""


@dataclass(frozen=True)
class HealthStatus:
    """A service that can take work: number of workers that are alive, of silent workers, how long the first
    of these has been silent, and jobs by state."""

    workers: int
    silent_workers: int
    longest_silence_s: float
    jobs: dict[str, int]


class HealthMonitor:
    """The checks of disk and database, and the workers as the dispatcher sees them."""

    def __init__(
        self, settings: Settings, store: Store, reserve: ReservedSpace, dispatcher: Dispatcher
    ) -> None:
        self._store, self._reserve, self._dispatcher = store, reserve, dispatcher
        # With a connection of its own: requests may use all others.
        workspace = workspace_of(settings, patience_s=PATIENCE_S)
        self._database = workspace.database
        self._disk = BackgroundCheck("disk", self._refuse_disk)
        self._jobs = BackgroundCheck("records", workspace.job_table.counts)

    def start(self) -> None:
        """Start to check; returns at once."""
        self._disk.start()
        self._jobs.start()

    def close(self) -> None:
        """Stop checking."""
        self._disk.close()
        self._jobs.close()
        run_bounded(self._database.close)

    def status(self) -> HealthStatus:
        """The status. Raises Problem if work cannot be taken, with all reasons."""
        status, jobs = self._dispatcher.workforce_status, self._jobs.last
        troubles = [
            t for t in (self._of_disk(), self._of_records(), workers_trouble(status)) if t is not None
        ]
        if troubles or jobs.value is None:
            details = " ".join(trouble.detail for trouble in troubles) or _STARTS
            raise Problem(Report(troubles[0].kind if troubles else "unavailable", details))
        return HealthStatus(
            status.workers,
            status.silent,
            status.longest_s if status.silent else 0.0,
            jobs.value,
        )

    def _refuse_disk(self) -> None:
        """Raises OSError where nothing can be written, and NoRoom where only records may be written."""
        self._store.try_to_write()
        self._reserve.refuse_use()

    def _of_disk(self) -> Report | None:
        last = self._disk.last
        if not last.is_fresh:
            return _silent(f"The disk has not answered for {last.age_s:.0f} s.")
        return _reported(last.error)

    def _of_records(self) -> Report | None:
        last = self._jobs.last
        if not last.is_fresh:
            return _silent(f"The database has not answered for {last.age_s:.0f} s.")
        return _reported(last.error)


def _reported(error: Exception | None) -> Report | None:
    match error:
        case None:
            return None
        case ServiceError():
            return report_of(error)
        case OSError():
            return disk_report(error)
    return _silent(str(error))


_STARTS = "The service starts."


def _silent(detail: str) -> Report:
    return Report("unavailable", detail)


def workers_trouble(status: WorkforceStatus) -> Report | None:
    """What is wrong with the workers; None if one of them is alive."""
    if status.is_stuck:
        return _silent(f"Jobs have not been handed over for {status.dispatcher_silent_s:.0f} s.")
    if not status.is_fresh:
        return _silent(f"Workers have not been looked after for {status.age_s:.0f} s.")
    if status.workers > 0:
        return None
    if status.waits and status.longest_s > 0.0:
        return _silent(f"The server that runs the jobs has been silent for {status.longest_s:.0f} s.")
    if status.silent > 0:
        silence = (
            f"Nothing has been heard of {counted(status.silent, 'worker')} for {status.longest_s:.0f} s."
        )
        return _silent(f"{silence} What is accepted waits.")
    if status.starts:
        return _silent("The workers start. What is accepted waits.")
    if status.is_away:
        return _silent("The scheduler of the workers does not answer. What is accepted waits.")
    return _silent("There is no worker for jobs. What is accepted waits.")
