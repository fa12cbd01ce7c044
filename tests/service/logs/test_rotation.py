"""The audit log put by and begun anew: no line lost or doubled, whoever else writes or moves it."""

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
"""Of each writer."""

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
    """Of all files, oldest first."""
    files = [one.path for one in rotated_files(log)] + [log]
    return [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]


def written(handler: logging.Handler, text: str) -> None:
    handler.handle(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))


Clocked = Callable[[RotationLimits], AuditHandler]


@pytest.fixture
def clock() -> list[float]:
    """What it is now [s since 1970]."""
    return [time.time()]


@pytest.fixture
def begun(log: Path, clock: list[float]) -> Iterator[Clocked]:
    """Begins to write the log by that clock, as a server does at its start."""
    with contextlib.ExitStack() as closed:

        def begin(bounds: RotationLimits) -> AuditHandler:
            handler = AuditHandler(AppendFile(log, Rotation(log, bounds, lambda: clock[0])))
            closed.callback(handler.close)
            return handler

        yield begin


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


def test_files_are_for_their_owner_alone_whatever_the_mask(log: Path) -> None:
    mask = os.umask(0)
    try:
        audit_to(log, RotationLimits(bytes=1))
        for n in range(3):
            AUDIT.info("%d", n)
    finally:
        os.umask(mask)
    files = [one.path for one in rotated_files(log)] + [log]
    assert len(files) == 3 and {f.stat().st_mode & 0o777 for f in files} == {0o600}


def test_a_log_is_put_by_at_its_age_after_a_restart_too(
    log: Path, clock: list[float], begun: Clocked
) -> None:
    written(begun(RotationLimits(age_s=DAY_S)), "first")
    clock[0] += DAY_S - 60.0
    written(begun(RotationLimits(age_s=DAY_S)), "second")
    assert rotated_files(log) == []
    # The file was written a moment ago: its first line is what is old.
    clock[0] += 120.0
    written(begun(RotationLimits(age_s=DAY_S)), "third")
    (kept,) = rotated_files(log)
    assert abs(kept.at_s - clock[0]) < 1.0
    assert [json.loads(line)["message"] for line in log.read_text().splitlines()] == ["third"]
    assert messages(log) == ["first", "second", "third"]


def test_names_sort_by_time_where_the_clock_is_set_back(
    log: Path, clock: list[float], begun: Clocked
) -> None:
    clock[0] = 1_800_000_000.0
    handler = begun(RotationLimits(bytes=1))
    for n in range(4):
        written(handler, str(n))
        clock[0] -= 3600.0 if n == 1 else 0.0
    assert messages(log) == ["0", "1", "2", "3"]
    names = [one.path.name for one in rotated_files(log)]
    assert names == sorted(set(names)) and len(names) == 3
    assert names[0] == "audit-20270115T080000.000Z.jsonl"


def test_what_other_programs_made_of_a_log_is_not_ours(log: Path) -> None:
    for name in (
        "audit.jsonl.1",
        "audit-20270115.jsonl",
        "audit-old.jsonl",
        "other-20270115T080000.000Z.jsonl",
    ):
        (log.parent / name).touch()
    assert rotated_files(log) == []


def test_a_log_that_is_moved_away_is_followed_by_another(log: Path) -> None:
    audit_to(log, RotationLimits(bytes=10_000))
    AUDIT.info("before")
    log.rename(log.with_name("audit.jsonl.1"))
    AUDIT.info("after")
    assert messages(log) == ["after"]


def test_a_line_goes_where_others_went_while_no_file_can_be_made(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    audit_to(log, RotationLimits(bytes=1))
    AUDIT.info("one")

    def fail(*args: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("service.logs.rotation.os.open", fail)
        AUDIT.info("two")
        AUDIT.info("three")
    AUDIT.info("four")
    assert messages(log) == ["one", "two", "three", "four"]
    assert caplog.text.count("cannot be started") == 1


def test_who_comes_second_puts_nothing_by(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text("old\n")
    flock, others = fcntl.flock, [Rotation(log, RotationLimits(bytes=1))]

    def after_another(handle: int, how: int) -> None:
        """Another server is faster, and writes its line."""
        while others:
            assert others.pop().is_followed(handle)
            log.write_text("next\n")
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", after_another)
    with log.open("a") as opened:
        assert Rotation(log, RotationLimits(bytes=1)).is_followed(opened.fileno())
    assert [one.path.read_text() for one in rotated_files(log)] == ["old\n"]
    assert log.read_text() == "next\n"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Files, by their number on the disk, and how much of each was flushed, each time."""
    fsync, flushes = os.fsync, list[tuple[int, int]]()

    def noted(handle: int) -> None:
        state = os.fstat(handle)
        flushes.append((state.st_ino, state.st_size))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return flushes


def kept(path: Path) -> tuple[int, int]:
    """As `flushed` tells it."""
    return path.stat().st_ino, path.stat().st_size


def test_the_disk_has_every_line_soon_and_at_the_end(log: Path, flushed: list[tuple[int, int]]) -> None:
    handler = audit_to(log)
    # The name too, of a log that begins.
    assert log.parent.stat().st_ino in [file for file, _ in flushed]
    AUDIT.info("one")
    eventually(lambda: kept(log) in flushed)
    AUDIT.info("two")
    audit.settle()
    assert kept(log) in flushed
    AUDIT.info("three")
    AUDIT.removeHandler(handler)
    handler.close()
    assert kept(log) in flushed


def test_what_is_put_by_is_on_the_disk(log: Path, begun: Clocked, flushed: list[tuple[int, int]]) -> None:
    handler = begun(RotationLimits(bytes=1))
    for n in range(3):
        written(handler, str(n))
    files = rotated_files(log)
    assert len(files) == 2 and all(kept(one.path) in flushed for one in files)


def test_a_line_that_is_not_on_the_disk_is_reported(
    log: Path, begun: Clocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = begun(RotationLimits())
    written(handler, "one")

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            handler.settle()
    written(handler, "two")
    handler.settle()
    assert messages(log) == ["one", "two"]


@pytest.mark.parametrize("how", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_a_lock_that_another_program_keeps_stops_nobody(log: Path, how: int) -> None:
    """As of a program that reads the log, or of a server that was stopped in its line."""
    handler = audit_to(log, RotationLimits(bytes=1))
    AUDIT.info("one")
    with log.open("rb") as other:
        fcntl.flock(other, how)
        # A daemon: where it waits for ever, the test ends all the same.
        waiting = threading.Thread(target=lambda: [AUDIT.info("%d", n) for n in range(5)], daemon=True)
        waiting.start()
        waiting.join(20.0)
        stood_still = waiting.is_alive()
        waits = handler.waiting
    waiting.join()
    assert not stood_still and waits == 5
    eventually(lambda: messages(log) == ["one", *"01234"])
    assert handler.waiting == 0
