"""Backups: taken while rows and files come and go, ended at any moment, damaged, and brought back whole."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept_data import LOST, Kept, Opened, backed_up, filled

from service.jobs.errors import NoSuchJob
from service.maintenance.backup import copying
from service.maintenance.backup import make as making
from service.maintenance.backup.file_places import FilePlace, places_of
from service.maintenance.backup.folder import complete_backups
from service.maintenance.backup.make import back_up
from service.maintenance.backup.manifest import MANIFEST, RECORDS, BackupError, Manifest
from service.maintenance.backup.restore import chosen, restore, verified
from service.schemas.result_kinds import CASE, ResultKind
from service.storage.database.connection import Database

Restored = Callable[[], Kept]


@pytest.fixture
def kept(tmp_path: Path, database_url: str, open_database: Opened) -> Kept:
    """Two cases of two owners, plans, an evaluation, and an open job."""
    data = Kept(tmp_path / "data", database_url, open_database(database_url, 5.0))
    filled(data)
    return data


@pytest.fixture
def in_sqlite(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'data' / 'seedpath.sqlite'}"
    (tmp_path / "data").mkdir()
    data = Kept(tmp_path / "data", url, open_database(url, 5.0))
    filled(data)
    return data


@pytest.fixture
def restored(tmp_path: Path, open_database: Opened) -> Restored:
    """Brings the newest backup back in a folder of its own, with SQLite."""

    def bring() -> Kept:
        folder = tmp_path / f"restored{len(list(tmp_path.glob('restored*')))}"
        url = f"sqlite:///{folder / 'seedpath.sqlite'}"
        target = tmp_path / "backups"
        restore(target, chosen(target), folder, url)
        return Kept(folder, url, open_database(url, 5.0))

    return bring


def test_what_is_restored_is_what_was_there(kept: Kept, restored: Restored) -> None:
    backup = backed_up(kept)
    restored_dir = restored()
    assert restored_dir.files() == kept.files() and restored_dir.rows() == kept.rows()
    assert len(kept.files()) == 2 * 2 + 3 * 2 + 1
    assert backup.manifest.removed_meanwhile == backup.manifest.damaged == ()
    # It goes on: what is open can be begun, and what comes next is numbered after what was.
    assert restored_dir.job_table.begin("open", 3, LOST) is not None
    case = restored_dir.add_case("third")
    assert restored_dir.library.listed("ann", CASE, None, 1)[0].id == case


def test_a_backup_goes_from_sqlite_to_postgresql_and_on(
    in_sqlite: Kept, tmp_path: Path, postgres: object, open_database: Opened
) -> None:
    backed_up(in_sqlite)
    url = str(postgres.url)  # type: ignore[attr-defined]
    target = tmp_path / "backups"
    restore(target, chosen(target), tmp_path / "other", url)
    other = Kept(tmp_path / "other", url, open_database(url, 5.0))
    assert other.files() == in_sqlite.files() and other.rows() == in_sqlite.rows()
    case = other.add_case("third")
    assert other.library.listed("ann", CASE, None, 1)[0].id == case
    with pytest.raises(BackupError, match="has rows already"):
        restore(target, chosen(target), tmp_path / "another", url)
    assert not (tmp_path / "another").exists()


def test_only_what_came_since_is_copied(in_sqlite: Kept, restored: Restored) -> None:
    first = backed_up(in_sqlite)
    assert first.copied_files == len(in_sqlite.files())
    second = backed_up(in_sqlite)
    assert (second.copied_files, second.copied_bytes) == (0, 0)
    in_sqlite.add_plan("d", in_sqlite.add_case("first"))
    third = backed_up(in_sqlite)
    assert third.copied_files == 2
    assert [b.name for b in complete_backups(first.folder.parents[1])] == [
        backup.folder.name for backup in (first, second, third)
    ]
    assert restored().files() == in_sqlite.files()


def test_what_is_removed_before_it_is_copied_is_left_out_with_its_rows(
    kept: Kept, restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = kept.add_plan("gone", kept.add_case("first"))
    case = kept.add_case("gone too")
    kept.order("of it", case)
    before = set(kept.files())

    def copy_and_remove(database: Database, file: Path) -> None:
        copy(database, file)
        kept.library.remove_result("ann", ResultKind.PLAN, plan)
        kept.job_table.cancel("of it")
        kept.library.remove_case("ann", case)

    copy = making.copy_records
    monkeypatch.setattr(making, "copy_records", copy_and_remove)
    backup = backed_up(kept)
    assert {(t.kind, t.id) for t in backup.manifest.removed_meanwhile} == {("plans", plan), (CASE, case)}
    restored_dir = restored()
    # Every row has its files, and nothing else is missing.
    assert set(restored_dir.files()) == set(kept.files()) < before
    assert restored_dir.rows()["holdings"] == kept.rows()["holdings"]
    with pytest.raises(NoSuchJob):
        restored_dir.job_table.get("of it")
    assert [job.id for job in restored_dir.job_table.open_jobs()] == ["open"]


def test_what_is_removed_and_comes_again_is_in_it(
    in_sqlite: Kept, restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = in_sqlite.add_case("again")

    def gone_for_a_moment(data_dir: Path, kind: str, id: str) -> object:
        if id == case:
            monkeypatch.setattr(copying, "places_of", places_of)
            return [FilePlace("cases/gone")]
        return places_of(data_dir, kind, id)

    monkeypatch.setattr(copying, "places_of", gone_for_a_moment)
    backup = backed_up(in_sqlite)
    assert backup.manifest.removed_meanwhile == backup.manifest.damaged == ()
    assert restored().files() == in_sqlite.files()


def test_what_is_damaged_in_the_store_is_reported_and_kept_as_it_is(
    in_sqlite: Kept, restored: Restored
) -> None:
    case, lost = in_sqlite.add_case("bad"), in_sqlite.add_case("lost")
    file = in_sqlite.data_dir / "cases" / case / "file" / "a.nii"
    file.write_bytes(b"other")
    shutil.rmtree(in_sqlite.data_dir / "cases" / lost)
    plans = [in_sqlite.add_plan(name, in_sqlite.add_case("first")) for name in ("bad", "bad map")]
    for folder, plan in zip(("plans", "access"), plans, strict=True):
        file = in_sqlite.data_dir / folder / f"{plan}.json"
        file.write_bytes(file.read_bytes().replace(b"0.0", b"0.1").replace(b"bad", b"bat"))
    damaged = {case, lost, *plans}
    assert {t.id for t in backed_up(in_sqlite).manifest.damaged} == damaged
    # Told each time, though nothing of it is copied again.
    again_made = backed_up(in_sqlite)
    assert {t.id for t in again_made.manifest.damaged} == damaged and again_made.copied_files == 0
    restored_dir = restored()
    assert (restored_dir.data_dir / "cases" / case / "file" / "a.nii").read_bytes() == b"other"
    assert restored_dir.rows() == in_sqlite.rows()


def whole(target: Path, backup: Path) -> Manifest:
    manifest, faults = verified(target, backup)
    assert faults == []
    return manifest


class Killed(BaseException):
    """As if the process ended here."""


@contextlib.contextmanager
def killed_at(count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ends what is done at the count-th file that gets its name, or folder that is made or removed."""
    left = count

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*given, **named)

        return call

    with monkeypatch.context() as dying:
        for name in ("replace", "rename", "mkdir", "unlink", "rmdir"):
            dying.setattr(os, name, counting(getattr(os, name)))
        yield


@pytest.mark.long
def test_a_backup_that_is_killed_leaves_the_last_one_usable(
    in_sqlite: Kept, restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(in_sqlite)
    before = in_sqlite.files(), in_sqlite.rows()
    in_sqlite.add_plan("d", in_sqlite.add_case("third"))
    killed = 0
    while True:
        try:
            with killed_at(killed, monkeypatch):
                backed_up(in_sqlite, keep=2)
        except Killed:
            killed += 1
            restored_dir = restored()
            state = restored_dir.files(), restored_dir.rows()
            assert state in (before, (in_sqlite.files(), in_sqlite.rows()))
            shutil.rmtree(restored_dir.data_dir)
        else:
            break
    assert killed > 10
    assert restored().files() == in_sqlite.files()
    # What was left by half is gone.
    target = in_sqlite.data_dir.parent / "backups"
    assert len(list((target / "backups").iterdir())) == len(complete_backups(target)) == 2
    needed_files = {f.sha256 for b in complete_backups(target) for f in whole(target, b).files}
    assert {f.name for f in (target / "files").rglob("*") if f.is_file()} == needed_files


@pytest.mark.parametrize("what", [MANIFEST, RECORDS, "SHA256", "file", "missing"])
def test_a_damaged_backup_is_refused_by_the_name_of_its_file(
    in_sqlite: Kept, tmp_path: Path, what: str
) -> None:
    backup = backed_up(in_sqlite)
    target, folder = tmp_path / "backups", tmp_path / "restored"
    if what in ("file", "missing"):
        damaged = max(
            (f for f in (target / "files").rglob("*") if f.is_file()), key=lambda f: f.stat().st_size
        )
    else:
        damaged = backup.folder / what
    text = bytearray(damaged.read_bytes())
    text[len(text) // 2] ^= 1
    if what == "missing":
        damaged.unlink()
    else:
        damaged.write_bytes(text)
    with pytest.raises(BackupError) as refused:
        restore(target, backup.folder, folder, f"sqlite:///{folder / 'seedpath.sqlite'}")
    assert refused.value.field == str(damaged)
    assert not folder.exists() or list(folder.iterdir()) == []
    if what in ("file", "missing"):
        assert [fault.field for fault in verified(target, backup.folder)[1]] == [str(damaged)]
    else:
        with pytest.raises(BackupError) as refused:
            verified(target, backup.folder)
        assert refused.value.field == str(damaged)


def test_nothing_is_restored_where_something_is(in_sqlite: Kept, tmp_path: Path) -> None:
    backed_up(in_sqlite)
    target, folder = tmp_path / "backups", tmp_path / "used"
    url = f"sqlite:///{folder / 'seedpath.sqlite'}"
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(BackupError, match=r"not empty.*'notes.txt'"):
        restore(target, chosen(target), folder, url)
    assert [f.name for f in folder.iterdir()] == ["notes.txt"]
    # What whoever runs the service keeps there is no hindrance; nor is what an earlier attempt left.
    (folder / "notes.txt").rename(folder / "keys.json")
    (folder / "keys.json.lock").touch()
    (folder / ".restoring").mkdir()
    restore(target, chosen(target), folder, url, [folder / "keys.json"])
    with pytest.raises(BackupError, match="not empty"):
        restore(target, chosen(target), folder, url, [folder / "keys.json"])


def test_a_folder_that_a_server_uses_is_refused(in_sqlite: Kept, tmp_path: Path) -> None:
    backed_up(in_sqlite)
    with (in_sqlite.data_dir / "engine.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="a server uses"):
            restore(tmp_path / "backups", chosen(tmp_path / "backups"), in_sqlite.data_dir, in_sqlite.url)


def test_a_backup_of_a_newer_version_is_refused(
    in_sqlite: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_sqlite.database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BackupError, match="version 9999"):
        backed_up(in_sqlite)
    monkeypatch.setattr("service.maintenance.backup.rows.newest", lambda: "9999")
    backed_up(in_sqlite)
    folder = tmp_path / "restored"
    with pytest.raises(BackupError, match="newer than this software"):
        restore(
            tmp_path / "backups", chosen(tmp_path / "backups"), folder, f"sqlite:///{folder / 'x.sqlite'}"
        )
    assert list(folder.iterdir()) == []


def test_a_target_that_is_no_folder_of_backups_is_refused(in_sqlite: Kept, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "photo.jpg").touch()
    for target in (other, in_sqlite.data_dir, in_sqlite.data_dir / "backups", tmp_path):
        with pytest.raises(BackupError):
            back_up(in_sqlite.database, in_sqlite.data_dir, target)
    assert [f.name for f in other.iterdir()] == ["photo.jpg"]
    with pytest.raises(BackupError, match="no backup"):
        chosen(other)
    backed_up(in_sqlite)
    with pytest.raises(BackupError, match="holds no 'x'"):
        chosen(tmp_path / "backups", "x")


def test_one_backup_at_a_time_is_made_in_one_folder(in_sqlite: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_while_another_is_asked_for(database: Database, file: Path) -> None:
        with pytest.raises(BackupError, match="another backup"):
            backed_up(in_sqlite)
        copy(database, file)

    copy = making.copy_records
    monkeypatch.setattr(making, "copy_records", copy_while_another_is_asked_for)
    backed_up(in_sqlite)


def test_the_newest_are_kept_with_their_files_alone(in_sqlite: Kept, restored: Restored) -> None:
    case = in_sqlite.add_case("short")
    backed_up(in_sqlite)
    in_sqlite.library.remove_case("ann", case)
    for _ in range(3):
        backup = backed_up(in_sqlite, keep=2)
    target = backup.folder.parents[1]
    assert len(complete_backups(target)) == 2
    files = [f for f in (target / "files").rglob("*") if f.is_file()]
    assert len(files) == len(in_sqlite.files())
    assert restored().files() == in_sqlite.files()


def test_a_backup_is_for_its_owner_alone(in_sqlite: Kept) -> None:
    mask = os.umask(0)
    try:
        target = backed_up(in_sqlite).folder.parents[1]
    finally:
        os.umask(mask)
    modes = {(p.is_dir(), p.stat().st_mode & 0o777) for p in [target, *target.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}
