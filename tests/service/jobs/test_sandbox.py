"""The sandboxed process: its work ends when it should, in every way that it can end."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import sandbox_work as fakes
from process_state import is_gone

from anatomy.errors import ReadError
from planner.records.progress import Progress
from service.jobs.liveness import stall_detector
from service.jobs.sandbox import sandbox as sandbox_module
from service.jobs.sandbox.sandbox import (
    LimitExceeded,
    ProcessLost,
    ResourceLimits,
    SandboxedProcess,
    Stopped,
    TaskFailed,
)

GENEROUS_S = 60.0
MIB = 1 << 20


@pytest.fixture
def sandbox() -> Iterator[SandboxedProcess]:
    process = SandboxedProcess(ResourceLimits(GENEROUS_S, 2048 * MIB, 3))
    yield process
    process.end()


def stop(pid: int) -> None:
    """Send SIGSTOP and wait until the process is stopped."""
    os.kill(pid, signal.SIGSTOP)
    while not stall_detector.is_stopped(pid):
        time.sleep(0.01)


def test_work_runs_in_another_process_that_is_reused(sandbox: SandboxedProcess) -> None:
    reports: list[Progress | None] = []

    def watch(progress: Progress | None) -> bool:
        reports.append(progress)
        return True

    value, pid = sandbox.run(fakes.answer, {"a": [1.5]}, watch=watch)
    assert value == {"a": [1.5]} and pid != os.getpid() and pid == sandbox.pid
    assert [report.fraction for report in reports if report is not None] == [0.5]
    assert sandbox.run(fakes.answer, 1)[1] == pid
    assert sandbox.run(fakes.priority) == os.nice(0) + 3
    # Nice values count within a session.
    assert os.getsid(pid) == os.getsid(0)


def test_an_input_error_is_passed_on_completely(sandbox: SandboxedProcess) -> None:
    with pytest.raises(ReadError) as caught:
        sandbox.run(fakes.refuse)
    assert (caught.value.field, caught.value.value) == ("a.nii", "it is no image")
    assert sandbox.pid is not None


@pytest.mark.representative(1)
@pytest.mark.parametrize(
    "task", [(fakes.fail,), (fakes.fail_to_answer,), (fakes.answer, fakes.NotUnpickled())]
)
def test_after_a_fault_the_next_task_gets_a_new_process(
    sandbox: SandboxedProcess, task: tuple[Any, ...]
) -> None:
    first_pid = sandbox.run(fakes.answer, 1)[1]
    with pytest.raises(TaskFailed, match="Traceback"):
        sandbox.run(*task)
    assert is_gone(first_pid)
    assert sandbox.run(fakes.answer, 1)[1] != first_pid


def test_a_process_that_dies_is_reported_as_lost(sandbox: SandboxedProcess) -> None:
    with pytest.raises(ProcessLost):
        sandbox.run(fakes.die)
    sandbox.run(fakes.answer, 1)


def test_a_process_that_died_while_idle_is_replaced(sandbox: SandboxedProcess) -> None:
    pid = sandbox.run(fakes.answer, 1)[1]
    os.kill(pid, signal.SIGKILL)
    # Wait for all of its threads, not only the first: until then its end of the socket is open.
    assert sandbox._process is not None and sandbox._process.wait() == -signal.SIGKILL
    assert sandbox.run(fakes.answer, 1)[1] != pid


@pytest.mark.long
def test_a_process_that_was_stopped_while_idle_is_replaced(sandbox: SandboxedProcess) -> None:
    pid = sandbox.run(fakes.answer, 1)[1]
    stop(pid)
    assert sandbox.run(fakes.answer, 1)[1] != pid
    assert is_gone(pid)


@pytest.mark.long
def test_a_stopped_process_is_reported_as_lost(
    sandbox: SandboxedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While working; with half an answer sent; before it has read arguments larger than the socket buffer."""
    monkeypatch.setattr(stall_detector, "STOPPED_S", 2.0)
    for task in (fakes.stop, fakes.stop_in_the_answer):
        with pytest.raises(ProcessLost, match="was stalled"):
            sandbox.run(task)
        assert sandbox.pid is None
    pid = sandbox.run(fakes.answer, 1)[1]
    stop(pid)
    monkeypatch.setattr(SandboxedProcess, "_is_lost", lambda *_: False)
    with pytest.raises(ProcessLost, match="was stalled"):
        sandbox.run(fakes.answer, bytes(8 * MIB))
    assert is_gone(pid)


def test_large_arguments_and_results_are_passed_completely(sandbox: SandboxedProcess) -> None:
    large = os.urandom(5 * MIB + 3)
    assert sandbox.run(fakes.answer, large)[0] == large
    assert sandbox.run(fakes.answer, 1)[0] == 1


def test_a_process_that_hangs_is_reported_as_lost(
    sandbox: SandboxedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a helper thread is active at times, such as the one that watches the parent."""
    monkeypatch.setattr(stall_detector, "IDLE_S", 2.0)
    with pytest.raises(ProcessLost, match="was stalled"):
        sandbox.run(fakes.hang)


class SleepingProcess:
    """A sleeping process with the interface of psutil, that uses `rate` seconds of processor per second."""

    def __init__(self, rate: float, clock: list[float]) -> None:
        self._rate, self._clock = rate, clock

    def oneshot(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    pid = 1

    def status(self) -> str:
        return psutil.STATUS_SLEEPING

    def cpu_times(self) -> SimpleNamespace:
        # The kernel counts in ticks of 10 ms.
        return SimpleNamespace(user=round(self._rate * self._clock[0], 2), system=0.0)


@pytest.mark.parametrize(("rate", "is_still"), [(0.0, True), (0.00025, True), (0.001, True), (0.01, False)])
def test_very_little_processor_time_counts_as_idle(
    rate: float, is_still: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox's own thread uses 0.25 ms a second; four times as much is allowed for a slow machine."""
    clock = [0.0]
    monkeypatch.setattr(psutil, "Process", lambda _: SleepingProcess(rate, clock))
    monkeypatch.setattr(stall_detector, "is_busy", lambda _: False)
    detector = stall_detector.StallDetector(1, clock=lambda: clock[0])
    readings = []
    for second in range(600):
        clock[0] = float(second)
        readings.append(detector.seconds(message_number=0))
    assert any(readings) is is_still


@pytest.mark.parametrize(
    ("threads", "waits"),
    [
        ({"python": "S"}, False),
        ({"python": "S", "worker": "D"}, True),
        ({"python": "S", "a (b) c": "R"}, True),
        ({"python": "S", stall_detector.HELPER: "R"}, False),
    ],
)
def test_a_process_is_busy_if_any_thread_waits_for_a_processor_or_a_disk(
    threads: dict[str, str], waits: bool, tmp_path: Path
) -> None:
    for number, (name, state) in enumerate(threads.items()):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "stat").write_text(f"{number} ({name}) {state} 1 1 1 0 -1")
    assert stall_detector.is_busy(tmp_path) is waits


def test_a_helper_thread_is_recognized() -> None:
    is_marked = threading.Event()
    is_done = threading.Event()

    def compute_until_done() -> None:
        stall_detector.mark_as_helper_thread()
        is_marked.set()
        while not is_done.is_set():
            pass

    thread = threading.Thread(target=compute_until_done)
    thread.start()
    try:
        assert is_marked.wait(60.0)
        stats = [(p.parent / "comm").read_text().strip() for p in Path("/proc/self/task").glob("*/stat")]
        assert stats.count(stall_detector.HELPER) == 1
    finally:
        is_done.set()
        thread.join()


@pytest.mark.long
def test_long_work_without_reports_is_not_stalled(
    sandbox: SandboxedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds Python's global lock all the time, as native code may."""
    monkeypatch.setattr(stall_detector, "IDLE_S", 2.0)
    assert sandbox.run(fakes.compute_with_the_lock, 5.0) == "computed"


def test_cancelled_work_ends_at_once(sandbox: SandboxedProcess) -> None:
    started_s = time.monotonic()
    with pytest.raises(Stopped):
        sandbox.run(fakes.last, GENEROUS_S, watch=lambda _: time.monotonic() < started_s + 1.0)
    assert time.monotonic() - started_s < GENEROUS_S / 2
    assert sandbox.pid is None


def test_an_error_of_the_watcher_ends_the_work(sandbox: SandboxedProcess) -> None:
    def watch(progress: Progress | None) -> bool:
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        sandbox.run(fakes.last, GENEROUS_S, watch=watch)
    assert sandbox.pid is None


def test_work_that_takes_too_long_is_ended() -> None:
    sandbox = SandboxedProcess(ResourceLimits(1.0, 2048 * MIB, 0))
    with pytest.raises(LimitExceeded, match="longer than 1 s"):
        sandbox.run(fakes.last, GENEROUS_S)
    assert sandbox.pid is None


def test_work_that_takes_too_much_memory_is_ended() -> None:
    sandbox = SandboxedProcess(ResourceLimits(GENEROUS_S, 400 * MIB, 0))
    with pytest.raises(LimitExceeded, match="more than 400 MiB"):
        sandbox.run(fakes.fill_memory, 600 * MIB)
    assert sandbox.pid is None


def test_work_whose_time_is_used_up_is_ended_at_once(sandbox: SandboxedProcess) -> None:
    sandbox.run(fakes.answer, 1)
    with pytest.raises(LimitExceeded, match="longer than 60 s"):
        sandbox.run(fakes.last, GENEROUS_S, used_s=GENEROUS_S)


@pytest.mark.long
def test_a_process_that_survives_a_kill_is_abandoned(
    sandbox: SandboxedProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as one that waits for a network share that does not answer."""
    monkeypatch.setattr(sandbox_module, "END_S", 0.1)
    pid = sandbox.run(fakes.answer, 1)[1]
    process = sandbox._process
    assert process is not None
    with monkeypatch.context() as patched:
        patched.setattr(process, "kill", lambda: None)
        sandbox.end()
    assert f"the process {pid} was killed" in caplog.text
    assert sandbox.run(fakes.answer, 2)[1] != pid
    process.wait(GENEROUS_S)


@pytest.mark.representative(1)
@pytest.mark.parametrize(
    ("number", "work"),
    [(signal.SIGKILL, "last"), (signal.SIGKILL, "keep_the_lock"), (signal.SIGSTOP, "last")],
)
def test_a_sandbox_ends_with_its_parent(number: signal.Signals, work: str) -> None:
    """SIGKILL of the parent, or SIGSTOP for a while, in the middle of work."""
    parent = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {sys.path!r}
        import sandbox_work
        from service.jobs.sandbox.sandbox import SandboxedProcess, ResourceLimits
        sandbox = SandboxedProcess(ResourceLimits(60.0, {2048 * MIB}, 0))
        print(sandbox.run(sandbox_work.be_impatient, 2.0), flush=True)
        def watch(progress):
            if progress is not None:
                print("begun", flush=True)
            return True
        sandbox.run(sandbox_work.{work}, {int(2 * GENEROUS_S)}, watch=watch)
        """
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == "begun\n"
        # It is working by then, and holds the lock in that case.
        time.sleep(0.5)
        process.send_signal(number)
        try:
            assert is_gone(pid)
        finally:
            process.kill()
