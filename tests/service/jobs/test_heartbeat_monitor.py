"""The monitor: who is told as silent, and who is restarted. test_standstill tries it with processes."""

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

    A restart is `refused` where one is under way; where it `helps`, the worker is gone, and another there.
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
    """What health says of workers that is wrong."""
    trouble = workers_trouble(monitor.workforce_status)
    return None if trouble is None else trouble.detail


Steps = Callable[[], int]


def looked(monitor: HeartbeatMonitor, clock: Clock, seconds: float, gap_s: float = 1.0) -> None:
    for _ in range(round(seconds / gap_s)):
        clock.now += gap_s
        monitor._look()


def monitor_of(
    workers: Workers, election: LeaderElection | None = None, steps: Steps | None = None
) -> HeartbeatMonitor:
    count = iter(range(10**9))
    return HeartbeatMonitor(workers, election, steps or (lambda: next(count)), lambda: None)


def test_a_worker_without_heartbeat_is_reported_then_restarted(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    looked(monitor, clock, 100.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.silent) == (2, 0)
    workers.beating.remove("one")
    looked(monitor, clock, SILENT_S + 1.0)
    assert (
        monitor.workforce_status.workers,
        monitor.workforce_status.silent,
        monitor.workforce_status.longest_s,
    ) == (1, 1, SILENT_S + 1.0)
    assert workers.restarted == []
    looked(monitor, clock, RESTART_AFTER_S - SILENT_S)
    assert workers.restarted == ["one"]
    looked(monitor, clock, 100.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.silent) == (2, 0)


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced in vain", "never replaced"])
def test_restarts_that_do_not_help_become_rarer(clock: Clock, is_replaced: bool) -> None:
    workers = Workers(["one"])
    workers.helps = False
    monitor = monitor_of(workers)
    looked(monitor, clock, 5.0)
    workers.beating.clear()
    restart_times: list[float] = []
    for number in range(2000):
        looked(monitor, clock, 1.0)
        if len(workers.restarted) > len(restart_times):
            restart_times.append(clock.now)
            workers.there = {f"one {number}"} if is_replaced else {"one"}
    gaps = [after - before for before, after in itertools.pairwise(restart_times)]
    expected = [RESTART_AFTER_S * min(2**n, MAX_BACKOFF) for n in range(1, len(restart_times))]
    # Who is replaced is counted from the next look on.
    assert gaps == pytest.approx(expected, abs=2.1) and len(restart_times) >= 6


def test_a_restart_that_is_under_way_is_none(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    looked(monitor, clock, 5.0)
    workers.refuses = True
    workers.beating.clear()
    looked(monitor, clock, 100.0)
    workers.refuses = False
    looked(monitor, clock, 1.0)
    assert sorted(workers.restarted) == ["one", "two"] and monitor._backoff.seconds == RESTART_AFTER_S


@given(
    st.lists(st.floats(0.0, ONE_LOSS_S - 1.5), min_size=1, max_size=8),
    st.floats(ONE_LOSS_S + 1.0, 2.0 * WELL_S),
)
def test_a_machine_that_is_lost_is_one_loss_and_forgotten_when_all_are_well(
    lags_s: list[float], pause_s: float
) -> None:
    """However many workers it had, and though they are missed at different moments."""
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
    others_s = RESTART_AFTER_S if clock.now - last_s > WELL_S else 2.0 * RESTART_AFTER_S
    assert backoff.seconds == others_s


def test_the_next_loss_is_mended_as_fast_as_the_first(clock: Clock) -> None:
    workers = Workers([str(number) for number in range(8)])
    monitor = monitor_of(workers)
    looked(monitor, clock, 5.0)
    workers.beating -= {"0", "1", "2", "3"}
    looked(monitor, clock, RESTART_AFTER_S + 1.0)
    assert len(workers.restarted) == 4
    looked(monitor, clock, WELL_S + 1.0)
    workers.beating.remove("5")
    looked(monitor, clock, RESTART_AFTER_S + 1.0)
    assert workers.restarted[4:] == ["5"]


def test_who_did_not_look_restarts_nobody(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    looked(monitor, clock, 5.0)
    workers.beating.clear()
    # The whole machine stood still, again and again.
    looked(monitor, clock, 3 * 3600.0, gap_s=3600.0)
    assert workers.restarted == []
    workers.beating.update(workers.there)
    looked(monitor, clock, 1.0)
    assert monitor.workforce_status.workers == 2


def test_a_worker_that_takes_no_work_is_not_counted_and_stays(clock: Clock) -> None:
    workers = Workers()
    workers.takes_work = False
    monitor = monitor_of(workers)
    looked(monitor, clock, 100.0)
    assert (
        monitor.workforce_status.workers,
        monitor.workforce_status.silent,
        monitor.workforce_status.processes,
    ) == (0, 0, None)
    assert workers.restarted == []


def test_one_answer_that_is_late_says_nothing_and_many_say_that_the_scheduler_is_away(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers)
    looked(monitor, clock, 5.0)
    workers.answers = False
    looked(monitor, clock, 3.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (2, False)
    looked(monitor, clock, MAX_STATUS_AGE_S)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (0, True)
    workers.answers = True
    looked(monitor, clock, 1.0)
    assert (monitor.workforce_status.workers, monitor.workforce_status.is_away) == (2, False)


def test_a_stuck_dispatcher_is_reported_and_another_server_leads(tmp_path: Path, clock: Clock) -> None:
    one = monitor_of(Workers(), LeaderElection(tmp_path / "lock"), steps=lambda: 7)
    two = monitor_of(Workers(), LeaderElection(tmp_path / "lock"))

    def both(seconds: float) -> None:
        for _ in range(round(seconds)):
            looked(one, clock, 1.0)
            two._look()

    both(STUCK_S)
    assert (one.leads, two.leads, one.workforce_status.is_fresh) == (True, False, True)
    assert two.workforce_status.waits and two.workforce_status.workers == 2
    both(2.0)
    assert not one.workforce_status.is_fresh and "have not been handed over for" in str(detail_of(one))
    both(GONE_S - STUCK_S)
    assert (one.leads, two.leads) == (True, False)
    both(TAKEN_OVER_S + 2.0)
    assert (one.leads, two.leads, one.workforce_status.is_fresh, two.workforce_status.is_fresh) == (
        False,
        True,
        False,
        True,
    )
    # Stuck still, it does not take a lock that is free.
    two.release()
    looked(one, clock, TAKEN_OVER_S + 2.0)
    assert not one.leads
    one.release()


def test_an_engine_that_starts_a_cluster_may_take_longer(clock: Clock) -> None:
    workers = Workers()
    monitor = monitor_of(workers, steps=lambda: 7)
    workers.starts, workers.answers = True, False
    monitor.workforce_status = replace(monitor.workforce_status, is_away=True)
    looked(monitor, clock, START_S)
    assert detail_of(monitor) == "The workers start. What is accepted waits."
    # Its step goes on after the start.
    workers.starts, workers.answers = False, True
    looked(monitor, clock, STUCK_S)
    assert detail_of(monitor) is None
    looked(monitor, clock, 2.0)
    assert "have not been handed over" in str(detail_of(monitor))


def test_who_leads_on_a_full_disk_goes_on(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From its first start on, and with another server that waits: nobody takes its place."""

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    one, two = (monitor_of(Workers(), LeaderElection(tmp_path / "lock")) for _ in range(2))
    for _ in range(300):
        looked(one, clock, 1.0)
        two._look()
        assert (one.leads, two.leads) == (True, False)
    assert one.workforce_status.workers == 2 and two.workforce_status.longest_s == 0.0
    assert caplog.text.count("No space left on device") == 1
    one.release()
    looked(two, clock, 1.0)
    assert two.leads and two.workforce_status.workers == 2
    two.release()
