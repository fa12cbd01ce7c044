"""Heartbeat monitor: a thread that checks every second which workers are alive, and restarts those that are
not.

Every Dask worker sends a heartbeat twice a second, from the main thread of its process. The work is done in
another thread, which waits for a sandbox, which is another process. So a worker is silent if it is stopped,
hangs or cannot be reached, and never because its work takes long.
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
"""A worker without a heartbeat for this long is reported as silent; it sends one every half second [U]."""

STUCK_S = 15.0
"""A dispatcher that takes longer than this for one step is reported: a step queries the database, which has a
time limit of its own, and submits jobs [U]."""

GONE_S = 60.0
"""If one step takes longer than this, another server takes over [U]."""

START_S = 600.0
"""Replaces both limits while the dispatcher starts a cluster [U]."""

MAX_STATUS_AGE_S = 10.0
"""An older status says nothing about now, for example after the scheduler was not reachable for so long
[U]."""


@dataclass(frozen=True)
class WorkforceStatus:
    """The workers at the last check, made `at_s` by the monotonic clock.

    `workers` send heartbeats and accept work; `silent` workers send none, the first of them for `longest_s`.
    Where this server is on standby (`waits`), `longest_s` is how long the leader has published nothing.
    `processes` counts the processes of our own workers, including starting ones. `is_away`: the scheduler
    does not answer. `starts`: the scheduler and its workers are being started. `dispatcher_silent_s` is how
    long the dispatcher has made no step.
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
        """The seconds since the check."""
        return time.monotonic() - self.at_s

    @property
    def is_stuck(self) -> bool:
        """Whether the dispatcher submits no jobs."""
        return self.dispatcher_silent_s > (START_S if self.starts else STUCK_S)

    @property
    def is_fresh(self) -> bool:
        """Whether the status is recent enough to say something about now."""
        return self.age_s <= MAX_STATUS_AGE_S and not self.is_stuck


class HeartbeatMonitor:
    """Watches the workers of a dispatcher. `steps` counts the steps of the dispatcher's thread; `wake` wakes
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
        """Check once, and from then on in a thread."""
        self._look()
        self._periodic_thread.start()

    def close(self) -> None:
        """Stop checking. This server stays the leader if it is."""
        self._periodic_thread.close()

    def release(self) -> None:
        """Let another server become the leader."""
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
            leader_state = self._election.leader_state()
            is_silent = leader_state.silent_s > SILENT_S
            self.workforce_status = WorkforceStatus(
                time.monotonic(),
                workers=0 if is_silent else leader_state.workers,
                longest_s=leader_state.silent_s if is_silent else 0.0,
                waits=True,
                dispatcher_silent_s=dispatcher_s,
            )

    def _look_who_leads(self, election: LeaderElection, is_there: bool) -> None:
        trouble = ""
        try:
            # A server whose dispatcher hangs must not lead: another one has to take over.
            if election.look(may_take=is_there) and is_there:
                election.publish(self.workforce_status.workers)
        except OSError as error:
            # A full or unreachable disk changes nothing about who leads.
            trouble = str(error)
        if trouble and trouble != self._trouble:
            _log.warning("the leader's file cannot be read or written: %s", trouble)
        self._trouble = trouble
        if not (trouble or election.leads or self.workforce_status.waits):
            _log.warning("another server with this data folder runs the jobs; this one is on standby")
        if election.leads is not self.leads:
            self.leads = election.leads
            self._wake()

    def _restart_silent(self, last_heard: Mapping[str, LastHeard]) -> None:
        self._backoff.observe(bool(last_heard) and all(w.silent_s <= SILENT_S for w in last_heard.values()))
        for address, worker in last_heard.items():
            if self._backoff.is_over(address, worker.watched_s) and self._workforce.restart(address):
                _log.warning("the worker %s was silent for %.0f s and is restarted", address, worker.silent_s)
                self._backoff.restarted(address)

    def _unanswered(self) -> WorkforceStatus:
        """One late answer means nothing: the last status holds until it is too old."""
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
        last_heard = self._worker_tracker.update({address: beat.last_seen for address, beat in beats.items()})
        self._restart_silent(last_heard)
        silences = {a: worker.silent_s for a, worker in last_heard.items() if worker.silent_s > SILENT_S}
        return WorkforceStatus(
            time.monotonic(),
            workers=sum(beat.takes_work for a, beat in beats.items() if a not in silences),
            silent=len(silences),
            processes=processes,
            longest_s=max(silences.values(), default=0.0),
        )
