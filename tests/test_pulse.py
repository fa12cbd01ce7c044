"""The pulse: who is told as silent, and who is restarted. test_standstill tries it with processes."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.jobs import lead as lead_of
from service.jobs import pulse as pulse_of
from service.jobs.lead import Lead
from service.jobs.pulse import RESTART_AFTER_S, SILENT_S, STALE_S, STUCK_S, Pulse
from service.jobs.silence import Silence
from service.jobs.workforce import Beat, Workforce


class Workers(Workforce):
    """Stands in for the workforce: workers that beat, and some that do not."""

    def __init__(self) -> None:
        self.beating = {"one", "two"}
        self.there = {"one", "two"}
        self.takes_work = True
        self.answers = True
        self.restarted: list[str] = []
        self._beats = dict.fromkeys(self.there, 0)

    def connected(self) -> Any:
        return self

    def beats(self) -> dict[str, Beat]:
        if not self.answers:
            raise TimeoutError
        for address in self.beating:
            self._beats[address] = self._beats.get(address, 0) + 1
        return {address: Beat(self._beats[address], self.takes_work) for address in self.there}

    def processes(self) -> int | None:
        return None

    def restart(self, address: str) -> bool:
        self.restarted.append(address)
        self.there.discard(address)
        return True


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pulse_of, "time", made)
    for module in (pulse_of, lead_of):
        monkeypatch.setattr(module, "Silence", lambda: Silence(made.monotonic))
    return made


Steps = Callable[[], int]


def looked(pulse: Pulse, clock: Clock, seconds: float, gap_s: float = 1.0) -> None:
    for _ in range(round(seconds / gap_s)):
        clock.now += gap_s
        pulse._look()


def made(workers: Workers, lead: Lead | None = None, steps: Steps | None = None) -> Pulse:
    count = iter(range(10**9))
    return Pulse(workers, lead, steps or (lambda: next(count)), lambda: None)


def test_a_worker_that_does_not_beat_is_told_then_restarted(clock: Clock) -> None:
    workers = Workers()
    pulse = made(workers)
    looked(pulse, clock, 100.0)
    assert (pulse.roll.workers, pulse.roll.silent) == (2, 0)
    workers.beating.remove("one")
    looked(pulse, clock, SILENT_S + 1.0)
    assert (pulse.roll.workers, pulse.roll.silent, pulse.roll.longest_s) == (1, 1, SILENT_S + 1.0)
    assert workers.restarted == []
    looked(pulse, clock, RESTART_AFTER_S - SILENT_S)
    assert workers.restarted == ["one"]
    looked(pulse, clock, 100.0)
    assert (pulse.roll.workers, pulse.roll.silent) == (1, 0)


def test_restarts_that_do_not_help_become_rarer(clock: Clock) -> None:
    workers = Workers()
    pulse = made(workers)
    looked(pulse, clock, 5.0)
    workers.beating.clear()
    seen: list[float] = []
    for _ in range(3600):
        looked(pulse, clock, 1.0)
        if len(workers.restarted) > len(seen):
            seen.append(clock.now)
            workers.there = {"one"}
    gaps = [after - before for before, after in itertools.pairwise(seen)]
    # The first two at once, of two workers.
    assert 8 <= len(seen) <= 16 and gaps == sorted(gaps)


def test_who_did_not_look_restarts_nobody(clock: Clock) -> None:
    workers = Workers()
    pulse = made(workers)
    looked(pulse, clock, 5.0)
    workers.beating.clear()
    # The whole machine stood still, again and again.
    looked(pulse, clock, 3 * 3600.0, gap_s=3600.0)
    assert workers.restarted == []
    workers.beating.update(workers.there)
    looked(pulse, clock, 1.0)
    assert pulse.roll.workers == 2


def test_a_worker_that_takes_no_work_is_not_counted_and_stays(clock: Clock) -> None:
    workers = Workers()
    workers.takes_work = False
    pulse = made(workers)
    looked(pulse, clock, 100.0)
    assert (pulse.roll.workers, pulse.roll.silent, pulse.roll.processes) == (0, 0, None)
    assert workers.restarted == []


def test_one_answer_that_is_late_says_nothing_and_many_say_that_the_scheduler_is_away(clock: Clock) -> None:
    workers = Workers()
    pulse = made(workers)
    looked(pulse, clock, 5.0)
    workers.answers = False
    looked(pulse, clock, 3.0)
    assert (pulse.roll.workers, pulse.roll.is_away) == (2, False)
    looked(pulse, clock, STALE_S)
    assert (pulse.roll.workers, pulse.roll.is_away) == (0, True)
    workers.answers = True
    looked(pulse, clock, 1.0)
    assert (pulse.roll.workers, pulse.roll.is_away) == (2, False)


def test_an_engine_that_is_stuck_is_told_and_another_server_leads(tmp_path: Path, clock: Clock) -> None:
    one = made(Workers(), Lead(tmp_path / "lock"), steps=lambda: 7)
    two = made(Workers(), Lead(tmp_path / "lock"))
    for _ in range(10):
        looked(one, clock, 1.0)
        two._look()
    assert (one.leads, two.leads, one.roll.is_fresh) == (True, False, True)
    assert two.roll.waits and two.roll.workers == 2
    for _ in range(round(STUCK_S)):
        looked(one, clock, 1.0)
        two._look()
    assert one.roll.age_s == 0.0 and one.roll.engine_silent_s > STUCK_S - 30.0
    for _ in range(60):
        looked(one, clock, 1.0)
        two._look()
    assert (one.leads, two.leads, one.roll.is_fresh) == (False, True, False)
    one.release()
    two.release()
