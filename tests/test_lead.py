"""Which of several servers has the jobs done: the first, for as long as it counts on."""

import os
from pathlib import Path

import pytest

from service.jobs import lead as lead_of
from service.jobs.lead import Lead


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()

    class Silence(lead_of.Silence):
        def __init__(self) -> None:
            super().__init__(made)

    monkeypatch.setattr(lead_of, "Silence", Silence)
    return made


def leading(servers: list[Lead]) -> list[bool]:
    return [server.look() for server in servers]


def test_one_leads_and_another_takes_over_at_its_end(tmp_path: Path, clock: Clock) -> None:
    one, two = Lead(tmp_path / "lock"), Lead(tmp_path / "lock")
    for workers in range(100):
        clock.now += 1.0
        assert leading([one, two]) == [True, False]
        one.tell(workers)
    assert leading([one, two]) == [True, False]
    assert two.told().workers == 99 and two.told().silent_s == 0.0
    one.release()
    assert two.look()
    two.release()


def test_one_that_stands_still_is_taken_over_and_finds_that_out(tmp_path: Path, clock: Clock) -> None:
    one, two, three = servers = [Lead(tmp_path / "lock") for _ in range(3)]
    leading(servers)
    one.tell(5)
    waited = 0
    # One is stopped from here: it neither looks nor tells.
    while not two.look():
        clock.now += 1.0
        waited += 1
        assert two.told().workers == 5 and two.told().silent_s <= lead_of.TAKEN_OVER_S
    assert waited == pytest.approx(lead_of.TAKEN_OVER_S, abs=2.0)
    two.tell(7)
    assert leading([one, two, three]) == [False, True, False]
    assert one.told().workers == three.told().workers == 7
    # What the first writes after all is read by nobody.
    one.tell(1)
    assert three.look() is False and three.told().workers == 7
    two.release()
    assert leading([one, three]) == [True, False]
    one.release()
    assert os.listdir(tmp_path) == ["lock"]


def test_who_was_stopped_himself_takes_nothing_over_at_once(tmp_path: Path, clock: Clock) -> None:
    one, two = Lead(tmp_path / "lock"), Lead(tmp_path / "lock")
    leading([one, two])
    for _ in range(3):
        clock.now += 3600.0
        assert leading([two, one]) == [False, True]
        one.tell(1)
    one.release()
