"""Workforce: the Dask scheduler and its workers, our own or external, as one server connects to them.

The dispatcher's thread opens and closes it. The heartbeat monitor's thread asks it for heartbeats, and
restarts workers without one.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
import psutil
from distributed import Client, LocalCluster
from distributed import Nanny as DaskNanny
from distributed.core import Status

from service.jobs.liveness.heartbeat_tracker import CHECK_EVERY_S
from service.jobs.liveness.stall_detector import StallDetector
from service.settings import MIB, Settings

T = TypeVar("T")

_log = logging.getLogger("seedpath.dispatcher")

CONNECT_S = 5.0
"""How long a scheduler may take to answer [U]."""

LOST_S = 300.0
"""After this time Dask gives up a worker of our own that has not come back. On a very busy machine a worker
took more than 180 s to start [U]."""

RESTART_S = 20.0
"""How long a nanny may take to end a worker: it asks the worker to end, and kills it after four seconds
[U]."""

WORKER_BYTES = 1024 * MIB
"""A Dask worker only watches its sandbox, which has a memory limit of its own [U]."""

DASK_ERRORS = (OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
"""What Dask raises if a scheduler is unreachable, or processes do not start."""


@dataclass(frozen=True)
class WorkerHeartbeat:
    """When the scheduler last heard a worker, by the scheduler's clock, and whether that worker accepts work:
    it does not if its memory is full."""

    last_seen: Hashable
    takes_work: bool


class Nanny(DaskNanny):
    """Watches one worker of our own. Dask's own nanny waits without end for a worker that stalls while it
    starts."""

    async def instantiate(self) -> Status:
        """Start the worker; one that stalls meanwhile is killed, which ends the wait."""
        looking = asyncio.create_task(self._kill_if_stalled())
        try:
            return await super().instantiate()
        finally:
            looking.cancel()

    async def _kill_if_stalled(self) -> None:
        while self.pid is None:
            await asyncio.sleep(CHECK_EVERY_S)
        pid = self.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            stall_detector = StallDetector(pid)
            while stall_detector.seconds(message_number=0) is None:
                await asyncio.sleep(CHECK_EVERY_S)
            _log.warning("the worker process %d stalled at its start and is killed", pid)
            psutil.Process(pid).kill()


class Workforce:
    """A scheduler and its workers. `starts` is true until workers of our own have started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._restarts: dict[str, Future[None]] = {}
        self.starts = settings.scheduler is None

    def connected(self) -> Client | None:
        """The client of a connected scheduler; None if there is none."""
        client = self._client
        return client if client is not None and client.status == "running" else None

    def open(self) -> Client:
        """Connect to the scheduler, or start our own with its workers. Raises DASK_ERRORS."""
        self.starts = self._settings.scheduler is None
        try:
            if self.starts:
                self._cluster = self._started()
            self._client = Client(
                self._cluster or self._settings.scheduler, timeout=CONNECT_S, set_as_default=False
            )
        finally:
            self.starts = False
        return self._client

    def heartbeats(self) -> dict[str, WorkerHeartbeat]:
        """The last heartbeat of each worker, by its address. Raises DASK_ERRORS where the scheduler is
        unreachable."""
        client = self.connected()
        if client is None:
            raise ConnectionError("There is no scheduler.")
        # From the scheduler itself: the copy that clients keep is refreshed from time to time without the
        # workers.
        identity = _answer_of(client, lambda: _rpc(client).identity(n_workers=-1))
        return {
            address: WorkerHeartbeat(worker["last_seen"], worker["status"] == Status.running.name)
            for address, worker in identity["workers"].items()
        }

    def restart(self, address: str) -> bool:
        """Request that a worker is ended and replaced; returns at once, False if a request is under way.

        The worker's nanny does this even if the worker is stopped. Without a nanny, or if the nanny is silent
        too, the scheduler removes the worker from its list, and gives its work to others.
        """
        client, under_way = self.connected(), self._restarts.get(address)
        if client is None or (under_way is not None and not under_way.done()):
            return False
        self._restarts = {a: restart for a, restart in self._restarts.items() if not restart.done()}

        async def restart() -> None:
            try:
                await _rpc(client).restart_workers(
                    workers=[address],
                    timeout=RESTART_S,
                    wait_for_workers=False,
                    on_error="return",
                    stimulus_id=f"seedpath-silent-{time.time()}",
                )
            except (OSError, RuntimeError) as error:
                _log.warning("the worker %s is not restarted: %s: %s", address, type(error).__name__, error)

        loop: Any = client.loop
        self._restarts[address] = asyncio.run_coroutine_threadsafe(restart(), loop.asyncio_loop)
        return True

    def refill(self) -> None:
        """Start workers of our own in place of those that Dask has given up."""
        if self._cluster is not None:
            self._cluster.scale(self._settings.workers)

    def processes(self) -> int | None:
        """The number of processes of our own workers, including starting ones; None where the workers are not
        our own.

        Raises DASK_ERRORS where the scheduler is unreachable.
        """
        client, cluster = self.connected(), self._cluster
        if client is None or cluster is None:
            return None

        async def counted() -> int:
            return sum(nanny.pid is not None for nanny in cluster.workers.values())

        return _answer_of(client, counted)

    def close(self) -> None:
        """Disconnect from the scheduler; workers of our own are ended."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        self._restarts.clear()
        for opened in (client, cluster):
            if opened is not None:
                with contextlib.suppress(*DASK_ERRORS):
                    opened.close(timeout=CONNECT_S)

    def _started(self) -> LocalCluster:
        """Workers of our own, with one thread each, because planning uses all threads itself."""
        scratch = self._settings.data_dir / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        options: dict[str, object] = {
            # Dask's own web pages would show everybody on this machine what is planned.
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            # Our monitor detects silent workers. Dask uses the wall clock, and would restart all workers
            # after this process was stopped for a while.
            "distributed.scheduler.worker-ttl": None,
        }
        # Set for all clusters of this process, because Dask reads it when a worker is gone: a worker whose
        # next start takes longer is given up.
        dask.config.set({"distributed.deploy.lost-worker-timeout": f"{LOST_S} s"})
        with dask.config.set(options):
            return LocalCluster(
                n_workers=self._settings.workers,
                threads_per_worker=1,
                processes=True,
                worker_class=Nanny,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=WORKER_BYTES,
                # Other users of this machine must not send work to our workers.
                security=True,
                local_directory=str(scratch),
                silence_logs=logging.ERROR,
            )


def _rpc(client: Client) -> Any:
    """Calls of the scheduler."""
    if client.scheduler is None:
        raise ConnectionError("There is no scheduler.")
    return client.scheduler


def _answer_of(client: Client, ask: Callable[[], Awaitable[T]]) -> T:
    """What the scheduler answers, within CONNECT_S. Raises DASK_ERRORS."""

    async def bounded() -> T:
        return await asyncio.wait_for(ask(), CONNECT_S)

    # The second limit is for an event loop that no longer runs.
    answer: T = client.sync(bounded, callback_timeout=CONNECT_S + 1.0)
    return answer
