"""The monitor: which workers are reported as silent, and which are restarted.

test_standstill tests it with processes.
"""

import errno
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jobs import heartbeat_monitor as monitor_module
from service.jobs import leader as leader_module
from service.jobs.heartbeat_monitor import (
    GONE_S,
    MAX_STATUS_AGE_S,
    SILENT_S,
    START_S,
    STUCK_S,
    HeartbeatMonitor,
)
from service.jobs.leader import TAKEN_OVER_S, LeaderElection
from service.jobs.liveness.heartbeat_tracker import HeartbeatTracker
from service.jobs.liveness.restart_backoff import (
    MAX_BACKOFF,
    ONE_LOSS_S,
    RESTART_AFTER_S,
    WELL_S,
    RestartBackoff,
)
from service.jobs.workforce import WorkerHeartbeat, Workforce
from service.web.health.health_monitor import workers_trouble


class Workers(Workforce):
    """Stands in for the workforce: workers that beat, and some that do not.

    With `refuses` a restart is refused, as if one were running; with `helps` it replaces the worker.
    """

    def __init__(self, names: Iterable[str] = ("one", "two")) -> None:
        self.beating = set(names)
        self.there = set(names)
        self.starts = self.refuses = False
        self.helps = True
        self.takes_work = True
        self.answers = True
        self.restarted: list[str] = []
        self._beats = dict.fromkeys(self.there, 0)

    def connected(self) -> Any:
        return self

    def heartbeats(self) -> dict[str, WorkerHeartbeat]:
        if not self.answers:
            raise TimeoutError
        for address in self.beating:
            self._beats[address] = self._beats.get(address, 0) + 1
        return {
            address: WorkerHeartbeat(self._beats.get(address, 0), self.takes_work) for address in self.there
        }

    def processes(self) -> int | None:
        return None

    def restart(self, address: str) -> bool:
        if self.refuses:
            return False
        self.restarted.append(address)
        if self.helps:
            self.there.discard(address)
            self.there.add(f"{address}'")
            self.beating.add(f"{address}'")
        return True


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake_clock = Clock()
    monkeypatch.setattr(monitor_module, "time", fake_clock)
    for module in (monitor_module, leader_module):
        monkeypatch.setattr(module, "HeartbeatTracker", lambda: HeartbeatTracker(fake_clock.monotonic))
    monkeypatch.setattr(monitor_module, "RestartBackoff", lambda: RestartBackoff(fake_clock.monotonic))
    return fake_clock


def detail_of(monitor: HeartbeatMonitor) -> str | None:
    """What health reports about the workers, or None if all is well."""
    trouble = workers_trouble(monitor.workforce_status)
    return None if trouble is None else trouble.detail


StepCount = Callable[[], int]


def look_repeatedly(monitor: HeartbeatMonitor, clock: Clock, seconds: float, gap_s: float = 1.0) -> None:
    for _ in range(round(seconds / gap_s)):
        clock.now += gap_s
        monitor._look()


def monitor_of(
    workers: Workers, election: LeaderElection | None = None, steps: StepCount | None = None
) -> HeartbeatMonitor:
    step_numbers = iter(range(10**9))
    return HeartbeatMonitor(workers, election, steps or (lambda: next(step_numbers)), lambda: None)


def test_a_worker_without_heartbeat_is_reported_then_restarted(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 100.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.silent) == (2, 0)
    workers.beating.remove("one")
    look_repeatedly(monitor, clock, SILENT_S + 1.0)
    assert (
        monitor.workforce_status.workers,
        monitor.workforce_status.silent,
        monitor.workforce_status.longest_s,
    ) == (1, 1, SILENT_S + 1.0)
    assert workers.restarted == []
    look_repeatedly(monitor, clock, RESTART_AFTER_S - SILENT_S)
    assert workers.restarted == ["one"]
    look_repeatedly(monitor, clock, 100.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.silent) == (2, 0)


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced in vain", "never replaced"])
def test_restarts_without_effect_become_rarer(clock: Clock, is_replaced: bool) -> None:
    workers = Workers(["one"])
    workers.helps = False
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 5.0)
    workers.beating.clear()
    restart_times: list[float] = []
    for number in range(2000):
        look_repeatedly(monitor, clock, 1.0)
        if len(workers.restarted) > len(restart_times):
            restart_times.append(clock.now)
            workers.there = {f"one {number}"} if is_replaced else {"one"}
    gaps_s = [next_s - previous_s for previous_s, next_s in itertools.pairwise(restart_times)]
    expected_gaps_s = [RESTART_AFTER_S * min(2**n, MAX_BACKOFF) for n in range(1, len(restart_times))]
    # The silence of a replaced worker is counted from the next look on.
    assert gaps_s == pytest.approx(expected_gaps_s, abs=2.1) and len(restart_times) >= 6


def test_a_refused_restart_is_not_counted(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 5.0)
    workers.refuses = True
    workers.beating.clear()
    look_repeatedly(monitor, clock, 100.0)
    workers.refuses = False
    look_repeatedly(monitor, clock, 1.0)
    assert sorted(workers.restarted) == ["one", "two"] and monitor._backoff.seconds == RESTART_AFTER_S


@given(
    st.lists(st.floats(0.0, ONE_LOSS_S - 1.5), min_size=1, max_size=8),
    st.floats(ONE_LOSS_S + 1.0, 2.0 * WELL_S),
)
def test_a_lost_machine_is_one_loss_and_forgotten_when_all_are_well(
    lags_s: list[float], pause_s: float
) -> None:
    """However many workers it had, and though their losses are noticed at different times."""
    clock = Clock()
    backoff = RestartBackoff(clock.monotonic)
    for name, lag_s in enumerate(sorted(lags_s)):
        clock.now = 1000.0 + lag_s
        assert backoff.is_over(str(name), RESTART_AFTER_S + 1.0)
        backoff.observe(False)
        backoff.restarted(str(name))
    last_s = clock.now
    clock.now += pause_s
    backoff.observe(True)
    expected_s = RESTART_AFTER_S if clock.now - last_s > WELL_S else 2.0 * RESTART_AFTER_S
    assert backoff.seconds == expected_s


def test_the_next_loss_is_repaired_as_fast_as_the_first(clock: Clock) -> None:
    workers = Workers([str(number) for number in range(8)])
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 5.0)
    workers.beating -= {"0", "1", "2", "3"}
    look_repeatedly(monitor, clock, RESTART_AFTER_S + 1.0)
    assert len(workers.restarted) == 4
    look_repeatedly(monitor, clock, WELL_S + 1.0)
    workers.beating.remove("5")
    look_repeatedly(monitor, clock, RESTART_AFTER_S + 1.0)
    assert workers.restarted[4:] == ["5"]


def test_a_monitor_that_was_suspended_restarts_no_worker(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 5.0)
    workers.beating.clear()
    # The whole machine was suspended, several times.
    look_repeatedly(monitor, clock, 3 * 3600.0, gap_s=3600.0)
    assert workers.restarted == []
    workers.beating.update(workers.there)
    look_repeatedly(monitor, clock, 1.0)
    assert monitor.workforce_status.workers == 2


def test_a_worker_that_accepts_no_work_is_not_counted_and_not_restarted(clock: Clock) -> None:
    workers = Workers()
    workers.takes_work = False
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 100.0)
    assert (
        monitor.workforce_status.workers,
        monitor.workforce_status.silent,
        monitor.workforce_status.processes,
    ) == (0, 0, None)
    assert workers.restarted == []


def test_one_late_answer_is_ignored_and_many_mean_that_the_scheduler_is_away(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    look_repeatedly(monitor, clock, 5.0)
    workers.answers = False
    look_repeatedly(monitor, clock, 3.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (2, False)
    look_repeatedly(monitor, clock, MAX_STATUS_AGE_S)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (0, True)
    workers.answers = True
    look_repeatedly(monitor, clock, 1.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (2, False)


def test_a_stuck_dispatcher_is_reported_and_another_server_leads(tmp_path: Path, clock: Clock) -> None:
    stuck = monitor_of(Workers(), LeaderElection(tmp_path / "lock"), steps=lambda: 7)
    waiting = monitor_of(Workers(), LeaderElection(tmp_path / "lock"))

    def look_with_both(seconds: float) -> None:
        for _ in range(round(seconds)):
            look_repeatedly(stuck, clock, 1.0)
            waiting._look()

    look_with_both(STUCK_S)
    assert (stuck.leads, waiting.leads, stuck.workforce_status.is_fresh) == (True, False, True)
    assert waiting.workforce_status.waits and waiting.workforce_status.workers == 2
    look_with_both(2.0)
    assert not stuck.workforce_status.is_fresh and "have not been handed over for" in str(detail_of(stuck))
    look_with_both(GONE_S - STUCK_S)
    assert (stuck.leads, waiting.leads) == (True, False)
    look_with_both(TAKEN_OVER_S + 2.0)
    assert (
        stuck.leads,
        waiting.leads,
        stuck.workforce_status.is_fresh,
        waiting.workforce_status.is_fresh,
    ) == (
        False,
        True,
        False,
        True,
    )
    # While it is stuck it does not take a free lock.
    waiting.release()
    look_repeatedly(stuck, clock, TAKEN_OVER_S + 2.0)
    assert not stuck.leads
    stuck.release()


def test_a_dispatcher_that_starts_a_cluster_may_take_longer(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers, steps=lambda: 7)
    workers.starts, workers.answers = True, False
    monitor.workforce_status = replace(monitor.workforce_status, is_away=True)
    look_repeatedly(monitor, clock, START_S)
    assert detail_of(monitor) == "The workers start. What is accepted waits."
    # After the start the steps must advance.
    workers.starts, workers.answers = False, True
    look_repeatedly(monitor, clock, STUCK_S)
    assert detail_of(monitor) is None
    look_repeatedly(monitor, clock, 2.0)
    assert "have not been handed over" in str(detail_of(monitor))


def test_a_leader_on_a_full_disk_keeps_the_lead(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From its first start on, and with another server that waits: the other does not take over."""

    def raise_disk_full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", raise_disk_full)
    leader, waiting = (monitor_of(Workers(), LeaderElection(tmp_path / "lock")) for _ in range(2))
    for _ in range(300):
        look_repeatedly(leader, clock, 1.0)
        waiting._look()
        assert (leader.leads, waiting.leads) == (True, False)
    assert leader.workforce_status.workers == 2 and waiting.workforce_status.longest_s == 0.0
    assert caplog.text.count("No space left on device") == 1
    leader.release()
    look_repeatedly(waiting, clock, 1.0)
    assert waiting.leads and waiting.workforce_status.workers == 2
    waiting.release()
