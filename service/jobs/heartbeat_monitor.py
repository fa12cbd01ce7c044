"""HeartbeatMonitor: a thread that looks every second which workers are heard, and has those restarted that
are not.

What is heard is the heartbeat that every Dask worker sends twice a second, from the main thread of its
process. Work is done beside it, by a thread that waits for a sandbox, which is another process. So a worker
is silent that is stopped, hangs or cannot be reached, and none is whose work takes long.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from service.host.periodic_thread import PeriodicThread
from service.jobs.leader import LeaderElection
from service.jobs.liveness.heartbeat_tracker import CHECK_EVERY_S, HeartbeatTracker, LastHeard
from service.jobs.liveness.restart_backoff import RestartBackoff
from service.jobs.workforce import DASK_ERRORS, Workforce

_log = logging.getLogger("seedpath.dispatcher")

SILENT_S = 10.0
"""A worker that is not heard for so long is told as silent; it beats every half second [U]."""

STUCK_S = 15.0
"""A dispatcher that takes longer for one step is told: a step asks the database, which has a bound of its
own, and hands over jobs [U]."""

GONE_S = 60.0
"""One that takes longer for a step has another server take over [U]."""

START_S = 600.0
"""Both limits, while the dispatcher starts a cluster [U]."""

MAX_STATUS_AGE_S = 10.0
"""What was seen longer ago than this says nothing about now, as after a scheduler was not heard for so long
[U]."""


@dataclass(frozen=True)
class WorkforceStatus:
    """Who was heard at the last look, `at_s` by the monotonic clock.

    `workers` are those that beat and take work; `silent` do not beat, the first of them since `longest_s`.
    Where this server waits for another that leads, `longest_s` is how long that has told nothing. `processes`
    counts those of workers of our own, which may be starting. `is_away`: the scheduler does not answer.
    `starts`: it is being started, with its workers. `dispatcher_silent_s` is how long the dispatcher was seen
    to do nothing.
    """

    at_s: float
    workers: int = 0
    silent: int = 0
    processes: int | None = None
    longest_s: float = 0.0
    waits: bool = False
    is_away: bool = False
    starts: bool = False
    dispatcher_silent_s: float = 0.0

    @property
    def age_s(self) -> float:
        """How long ago was looked."""
        return time.monotonic() - self.at_s

    @property
    def is_stuck(self) -> bool:
        """Whether the dispatcher hands over no jobs."""
        return self.dispatcher_silent_s > (START_S if self.starts else STUCK_S)

    @property
    def is_fresh(self) -> bool:
        """Whether it says something about now."""
        return self.age_s <= MAX_STATUS_AGE_S and not self.is_stuck


class HeartbeatMonitor:
    """Looks after a dispatcher's workers. `steps` counts what the dispatcher's thread does, `wake` wakes
    it."""

    def __init__(
        self,
        workforce: Workforce,
        election: LeaderElection | None,
        steps: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._workforce, self._election = workforce, election
        self._steps, self._wake = steps, wake
        self._worker_tracker, self._dispatcher_tracker = HeartbeatTracker(), HeartbeatTracker()
        self._backoff = RestartBackoff()
        self._trouble = ""
        self._periodic_thread = PeriodicThread("seedpath-monitor", self._look, CHECK_EVERY_S)
        self.leads = election is None
        self.workforce_status = WorkforceStatus(time.monotonic())

    def start(self) -> None:
        """Look once, and from then on in a thread."""
        self._look()
        self._periodic_thread.start()

    def close(self) -> None:
        """Look no more. What is led goes on to be led."""
        self._periodic_thread.close()

    def release(self) -> None:
        """Let another server lead."""
        if self._election is not None:
            self._election.release()

    def _look(self) -> None:
        starts = self._workforce.starts
        dispatcher_s = self._dispatcher_tracker.update({"dispatcher": (self._steps(), starts)})[
            "dispatcher"
        ].watched_s
        if self._election is not None:
            self._look_who_leads(self._election, dispatcher_s <= (START_S if starts else GONE_S))
        if self.leads:
            self.workforce_status = replace(self._seen(), starts=starts, dispatcher_silent_s=dispatcher_s)
        elif self._election is not None:
            told = self._election.told()
            is_silent = told.silent_s > SILENT_S
            self.workforce_status = WorkforceStatus(
                time.monotonic(),
                workers=0 if is_silent else told.workers,
                longest_s=told.silent_s if is_silent else 0.0,
                waits=True,
                dispatcher_silent_s=dispatcher_s,
            )

    def _look_who_leads(self, election: LeaderElection, is_there: bool) -> None:
        trouble = ""
        try:
            # Where the dispatcher is gone, another server has to take over, and this one does not become the
            # leader.
            if election.look(may_take=is_there) and is_there:
                election.tell(self.workforce_status.workers)
        except OSError as error:
            # A disk that is full or away: who leads goes on.
            trouble = str(error)
        if trouble and trouble != self._trouble:
            _log.warning("it cannot be told or seen who has the jobs done: %s", trouble)
        self._trouble = trouble
        if not (trouble or election.leads or self.workforce_status.waits):
            _log.warning("another server with this data folder does the jobs; this one waits for its end")
        if election.leads is not self.leads:
            self.leads = election.leads
            self._wake()

    def _restart_silent(self, heard: Mapping[str, LastHeard]) -> None:
        self._backoff.observe(bool(heard) and all(w.silent_s <= SILENT_S for w in heard.values()))
        for address, worker in heard.items():
            if self._backoff.is_over(address, worker.watched_s) and self._workforce.restart(address):
                _log.warning("the worker %s was silent for %.0f s and is restarted", address, worker.silent_s)
                self._backoff.restarted(address)

    def _unanswered(self) -> WorkforceStatus:
        """One answer that is late says nothing: what was seen before holds until it is too old."""
        if (
            self._workforce.connected()
            and not self.workforce_status.is_away
            and self.workforce_status.age_s <= MAX_STATUS_AGE_S
        ):
            return self.workforce_status
        return WorkforceStatus(time.monotonic(), is_away=True)

    def _seen(self) -> WorkforceStatus:
        try:
            beats, processes = self._workforce.heartbeats(), self._workforce.processes()
        except DASK_ERRORS:
            return self._unanswered()
        heard = self._worker_tracker.update({address: beat.last_seen for address, beat in beats.items()})
        self._restart_silent(heard)
        silences = {a: worker.silent_s for a, worker in heard.items() if worker.silent_s > SILENT_S}
        return WorkforceStatus(
            time.monotonic(),
            workers=sum(beat.takes_work for a, beat in beats.items() if a not in silences),
            silent=len(silences),
            processes=processes,
            longest_s=max(silences.values(), default=0.0),
        )
