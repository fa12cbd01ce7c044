"""The temporary folder of a process stays while the process lives, whatever the clock of another one says."""

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
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process with an upload under way."""
    script = (
        "import sys; from pathlib import Path; from service.storage.file_store import Store\n"
        "with Store(Path(sys.argv[1])).aside() as folder:\n"
        "    (folder / 'file').write_bytes(b'a' * 100)\n"
        "    print('up', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.communicate()


def only_entry(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def with_old_time(path: Path, by_s: float = DAYS_S) -> Path:
    modified_s = time.time() - by_s
    os.utime(path, (modified_s, modified_s))
    return path


def test_the_files_of_an_upload_stay_until_its_server_has_ended(
    data_dir: Path, server: "subprocess.Popen[bytes]"
) -> None:
    folder, lock = (
        with_old_time(only_entry(data_dir / "aside")),
        with_old_time(only_entry(data_dir / "marks")),
    )
    store = Store(data_dir)
    store.sweep_aside()
    assert (folder / "file").read_bytes() == b"a" * 100 and lock.exists()
    server.kill()
    server.wait()
    store.sweep_aside()
    assert list((data_dir / "aside").iterdir()) == [] and not lock.exists()


def test_files_of_a_dead_server_stay_for_a_day_by_the_time_of_the_disk(
    data_dir: Path, server: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock may be on a network share that has no locks."""
    server.kill()
    server.wait()
    folder, now_s = only_entry(data_dir / "aside"), time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now_s + DAYS_S)
        Store(data_dir).sweep_aside()
    assert folder.exists()
    with_old_time(folder, ABANDONED_S + 60.0)
    Store(data_dir).sweep_aside()
    assert not folder.exists()


def test_folders_without_a_lock_are_swept_by_their_age(data_dir: Path) -> None:
    store = Store(data_dir)
    old_folder, new_folder, file = (data_dir / "aside" / name for name in ("tmpold", "tmpnew", "a.b"))
    for folder in (old_folder, new_folder):
        folder.mkdir()
    with_old_time(old_folder)
    store.sweep_aside()
    assert not old_folder.exists() and new_folder.exists() and not file.exists()


def test_opening_a_store_sweeps_nothing_and_leaves_no_lock(data_dir: Path) -> None:
    store = Store(data_dir)
    assert list((data_dir / "marks").iterdir()) == []
    with store.aside() as folder:
        with_old_time(folder)
        second_store = Store(data_dir)
        second_store.sweep_aside()
        assert folder.exists() and len(list((data_dir / "marks").iterdir())) == 1
    assert list((data_dir / "aside").iterdir()) == []
    del store
    assert list((data_dir / "marks").iterdir()) == []


def test_a_process_lock_is_alive_as_long_as_its_object(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path)
    name = lock.name
    assert lock.name == name and is_alive(tmp_path, name) and not is_alive(tmp_path, "other")
    with_old_time(tmp_path / f"{name}.lock")
    assert stale_locks(tmp_path, time.time()) == []
    (tmp_path / "dead.lock").touch()
    assert not is_alive(tmp_path, "dead")
    assert stale_locks(tmp_path, time.time() - 60.0) == []
    assert stale_locks(tmp_path, time.time() + 60.0) == [tmp_path / "dead.lock"]
    del lock
    assert not is_alive(tmp_path, name)


def test_a_case_is_removed_even_if_no_lock_file_can_be_created(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(data_dir)
    case = data_dir / "cases" / ("a" * 64)
    case.mkdir()
    (case / "case.json").write_text("{}")
    real_open = os.open

    def refuse(path: object, flags: int, *arguments: object, **keywords: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, os.strerror(28))
        return real_open(path, flags, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    store.remove_case(case.name)
    assert not case.exists()
