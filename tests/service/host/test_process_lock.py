"""What a process has aside is its own while it lives, whatever clock another one goes by."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.host.process_lock import ProcessLock, is_alive, stale_locks
from service.storage.file_store import ABANDONED_S, Store

DAYS_S = 10 * ABANDONED_S


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process with an upload under way."""
    script = (
        "import sys; from pathlib import Path; from service.storage.file_store import Store\n"
        "with Store(Path(sys.argv[1])).aside() as folder:\n"
        "    (folder / 'file').write_bytes(b'a' * 100)\n"
        "    print('up', flush=True); sys.stdin.read()"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", script, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert started.stdout is not None and started.stdout.readline() == b"up\n"
    yield started
    started.kill()
    started.communicate()


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def aged(path: Path, by_s: float = DAYS_S) -> Path:
    then = time.time() - by_s
    os.utime(path, (then, then))
    return path


def test_an_upload_under_way_is_left_alone_however_old_and_swept_once_its_server_is_gone(
    data: Path, server: "subprocess.Popen[bytes]"
) -> None:
    folder, lock = aged(only(data / "aside")), aged(only(data / "marks"))
    store = Store(data)
    store.sweep_aside()
    assert (folder / "file").read_bytes() == b"a" * 100 and lock.exists()
    server.kill()
    server.wait()
    store.sweep_aside()
    assert list((data / "aside").iterdir()) == [] and not lock.exists()


def test_what_a_dead_server_left_is_kept_for_a_day_of_the_disk_whatever_the_clock_says(
    data: Path, server: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock may be on a share that carries none."""
    server.kill()
    server.wait()
    folder, now_s = only(data / "aside"), time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now_s + DAYS_S)
        Store(data).sweep_aside()
    assert folder.exists()
    aged(folder, ABANDONED_S + 60.0)
    Store(data).sweep_aside()
    assert not folder.exists()


def test_what_has_no_mark_is_swept_by_its_age(data: Path) -> None:
    store = Store(data)
    old, new, file = (data / "aside" / name for name in ("tmpold", "tmpnew", "a.b"))
    for folder in (old, new):
        folder.mkdir()
    aged(old)
    store.sweep_aside()
    assert not old.exists() and new.exists() and not file.exists()


def test_a_store_that_is_opened_sweeps_nothing_and_leaves_no_lock(data: Path) -> None:
    store = Store(data)
    assert list((data / "marks").iterdir()) == []
    with store.aside() as folder:
        aged(folder)
        other = Store(data)
        other.sweep_aside()
        assert folder.exists() and len(list((data / "marks").iterdir())) == 1
    assert list((data / "aside").iterdir()) == []
    del store
    assert list((data / "marks").iterdir()) == []


def test_a_mark_lives_as_long_as_its_process_has_it(tmp_path: Path) -> None:
    mark = ProcessLock(tmp_path)
    name = mark.name
    assert mark.name == name and is_alive(tmp_path, name) and not is_alive(tmp_path, "other")
    aged(tmp_path / f"{name}.lock")
    assert stale_locks(tmp_path, time.time()) == []
    (tmp_path / "dead.lock").touch()
    assert not is_alive(tmp_path, "dead")
    assert stale_locks(tmp_path, time.time() - 60.0) == []
    assert stale_locks(tmp_path, time.time() + 60.0) == [tmp_path / "dead.lock"]
    del mark
    assert not is_alive(tmp_path, name)


def test_without_room_for_a_mark_a_case_is_removed_all_the_same(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(data)
    case = data / "cases" / ("a" * 64)
    case.mkdir()
    (case / "case.json").write_text("{}")
    opened = os.open

    def refuse(path: object, flags: int, *more: object, **named: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, os.strerror(28))
        return opened(path, flags, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    store.remove_case(case.name)
    assert not case.exists()
