"""Dispatcher: submits every open job of the job table to a Dask scheduler, whatever dies meanwhile.

One loop does everything. It reads which jobs are open, submits those that the scheduler does not have, and
submits those again whose submission ended without a result. A start, a restart, a lost scheduler and the jobs
of another server that died need no special case. Several servers may do this at once: a submission has a
unique name, and the scheduler accepts each name once.
"""

import logging
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import resource_tracker

from distributed import Client, Future

from service.jobs.heartbeat_monitor import HeartbeatMonitor, WorkforceStatus
from service.jobs.job_table import JobTable
from service.jobs.leader import LeaderElection
from service.jobs.liveness.heartbeat_tracker import CHECK_EVERY_S
from service.jobs.worker import UNEXPECTED, run_job
from service.jobs.workforce import DASK_ERRORS, Workforce
from service.operations.job_tasks import Work
from service.settings import Settings
from service.storage.errors import Unavailable
from service.storage.job import Job

_log = logging.getLogger("seedpath.dispatcher")

MOST_SUBMISSIONS = 20
"""A job that was submitted this often without any worker starting it has failed [U]."""

LONGEST_PAUSE_S = 60.0
"""Between two submissions of one job; the first are 1, 2, 4 ... seconds apart [U]."""

DESERTED_S = 30.0
"""Without any worker process for this long (starting ones count), our own cluster is restarted: Dask does not
restart a worker that died twice in a short time [U]."""


END_S = 60.0
"""How long `close` waits for the dispatcher's thread: it may be starting a cluster, or hang on a disk [U]."""


@dataclass
class _Submitted:
    """A job's submission, as this server knows it. After it ended without a result, it is not repeated before
    `due_s`."""

    future: "Future[None]"
    submission: int
    due_s: float | None = None


class Dispatcher:
    """Connects one server to the scheduler."""

    def __init__(self, settings: Settings, work: Work, job_table: JobTable) -> None:
        self._settings, self._work, self._job_table = settings, work, job_table
        self._workforce = Workforce(settings)
        # A scheduler takes each job once, for all servers. Without one, one of the servers runs the jobs.
        election = LeaderElection(settings.data_dir / "engine.lock") if settings.scheduler is None else None
        self._monitor = HeartbeatMonitor(self._workforce, election, lambda: self._steps, self.wake)
        self._submitted: dict[str, _Submitted] = {}
        self._wake = threading.Event()
        self._closing = False
        self._steps = 0
        self._lacking_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="seedpath-dispatcher", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._monitor.start()
        self._thread.start()

    def wake(self) -> None:
        """Check the job table at once: a job was accepted."""
        self._wake.set()

    @property
    def workforce_status(self) -> WorkforceStatus:
        """The workers at the last check; reading it costs nothing."""
        return self._monitor.workforce_status

    def workers(self) -> int:
        """How many workers for jobs are alive; 0 where the last check is too old."""
        return self.workforce_status.workers if self.workforce_status.is_fresh else 0

    def close(self) -> None:
        """Disconnect from the scheduler. Jobs that have not ended continue when the server starts again."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(END_S)
        self._monitor.close()
        self._disconnect()
        self._monitor.release()

    def _run(self) -> None:
        # Ctrl-C reaches the whole process group, but this process ends its workers itself: processes started
        # from here ignore it. multiprocessing's tracker removes the block when it starts, so it is started
        # first.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._disconnect()
            while not self._closing:
                self._look()
        finally:
            # The thread's own hook reports the exception; the loop is started again.
            if not self._closing:
                time.sleep(CHECK_EVERY_S)
                self._thread = threading.Thread(target=self._run, name="seedpath-dispatcher", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        self._steps += 1
        try:
            if self._monitor.leads:
                self._compare(self._connected())
            else:
                self._disconnect()
        except Unavailable as error:
            _log.warning("%s Jobs wait.", error)
        except DASK_ERRORS as error:
            # The scheduler, or the disk of the job table, has a problem: running jobs continue.
            _log.warning("jobs wait: %s: %s", type(error).__name__, error)
        self._wake.wait(CHECK_EVERY_S)
        self._wake.clear()

    def _compare(self, client: Client) -> None:
        # In this order: a submission that ends after its status was read is handled at the next step.
        statuses = {job_id: submitted.future.status for job_id, submitted in self._submitted.items()}
        jobs = self._job_table.open_jobs()
        for job in jobs:
            submitted = self._submitted.get(job.id)
            if submitted is None or submitted.submission < job.submission:
                self._submit(client, job, job.submission)
            elif statuses.get(job.id) in ("cancelled", "lost"):
                # The scheduler was away for a moment: it may still have the job, under the same name.
                self._submit(client, job, job.submission)
            elif statuses.get(job.id, "pending") != "pending":
                self._submit_anew(client, job, submitted)
        for job_id in self._submitted.keys() - {job.id for job in jobs}:
            del self._submitted[job_id]

    def _submit(self, client: Client, job: Job, submission: int) -> None:
        key = f"job-{job.id}-{submission}"
        future = client.submit(run_job, self._settings, self._work, job.id, key=key, pure=False)
        future.add_done_callback(lambda _: self._wake.set())
        self._submitted[job.id] = _Submitted(future, submission)

    def _submit_anew(self, client: Client, job: Job, submitted: _Submitted) -> None:
        """Submit a job again whose submission ended without ending it."""
        if submitted.due_s is None:
            _log.warning(
                "job %s: its submission ended without a result (%s)",
                job.id,
                submitted.future.status,
                exc_info=_error(submitted),
            )
            submitted.due_s = time.monotonic() + min(2.0**submitted.submission, LONGEST_PAUSE_S)
        elif time.monotonic() < submitted.due_s:
            return
        elif submitted.submission >= MOST_SUBMISSIONS:
            self._job_table.fail(job, UNEXPECTED)
        else:
            submission = self._job_table.submit_anew(job)
            if submission is not None:
                self._submit(client, job, submission)

    def _connected(self) -> Client:
        client = self._workforce.connected()
        if client is None or self._is_deserted():
            self._disconnect()
            client = self._workforce.open()
        return client

    def _is_deserted(self) -> bool:
        """Whether all workers of our own have been gone for so long that Dask has given them up.

        Where only some are gone, they are started again from here.
        """
        processes = self._monitor.workforce_status.processes
        if processes is None or processes >= self._settings.workers:
            self._lacking_s = None
            return False
        self._lacking_s = self._lacking_s or time.monotonic()
        if time.monotonic() - self._lacking_s <= DESERTED_S:
            return False
        if processes > 0:
            self._workforce.refill()
            self._lacking_s = None
        return processes == 0

    def _disconnect(self) -> None:
        self._submitted.clear()
        self._lacking_s = None
        self._workforce.close()


def _error(submitted: _Submitted) -> BaseException | None:
    if submitted.future.status != "error":
        return None
    error = submitted.future.exception()
    return error if isinstance(error, BaseException) else None
