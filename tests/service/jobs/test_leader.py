"""Which of several servers has the jobs done: the first, for as long as it beats."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from service.jobs import leader as leader_module
from service.jobs.leader import LeaderElection, LeaderState


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake_clock = Clock()

    class HeartbeatTracker(leader_module.HeartbeatTracker):
        def __init__(self) -> None:
            super().__init__(fake_clock)

    monkeypatch.setattr(leader_module, "HeartbeatTracker", HeartbeatTracker)
    return fake_clock


def leading(servers: list[LeaderElection]) -> list[bool]:
    return [server.look() for server in servers]


def test_one_leads_and_another_takes_over_at_its_end(tmp_path: Path, clock: Clock) -> None:
    one, two = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    for workers in range(100):
        clock.now += 1.0
        assert leading([one, two]) == [True, False]
        one.publish(workers)
    assert leading([one, two]) == [True, False]
    assert two.leader_state().workers == 99 and two.leader_state().silent_s == 0.0
    one.release()
    assert two.look()
    two.release()


def test_one_that_stands_still_is_taken_over_and_finds_that_out(tmp_path: Path, clock: Clock) -> None:
    one, two, three = servers = [LeaderElection(tmp_path / "lock") for _ in range(3)]
    leading(servers)
    one.publish(5)
    waited = 0
    # One is stopped from here: it neither looks nor tells.
    while not two.look():
        clock.now += 1.0
        waited += 1
        assert two.leader_state().workers == 5 and two.leader_state().silent_s <= leader_module.TAKEN_OVER_S
    assert waited == pytest.approx(leader_module.TAKEN_OVER_S, abs=2.0)
    two.publish(7)
    assert leading([one, two, three]) == [False, True, False]
    assert one.leader_state().workers == three.leader_state().workers == 7
    # What the first writes after all is read by nobody.
    one.publish(1)
    assert three.look() is False and three.leader_state().workers == 7
    two.release()
    assert leading([one, three]) == [True, False]
    one.release()
    assert os.listdir(tmp_path) == ["lock"]


def test_of_two_who_wait_one_takes_over(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though both have seen the tracker of the one before."""
    one, two, three = servers = [LeaderElection(tmp_path / "lock") for _ in range(3)]
    leading(servers)
    one.publish(1)
    for _ in range(round(leader_module.TAKEN_OVER_S)):
        clock.now += 1.0
        assert leading([two, three]) == [False, False]
    locked = leader_module._locked
    meanwhile: list[bool] = []

    def late(file: Path) -> int | None:
        if not meanwhile:
            meanwhile.append(False)
            meanwhile.append(two.look())
        return locked(file)

    clock.now += 1.0
    monkeypatch.setattr(leader_module, "_locked", late)
    assert (three.look(), meanwhile) == (False, [False, True])
    for _ in range(10):
        clock.now += 1.0
        assert leading(servers) == [False, True, False]
        two.publish(1)
    two.release()


def test_a_takeover_that_was_killed_is_made_by_the_next(tmp_path: Path, clock: Clock) -> None:
    """What it left is used, so that nothing is left for ever."""
    one, two = (LeaderElection(tmp_path / "lock") for _ in range(2))
    leading([one, two])
    (tmp_path / "lock.next").write_text("     7\n", encoding="ascii")
    for _ in range(round(leader_module.TAKEN_OVER_S) + 1):
        clock.now += 1.0
        two.look()
    assert two.leads and os.listdir(tmp_path) == ["lock"]
    two.release()


def test_a_beat_needs_no_room(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (LeaderElection(tmp_path / "lock") for _ in range(2))
    leading([one, two])
    one.publish(3)

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(100):
        clock.now += 1.0
        with pytest.raises(OSError, match="No space"):
            one.publish(4)
        assert leading([one, two]) == [True, False]
    assert two.leader_state() == LeaderState(3, 0.0)
    one.release()


def test_who_cannot_tell_takes_nothing_over(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader may be silent on a disk where times need room too, and works."""
    one, two = (LeaderElection(tmp_path / "lock") for _ in range(2))
    leading([one, two])
    one.publish(3)
    full = True
    pwrite, utime = os.pwrite, os.utime

    def write(*arguments: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(*arguments)

    def set_time(*arguments: Any, **more: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        utime(*arguments, **more)

    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "utime", set_time)
    refused = 0
    for _ in range(100):
        clock.now += 1.0
        with contextlib.suppress(OSError):
            one.publish(3)
        try:
            assert two.look() is False
        except OSError:
            refused += 1
        assert one.look() is True
    assert refused > 60
    full = False
    one.publish(3)
    assert leading([one, two]) == [True, False]
    one.release()


@pytest.mark.parametrize("failing", ["flock", "stat", "close"])
def test_a_share_that_fails_leaves_no_lock_with_nobody(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A lock may answer ENOLCK, stat ESTALE, close EIO: no descriptor is left that keeps the lock."""
    one, two = (LeaderElection(tmp_path / "lock") for _ in range(2))
    before = len(os.listdir("/dev/fd"))

    def ill(*_: object) -> NoReturn:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patched:
        if failing == "close":
            one.look()
            close = os.close

            def close_and_fail(handle: int) -> None:
                close(handle)
                raise OSError(errno.EIO, "Input/output error")

            patched.setattr(os, "close", close_and_fail)
            with pytest.raises(OSError, match="Input"):
                one.release()
        else:
            patched.setattr(
                *((leader_module.fcntl, "flock") if failing == "flock" else (leader_module, "_is_at")), ill
            )
            for _ in range(5):
                with pytest.raises(OSError, match="Stale"):
                    one.look()
    assert not one.leads and len(os.listdir("/dev/fd")) == before
    assert leading([two, one]) == [True, False]
    two.release()


def test_who_was_stopped_himself_takes_nothing_over_at_once(tmp_path: Path, clock: Clock) -> None:
    one, two = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    leading([one, two])
    for _ in range(3):
        clock.now += 3600.0
        assert leading([two, one]) == [False, True]
        one.publish(1)
    one.release()


def test_who_may_not_take_the_lead_leaves_it_to_another(tmp_path: Path, clock: Clock) -> None:
    one, two = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    assert not one.look(may_take=False)
    assert two.look()
    assert not one.look(may_take=False)
    two.release()
    assert not one.look(may_take=False)
    assert one.look() and one.look(may_take=False)
    one.release()


def test_a_lock_whose_open_file_is_stale_is_let_go(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = LeaderElection(tmp_path / "lock")
    assert one.look()
    stale_files, fstat = {one._lock}, os.fstat

    def stale(file: int) -> os.stat_result:
        if file in stale_files:
            # Its number is another file's once it is closed.
            stale_files.remove(file)
            raise OSError(errno.ESTALE, "Stale file handle")
        return fstat(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", stale)
        assert not one.look(may_take=False)
    assert one.look()
    one.release()
