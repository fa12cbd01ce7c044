"""Workforce: the Dask scheduler and its workers, our own or given, as one server connects to them.

The dispatcher's thread opens and closes it; the monitor's asks it who heartbeats, and has those restarted who
do not.
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
"""When Dask gives up a worker of our own that has not come back; on a machine that was very busy one took
more than 180 s to start [U]."""

RESTART_S = 20.0
"""How long a nanny may take to end a worker: it asks it to end, and kills it after four seconds [U]."""

WORKER_BYTES = 1024 * MIB
"""A Dask worker only looks after its sandbox, which has a bound of its own [U]."""

DASK_ERRORS = (OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
"""What Dask raises where a scheduler is away, or processes do not start."""


@dataclass(frozen=True)
class WorkerHeartbeat:
    """When the scheduler last heard a worker, by the scheduler's clock, and whether that one takes work: not
    where its memory is full."""

    last_seen: Hashable
    takes_work: bool


class Nanny(DaskNanny):
    """Looks after one worker of our own. Dask's waits without end for one that stands still at its start."""

    async def instantiate(self) -> Status:
        """Start the worker; one that stands still meanwhile is killed, which ends the wait."""
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
            while stall_detector.seconds(said=0) is None:
                await asyncio.sleep(CHECK_EVERY_S)
            _log.warning("the worker process %d stood still at its start and is killed", pid)
            psutil.Process(pid).kill()


class Workforce:
    """A scheduler and its workers. `starts` while they are our own, until they are started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._restarts: dict[str, Future[None]] = {}
        self.starts = settings.scheduler is None

    def connected(self) -> Client | None:
        """The client of a scheduler that is there, if it was opened."""
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
        """The last beat of each worker, by its address. Raises DASK_ERRORS where the scheduler is away."""
        client = self.connected()
        if client is None:
            raise ConnectionError("There is no scheduler.")
        # Of the scheduler itself: what clients keep of it is refreshed now and then, without its workers.
        found = _asked(client, lambda: _rpc(client).identity(n_workers=-1))
        return {
            address: WorkerHeartbeat(worker["last_seen"], worker["status"] == Status.running.name)
            for address, worker in found["workers"].items()
        }

    def restart(self, address: str) -> bool:
        """Have a worker ended, and another started in its place; returns at once, False where that goes on.

        Its nanny does so, though the worker be stopped. Where there is no nanny, or it is silent too, the
        scheduler takes the worker off its list, and gives its work to others.
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
        """Start workers of our own in the place of those that Dask has given up."""
        if self._cluster is not None:
            self._cluster.scale(self._settings.workers)

    def processes(self) -> int | None:
        """How many processes workers of our own have, those that start too; None where they are not our own.

        Raises DASK_ERRORS where the scheduler is away.
        """
        client, cluster = self.connected(), self._cluster
        if client is None or cluster is None:
            return None

        async def counted() -> int:
            return sum(nanny.pid is not None for nanny in cluster.workers.values())

        return _asked(client, counted)

    def close(self) -> None:
        """Let go of the scheduler; workers of our own are ended."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        self._restarts.clear()
        for opened in (client, cluster):
            if opened is not None:
                with contextlib.suppress(*DASK_ERRORS):
                    opened.close(timeout=CONNECT_S)

    def _started(self) -> LocalCluster:
        """Workers of our own: one thread each, since planning uses all threads itself."""
        scratch = self._settings.data_dir / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        chosen: dict[str, object] = {
            # Dask's own pages would tell everybody on this machine what is planned.
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            # The monitor tells who is silent. Dask goes by the wall clock, and would restart all workers
            # after this process was stopped for a while.
            "distributed.scheduler.worker-ttl": None,
        }
        # For all clusters of this process, as it is read when a worker is gone: Dask gives up one whose next
        # start takes longer.
        dask.config.set({"distributed.deploy.lost-worker-timeout": f"{LOST_S} s"})
        with dask.config.set(chosen):
            return LocalCluster(
                n_workers=self._settings.workers,
                threads_per_worker=1,
                processes=True,
                worker_class=Nanny,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=WORKER_BYTES,
                # Who else is on this machine must not hand work to our workers.
                security=True,
                local_directory=str(scratch),
                silence_logs=logging.ERROR,
            )


def _rpc(client: Client) -> Any:
    """Calls of the scheduler."""
    if client.scheduler is None:
        raise ConnectionError("There is no scheduler.")
    return client.scheduler


def _asked(client: Client, ask: Callable[[], Awaitable[T]]) -> T:
    """What the scheduler answers, within CONNECT_S. Raises DASK_ERRORS."""

    async def bounded() -> T:
        return await asyncio.wait_for(ask(), CONNECT_S)

    # The second bound is for a loop that does not run any more.
    answer: T = client.sync(bounded, callback_timeout=CONNECT_S + 1.0)
    return answer
