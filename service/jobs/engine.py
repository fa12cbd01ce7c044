"""Engine: keeps every open job of the book with a Dask scheduler, whatever dies meanwhile.

One loop does it all: it reads which jobs are open, hands over those that the scheduler does not have, and
hands over anew those whose submission came to nothing. Start, restart, a lost scheduler and the jobs of a
server that is gone are no special cases. Several servers may do so at once: a submission has one name, and
the scheduler takes each name once.
"""

import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

import dask
from distributed import Client, Future, LocalCluster

from service.database.connection import Unavailable
from service.jobs.book import Book
from service.jobs.job import Job
from service.jobs.perform import UNEXPECTED, perform
from service.settings import MIB, Settings
from service.tasks import Work

_log = logging.getLogger("seedpath.engine")

LOOK_S = 1.0
"""How often the book and the scheduler are compared, when nothing is known to have changed [U]."""

CONNECT_S = 5.0
"""How long a scheduler may take to answer [U]."""

MOST_SUBMISSIONS = 20
"""A job that comes to nothing so often, without a worker ever beginning it, has failed [U]."""

LONGEST_PAUSE_S = 60.0
"""Between two submissions of one job; the first are 1, 2, 4 ... seconds apart [U]."""

DESERTED_S = 30.0
"""Without a worker for so long, our own cluster is started anew: Dask does not restart one that died twice
in a short time [U]."""

WORKER_BYTES = 1024 * MIB
"""A Dask worker only looks after its bench, which has a bound of its own [U]."""


DASK_ERRORS = (OSError, TimeoutError, RuntimeError)
"""What Dask raises where a scheduler is away, or processes do not start."""


@dataclass
class _Submitted:
    """A job's submission, as this server holds it; after it came to nothing, not before `due_s` again."""

    future: "Future[None]"
    submission: int
    due_s: float | None = None


class Engine:
    """What one server has to do with the scheduler."""

    def __init__(self, settings: Settings, work: Work, book: Book) -> None:
        self._settings, self._work, self._book = settings, work, book
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._submitted: dict[str, _Submitted] = {}
        self._wake = threading.Event()
        self._closing = False
        self._lock: int | None = None
        self._waits = False
        self._deserted_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="seedpath-engine", daemon=True)

    def start(self) -> None:
        """Begin to look after jobs; returns at once."""
        self._thread.start()

    def nudge(self) -> None:
        """A job was accepted: look at once."""
        self._wake.set()

    def workers(self) -> int:
        """How many workers there are for jobs; 0 where the scheduler is away, or nobody hands jobs over.

        Where another server does the jobs, as many as it has told.
        """
        return self._told() if self._waits else self._own_workers()

    def _own_workers(self) -> int:
        client = self._client
        if client is None or client.status != "running" or not self._thread.is_alive():
            return 0
        # A client that is connected since a moment ago may know of no workers yet, nor that there are none.
        return len(client.scheduler_info(n_workers=-1).get("workers", ()))

    def close(self) -> None:
        """Let go of the scheduler. Jobs that have not ended go on where the server starts again."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._disconnect()
        if self._lock is not None:
            os.close(self._lock)

    def _run(self) -> None:
        # Ctrl-C reaches the whole process group, and workers are ended by this one: what is started from here
        # does not hear it. multiprocessing's tracker lifts the block when it starts, so it goes first.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._disconnect()
            while not self._closing:
                self._look()
        finally:
            # A fault is told by the thread's own hook; jobs are looked after all the same.
            if not self._closing:
                time.sleep(LOOK_S)
                self._thread = threading.Thread(target=self._run, name="seedpath-engine", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        if not self._leads():
            if not self._waits:
                _log.warning("another server with this data folder does the jobs; this one waits for its end")
            self._waits = True
        else:
            self._waits = False
            try:
                client = self._connected()
                self._tell()
                self._compare(client)
            except Unavailable as error:
                _log.warning("%s Jobs wait.", error)
            except DASK_ERRORS as error:
                # Of a scheduler, or of a disk that the book is on: what runs meanwhile goes on.
                _log.warning("jobs wait: %s: %s", type(error).__name__, error)
        self._wake.wait(LOOK_S)
        self._wake.clear()

    def _leads(self) -> bool:
        """Whether it is for this server to have jobs done: with a scheduler, which takes each job once, for
        all; without one, for the first that has the data folder."""
        if self._settings.scheduler is not None or self._lock is not None:
            return True
        handle = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    @property
    def _lock_file(self) -> Path:
        return self._settings.data_dir / "engine.lock"

    def _tell(self) -> None:
        """Write how many workers there are into the lock, for servers that wait for its release."""
        if self._lock is not None:
            os.pwrite(self._lock, f"{self._own_workers():6d}\n".encode(), 0)

    def _told(self) -> int:
        """What the server that does the jobs has written last. It is gone for a moment at most: its lock goes
        with it, and this server takes over."""
        text = self._lock_file.read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else 0

    def _compare(self, client: Client) -> None:
        # In this order: a submission that ends after its status was read is looked at the next time.
        statuses = {job_id: held.future.status for job_id, held in self._submitted.items()}
        jobs = self._book.open_jobs()
        for job in jobs:
            held = self._submitted.get(job.id)
            if held is None or held.submission < job.submission:
                self._submit(client, job, job.submission)
            elif statuses.get(job.id) in ("cancelled", "lost"):
                # Of a scheduler that was away for a moment: it may still have it, by the same name.
                self._submit(client, job, job.submission)
            elif statuses.get(job.id, "pending") != "pending":
                self._submit_anew(client, job, held)
        for job_id in self._submitted.keys() - {job.id for job in jobs}:
            del self._submitted[job_id]

    def _submit(self, client: Client, job: Job, submission: int) -> None:
        key = f"job-{job.id}-{submission}"
        future = client.submit(perform, self._settings, self._work, job.id, key=key, pure=False)
        future.add_done_callback(lambda _: self._wake.set())
        self._submitted[job.id] = _Submitted(future, submission)

    def _submit_anew(self, client: Client, job: Job, held: _Submitted) -> None:
        """Hand over a job again whose submission ended without ending it."""
        if held.due_s is None:
            _log.warning("job %s came to nothing (%s)", job.id, held.future.status, exc_info=_error(held))
            held.due_s = time.monotonic() + min(2.0**held.submission, LONGEST_PAUSE_S)
        elif time.monotonic() < held.due_s:
            return
        elif held.submission >= MOST_SUBMISSIONS:
            self._book.fail(job, UNEXPECTED)
        else:
            submission = self._book.submit_anew(job)
            if submission is not None:
                self._submit(client, job, submission)

    def _connected(self) -> Client:
        if self._client is not None and self._client.status == "running" and not self._is_deserted():
            return self._client
        self._disconnect()
        if self._settings.scheduler is None:
            self._cluster = self._started()
        self._client = Client(
            self._cluster or self._settings.scheduler, timeout=CONNECT_S, set_as_default=False
        )
        return self._client

    def _is_deserted(self) -> bool:
        """Whether our own workers are gone for so long that Dask has given them up."""
        if self._cluster is None or self._own_workers() > 0:
            self._deserted_s = None
            return False
        self._deserted_s = self._deserted_s or time.monotonic()
        return time.monotonic() - self._deserted_s > DESERTED_S

    def _started(self) -> LocalCluster:
        """Workers of our own: one thread each, since planning uses all threads itself."""
        scratch = self._settings.data_dir / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        # Dask's own pages would tell everybody on this machine what is planned.
        with dask.config.set({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}):
            return LocalCluster(
                n_workers=self._settings.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=WORKER_BYTES,
                # Who else is on this machine must not hand work to our workers.
                security=True,
                local_directory=str(scratch),
                silence_logs=logging.ERROR,
            )

    def _disconnect(self) -> None:
        self._submitted.clear()
        self._deserted_s = None
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        for opened in (client, cluster):
            if opened is not None:
                with contextlib.suppress(*DASK_ERRORS):
                    opened.close(timeout=CONNECT_S)


def _error(held: _Submitted) -> BaseException | None:
    if held.future.status != "error":
        return None
    error = held.future.exception()
    return error if isinstance(error, BaseException) else None
