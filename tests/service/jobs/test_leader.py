"""Which of several servers dispatches the jobs: the first one, as long as it sends heartbeats."""

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


def look_all(servers: list[LeaderElection]) -> list[bool]:
    return [server.look() for server in servers]


def test_one_server_leads_and_another_takes_over_when_it_ends(tmp_path: Path, clock: Clock) -> None:
    first, second = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    for workers in range(100):
        clock.now += 1.0
        assert look_all([first, second]) == [True, False]
        first.publish(workers)
    assert look_all([first, second]) == [True, False]
    assert second.leader_state().workers == 99 and second.leader_state().silent_s == 0.0
    first.release()
    assert second.look()
    second.release()


def test_a_stalled_leader_is_replaced_and_learns_it(tmp_path: Path, clock: Clock) -> None:
    first, second, third = servers = [LeaderElection(tmp_path / "lock") for _ in range(3)]
    look_all(servers)
    first.publish(5)
    waited_s = 0
    # The first server is suspended from here on: it neither looks nor writes.
    while not second.look():
        clock.now += 1.0
        waited_s += 1
        assert (
            second.leader_state().workers == 5
            and second.leader_state().silent_s <= leader_module.TAKEN_OVER_S
        )
    assert waited_s == pytest.approx(leader_module.TAKEN_OVER_S, abs=2.0)
    second.publish(7)
    assert look_all([first, second, third]) == [False, True, False]
    assert first.leader_state().workers == third.leader_state().workers == 7
    # What the first server writes later is read by no other.
    first.publish(1)
    assert third.look() is False and third.leader_state().workers == 7
    second.release()
    assert look_all([first, third]) == [True, False]
    first.release()
    assert os.listdir(tmp_path) == ["lock"]


def test_only_one_of_two_waiting_servers_takes_over(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even though both have observed the heartbeats of the previous leader."""
    first, second, third = servers = [LeaderElection(tmp_path / "lock") for _ in range(3)]
    look_all(servers)
    first.publish(1)
    for _ in range(round(leader_module.TAKEN_OVER_S)):
        clock.now += 1.0
        assert look_all([second, third]) == [False, False]
    real_locked = leader_module._locked
    leads_meanwhile: list[bool] = []

    def look_before_lock(file: Path) -> int | None:
        if not leads_meanwhile:
            leads_meanwhile.append(False)
            leads_meanwhile.append(second.look())
        return real_locked(file)

    clock.now += 1.0
    monkeypatch.setattr(leader_module, "_locked", look_before_lock)
    assert (third.look(), leads_meanwhile) == (False, [False, True])
    for _ in range(10):
        clock.now += 1.0
        assert look_all(servers) == [False, True, False]
        second.publish(1)
    second.release()


def test_an_interrupted_takeover_is_completed_by_the_next_one(tmp_path: Path, clock: Clock) -> None:
    """The file that it left is reused, so that no file stays for ever."""
    first, second = (LeaderElection(tmp_path / "lock") for _ in range(2))
    look_all([first, second])
    (tmp_path / "lock.next").write_text("     7\n", encoding="ascii")
    for _ in range(round(leader_module.TAKEN_OVER_S) + 1):
        clock.now += 1.0
        second.look()
    assert second.leads and os.listdir(tmp_path) == ["lock"]
    second.release()


def test_a_heartbeat_needs_no_disk_space(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (LeaderElection(tmp_path / "lock") for _ in range(2))
    look_all([first, second])
    first.publish(3)

    def raise_disk_full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", raise_disk_full)
    for _ in range(100):
        clock.now += 1.0
        with pytest.raises(OSError, match="No space"):
            first.publish(4)
        assert look_all([first, second]) == [True, False]
    assert second.leader_state() == LeaderState(3, 0.0)
    first.release()


def test_a_server_that_cannot_write_does_not_take_over(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader may be unable to write heartbeats on a full disk, and still work."""
    first, second = (LeaderElection(tmp_path / "lock") for _ in range(2))
    look_all([first, second])
    first.publish(3)
    is_full = True
    pwrite, utime = os.pwrite, os.utime

    def write(*arguments: Any) -> int:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(*arguments)

    def set_time(*arguments: Any, **keywords: Any) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        utime(*arguments, **keywords)

    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "utime", set_time)
    failures = 0
    for _ in range(100):
        clock.now += 1.0
        with contextlib.suppress(OSError):
            first.publish(3)
        try:
            assert second.look() is False
        except OSError:
            failures += 1
        assert first.look() is True
    assert failures > 60
    is_full = False
    first.publish(3)
    assert look_all([first, second]) == [True, False]
    first.release()


@pytest.mark.parametrize("failing", ["flock", "stat", "close"])
def test_a_failing_network_share_leaves_no_orphaned_lock(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A call of flock may fail with ENOLCK, stat with ESTALE, close with EIO; no lock stays held."""
    first, second = (LeaderElection(tmp_path / "lock") for _ in range(2))
    open_files = len(os.listdir("/dev/fd"))

    def raise_stale(*_: object) -> NoReturn:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patched:
        if failing == "close":
            first.look()
            close = os.close

            def close_and_fail(handle: int) -> None:
                close(handle)
                raise OSError(errno.EIO, "Input/output error")

            patched.setattr(os, "close", close_and_fail)
            with pytest.raises(OSError, match="Input"):
                first.release()
        else:
            patched.setattr(
                *((leader_module.fcntl, "flock") if failing == "flock" else (leader_module, "_is_at")),
                raise_stale,
            )
            for _ in range(5):
                with pytest.raises(OSError, match="Stale"):
                    first.look()
    assert not first.leads and len(os.listdir("/dev/fd")) == open_files
    assert look_all([second, first]) == [True, False]
    second.release()


def test_a_server_that_was_suspended_itself_does_not_take_over_at_once(tmp_path: Path, clock: Clock) -> None:
    first, second = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    look_all([first, second])
    for _ in range(3):
        clock.now += 3600.0
        assert look_all([second, first]) == [False, True]
        first.publish(1)
    first.release()


def test_a_server_that_may_not_lead_leaves_the_lead_to_another(tmp_path: Path, clock: Clock) -> None:
    first, second = LeaderElection(tmp_path / "lock"), LeaderElection(tmp_path / "lock")
    assert not first.look(may_take=False)
    assert second.look()
    assert not first.look(may_take=False)
    second.release()
    assert not first.look(may_take=False)
    assert first.look() and first.look(may_take=False)
    first.release()


def test_a_lock_with_a_stale_file_handle_is_released(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = LeaderElection(tmp_path / "lock")
    assert server.look()
    stale_files, fstat = {server._lock}, os.fstat

    def stale_fstat(file: int) -> os.stat_result:
        if file in stale_files:
            # After it is closed its number may be that of another file.
            stale_files.remove(file)
            raise OSError(errno.ESTALE, "Stale file handle")
        return fstat(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", stale_fstat)
        assert not server.look(may_take=False)
    assert server.look()
    server.release()
