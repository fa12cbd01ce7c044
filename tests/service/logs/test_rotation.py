"""Rotation of the audit log: no line is lost or doubled, whoever else writes or moves the file."""

import contextlib
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service_process import eventually

from service.logs import audit
from service.logs.append_file import AppendFile
from service.logs.audit import AuditHandler, audit_to
from service.logs.json_lines import AUDIT
from service.logs.rotation import DAY_S, Rotation, RotationLimits, rotated_files

LINES = 300
"""Number of lines of each writer."""

WRITER = """
import sys
from pathlib import Path
from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT
from service.logs.rotation import RotationLimits

audit_to(Path(sys.argv[1]), RotationLimits(bytes=2000))
for n in range(int(sys.argv[3])):
    AUDIT.info("%s-%d", sys.argv[2], n)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture(autouse=True)
def no_handlers() -> Iterator[None]:
    yield
    for handler in list(AUDIT.handlers):
        AUDIT.removeHandler(handler)
        handler.close()


def messages(log: Path) -> list[str]:
    """The messages of all files, oldest first."""
    files = [rotated.path for rotated in rotated_files(log)] + [log]
    return [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]


def write_line(handler: logging.Handler, text: str) -> None:
    handler.handle(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))


StartLog = Callable[[RotationLimits], AuditHandler]


@pytest.fixture
def clock() -> list[float]:
    """The current time [s since 1970], in a list so that a test can change it."""
    return [time.time()]


@pytest.fixture
def start(log: Path, clock: list[float]) -> Iterator[StartLog]:
    """Opens the log with that clock, as a server does at its start."""
    with contextlib.ExitStack() as handlers:

        def start_log(bounds: RotationLimits) -> AuditHandler:
            handler = AuditHandler(AppendFile(log, Rotation(log, bounds, lambda: clock[0])))
            handlers.callback(handler.close)
            return handler

        yield start_log


def test_threads_lose_no_line_and_write_none_twice(log: Path) -> None:
    audit_to(log, RotationLimits(bytes=2000))

    def write(name: str) -> None:
        for n in range(LINES):
            AUDIT.info("%s-%d", name, n)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = messages(log)
    assert sorted(lines) == sorted(f"{name}-{n}" for name in "abcd" for n in range(LINES))
    # The files are in order of time: so are the lines of each writer.
    for name in "abcd":
        assert [m for m in lines if m.startswith(name)] == [f"{name}-{n}" for n in range(LINES)]
    assert len(rotated_files(log)) > 10


def test_processes_that_write_one_log_lose_no_line(log: Path, repository: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(repository)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(log), name, str(LINES)], env=environment)
        for name in "abc"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert sorted(messages(log)) == sorted(f"{name}-{n}" for name in "abc" for n in range(LINES))
    assert len(rotated_files(log)) > 5


def test_files_are_private_whatever_the_umask(log: Path) -> None:
    mask = os.umask(0)
    try:
        audit_to(log, RotationLimits(bytes=1))
        for n in range(3):
            AUDIT.info("%d", n)
    finally:
        os.umask(mask)
    files = [rotated.path for rotated in rotated_files(log)] + [log]
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_log_is_rotated_at_its_age_also_after_a_restart(
    log: Path, clock: list[float], start: StartLog
) -> None:
    write_line(start(RotationLimits(age_s=DAY_S)), "first")
    clock[0] += DAY_S - 60.0
    write_line(start(RotationLimits(age_s=DAY_S)), "second")
    assert rotated_files(log) == []
    # The file was modified a moment ago: the age is that of its first line.
    clock[0] += 120.0
    write_line(start(RotationLimits(age_s=DAY_S)), "third")
    (rotated,) = rotated_files(log)
    assert abs(rotated.at_s - clock[0]) < 1.0
    assert [json.loads(line)["message"] for line in log.read_text().splitlines()] == ["third"]
    assert messages(log) == ["first", "second", "third"]


def test_names_sort_by_time_even_if_the_clock_is_set_back(
    log: Path, clock: list[float], start: StartLog
) -> None:
    clock[0] = 1_800_000_000.0
    handler = start(RotationLimits(bytes=1))
    for n in range(4):
        write_line(handler, str(n))
        clock[0] -= 3600.0 if n == 1 else 0.0
    assert messages(log) == ["0", "1", "2", "3"]
    names = [rotated.path.name for rotated in rotated_files(log)]
    assert names == sorted(set(names)) and len(names) == 3
    assert names[0] == "audit-20270115T080000.000Z.jsonl"


def test_files_rotated_by_other_programs_are_ignored(log: Path) -> None:
    for name in (
        "audit.jsonl.1",
        "audit-20270115.jsonl",
        "audit-old.jsonl",
        "other-20270115T080000.000Z.jsonl",
    ):
        (log.parent / name).touch()
    assert rotated_files(log) == []


def test_a_log_that_is_moved_away_is_replaced_by_a_new_file(log: Path) -> None:
    audit_to(log, RotationLimits(bytes=10_000))
    AUDIT.info("before")
    log.rename(log.with_name("audit.jsonl.1"))
    AUDIT.info("after")
    assert messages(log) == ["after"]


def test_lines_go_to_the_current_file_while_no_new_file_can_be_created(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    audit_to(log, RotationLimits(bytes=1))
    AUDIT.info("one")

    def fail(*args: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("service.logs.rotation.os.open", fail)
        AUDIT.info("two")
        AUDIT.info("three")
    AUDIT.info("four")
    assert messages(log) == ["one", "two", "three", "four"]
    assert caplog.text.count("cannot be started") == 1


def test_a_log_rotated_by_another_server_meanwhile_is_not_rotated_twice(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_text("old\n")
    flock, other_rotations = fcntl.flock, [Rotation(log, RotationLimits(bytes=1))]

    def after_another(handle: int, operation: int) -> None:
        """Another server rotates first, and writes its line."""
        while other_rotations:
            assert other_rotations.pop().is_followed(handle)
            log.write_text("next\n")
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", after_another)
    with log.open("a") as stream:
        assert Rotation(log, RotationLimits(bytes=1)).is_followed(stream.fileno())
    assert [rotated.path.read_text() for rotated in rotated_files(log)] == ["old\n"]
    assert log.read_text() == "next\n"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Inode and size of the file at each flush."""
    fsync, flushes = os.fsync, list[tuple[int, int]]()

    def recorded_fsync(handle: int) -> None:
        state = os.fstat(handle)
        flushes.append((state.st_ino, state.st_size))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    return flushes


def inode_and_size(path: Path) -> tuple[int, int]:
    """In the form of the entries of `flushed`."""
    return path.stat().st_ino, path.stat().st_size


def test_lines_are_flushed_to_disk_soon_and_at_close(log: Path, flushed: list[tuple[int, int]]) -> None:
    handler = audit_to(log)
    # The folder too: it holds the name of a new log.
    assert log.parent.stat().st_ino in [file for file, _ in flushed]
    AUDIT.info("one")
    eventually(lambda: inode_and_size(log) in flushed)
    AUDIT.info("two")
    audit.settle()
    assert inode_and_size(log) in flushed
    AUDIT.info("three")
    AUDIT.removeHandler(handler)
    handler.close()
    assert inode_and_size(log) in flushed


def test_rotated_files_are_flushed_to_disk(
    log: Path, start: StartLog, flushed: list[tuple[int, int]]
) -> None:
    handler = start(RotationLimits(bytes=1))
    for n in range(3):
        write_line(handler, str(n))
    files = rotated_files(log)
    assert len(files) == 2 and all(inode_and_size(rotated.path) in flushed for rotated in files)


def test_a_failed_flush_is_raised(log: Path, start: StartLog, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = start(RotationLimits())
    write_line(handler, "one")

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            handler.settle()
    write_line(handler, "two")
    handler.settle()
    assert messages(log) == ["one", "two"]


@pytest.mark.parametrize("operation", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_a_lock_of_another_program_does_not_block_writers(log: Path, operation: int) -> None:
    """Such as a program that reads the log, or a server that was stopped while writing a line."""
    handler = audit_to(log, RotationLimits(bytes=1))
    AUDIT.info("one")
    with log.open("rb") as reader:
        fcntl.flock(reader, operation)
        # A daemon thread: if it blocks for ever, the test still ends.
        writer = threading.Thread(target=lambda: [AUDIT.info("%d", n) for n in range(5)], daemon=True)
        writer.start()
        writer.join(20.0)
        is_blocked = writer.is_alive()
        waiting_lines = handler.waiting
    writer.join()
    assert not is_blocked and waiting_lines == 5
    eventually(lambda: messages(log) == ["one", *"01234"])
    assert handler.waiting == 0
