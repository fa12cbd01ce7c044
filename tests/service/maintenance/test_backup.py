"""Backups: taken while data change, interrupted at any step, damaged, and restored."""

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

RestoreBackup = Callable[[], Kept]


@pytest.fixture
def service_data(tmp_path: Path, database_url: str, open_database: Opened) -> Kept:
    """Two cases of two owners, plans, an evaluation, and an open job."""
    data = Kept(tmp_path / "data", database_url, open_database(database_url, 5.0))
    filled(data)
    return data


@pytest.fixture
def sqlite_data(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'data' / 'seedpath.sqlite'}"
    (tmp_path / "data").mkdir()
    data = Kept(tmp_path / "data", url, open_database(url, 5.0))
    filled(data)
    return data


@pytest.fixture
def restore_backup(tmp_path: Path, open_database: Opened) -> RestoreBackup:
    """Restores the newest backup to a new folder, with SQLite."""

    def restore_newest() -> Kept:
        folder = tmp_path / f"restored{len(list(tmp_path.glob('restored*')))}"
        url = f"sqlite:///{folder / 'seedpath.sqlite'}"
        target = tmp_path / "backups"
        restore(target, chosen(target), folder, url)
        return Kept(folder, url, open_database(url, 5.0))

    return restore_newest


def test_a_restored_backup_equals_the_data_backed_up(
    service_data: Kept, restore_backup: RestoreBackup
) -> None:
    backup = backed_up(service_data)
    restored_dir = restore_backup()
    assert restored_dir.files() == service_data.files() and restored_dir.rows() == service_data.rows()
    assert len(service_data.files()) == 2 * 2 + 3 * 2 + 1
    assert backup.manifest.removed_meanwhile == backup.manifest.damaged == ()
    # The restored data are usable: an open job can be started, and new rows continue the numbers.
    assert restored_dir.job_table.begin("open", 3, LOST) is not None
    case = restored_dir.add_case("third")
    assert restored_dir.library.listed("ann", CASE, None, 1)[0].id == case


def test_a_backup_of_sqlite_is_restored_to_postgresql(
    sqlite_data: Kept, tmp_path: Path, postgres: object, open_database: Opened
) -> None:
    backed_up(sqlite_data)
    url = str(postgres.url)  # type: ignore[attr-defined]
    target = tmp_path / "backups"
    restore(target, chosen(target), tmp_path / "other", url)
    in_postgresql = Kept(tmp_path / "other", url, open_database(url, 5.0))
    assert in_postgresql.files() == sqlite_data.files() and in_postgresql.rows() == sqlite_data.rows()
    case = in_postgresql.add_case("third")
    assert in_postgresql.library.listed("ann", CASE, None, 1)[0].id == case
    with pytest.raises(BackupError, match="has rows already"):
        restore(target, chosen(target), tmp_path / "another", url)
    assert not (tmp_path / "another").exists()


def test_only_new_files_are_copied(sqlite_data: Kept, restore_backup: RestoreBackup) -> None:
    first_backup = backed_up(sqlite_data)
    assert first_backup.copied_files == len(sqlite_data.files())
    second_backup = backed_up(sqlite_data)
    assert (second_backup.copied_files, second_backup.copied_bytes) == (0, 0)
    sqlite_data.add_plan("d", sqlite_data.add_case("first"))
    third_backup = backed_up(sqlite_data)
    assert third_backup.copied_files == 2
    assert [made_backup.name for made_backup in complete_backups(first_backup.folder.parents[1])] == [
        backup.folder.name for backup in (first_backup, second_backup, third_backup)
    ]
    assert restore_backup().files() == sqlite_data.files()


def test_data_removed_during_a_backup_are_left_out_with_their_rows(
    service_data: Kept, restore_backup: RestoreBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = service_data.add_plan("gone", service_data.add_case("first"))
    case = service_data.add_case("gone too")
    service_data.order("of it", case)
    files_before = set(service_data.files())

    def copy_and_remove(database: Database, file: Path) -> None:
        real_copy(database, file)
        service_data.library.remove_result("ann", ResultKind.PLAN, plan)
        service_data.job_table.cancel("of it")
        service_data.library.remove_case("ann", case)

    real_copy = making.copy_records
    monkeypatch.setattr(making, "copy_records", copy_and_remove)
    backup = backed_up(service_data)
    assert {(item.kind, item.id) for item in backup.manifest.removed_meanwhile} == {
        ("plans", plan),
        (CASE, case),
    }
    restored_dir = restore_backup()
    # Every row has its files, and nothing else is missing.
    assert set(restored_dir.files()) == set(service_data.files()) < files_before
    assert restored_dir.rows()["holdings"] == service_data.rows()["holdings"]
    with pytest.raises(NoSuchJob):
        restored_dir.job_table.get("of it")
    assert [job.id for job in restored_dir.job_table.open_jobs()] == ["open"]


def test_a_case_that_is_missing_only_for_a_moment_is_backed_up(
    sqlite_data: Kept, restore_backup: RestoreBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = sqlite_data.add_case("again")

    def places_missing_once(data_dir: Path, kind: str, id: str) -> object:
        if id == case:
            monkeypatch.setattr(copying, "places_of", places_of)
            return [FilePlace("cases/gone")]
        return places_of(data_dir, kind, id)

    monkeypatch.setattr(copying, "places_of", places_missing_once)
    backup = backed_up(sqlite_data)
    assert backup.manifest.removed_meanwhile == backup.manifest.damaged == ()
    assert restore_backup().files() == sqlite_data.files()


def test_damage_in_the_store_is_reported_and_backed_up_unchanged(
    sqlite_data: Kept, restore_backup: RestoreBackup
) -> None:
    changed_case, lost_case = sqlite_data.add_case("bad"), sqlite_data.add_case("lost")
    file = sqlite_data.data_dir / "cases" / changed_case / "file" / "a.nii"
    file.write_bytes(b"other")
    shutil.rmtree(sqlite_data.data_dir / "cases" / lost_case)
    plans = [sqlite_data.add_plan(name, sqlite_data.add_case("first")) for name in ("bad", "bad map")]
    for folder, plan in zip(("plans", "access"), plans, strict=True):
        file = sqlite_data.data_dir / folder / f"{plan}.json"
        file.write_bytes(file.read_bytes().replace(b"0.0", b"0.1").replace(b"bad", b"bat"))
    damaged_ids = {changed_case, lost_case, *plans}
    assert {item.id for item in backed_up(sqlite_data).manifest.damaged} == damaged_ids
    # It is reported each time, though none of its files is copied again.
    second_backup = backed_up(sqlite_data)
    assert {
        item.id for item in second_backup.manifest.damaged
    } == damaged_ids and second_backup.copied_files == 0
    restored_dir = restore_backup()
    assert (restored_dir.data_dir / "cases" / changed_case / "file" / "a.nii").read_bytes() == b"other"
    assert restored_dir.rows() == sqlite_data.rows()


def undamaged_manifest(target: Path, backup: Path) -> Manifest:
    manifest, faults = verified(target, backup)
    assert faults == []
    return manifest


class Killed(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def killed_at(count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Raise Killed at the count-th rename of a file, or creation or removal of a folder."""
    remaining = count

    def counted(real_call: Callable[..., object]) -> Callable[..., object]:
        def counted_call(*arguments: object, **keywords: object) -> object:
            nonlocal remaining
            remaining -= 1
            if remaining < 0:
                raise Killed
            return real_call(*arguments, **keywords)

        return counted_call

    with monkeypatch.context() as patched:
        for name in ("replace", "rename", "mkdir", "unlink", "rmdir"):
            patched.setattr(os, name, counted(getattr(os, name)))
        yield


@pytest.mark.long
def test_a_backup_that_is_killed_leaves_the_last_one_usable(
    sqlite_data: Kept, restore_backup: RestoreBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(sqlite_data)
    state_before = sqlite_data.files(), sqlite_data.rows()
    sqlite_data.add_plan("d", sqlite_data.add_case("third"))
    kills = 0
    while True:
        try:
            with killed_at(kills, monkeypatch):
                backed_up(sqlite_data, keep=2)
        except Killed:
            kills += 1
            restored_dir = restore_backup()
            state = restored_dir.files(), restored_dir.rows()
            assert state in (state_before, (sqlite_data.files(), sqlite_data.rows()))
            shutil.rmtree(restored_dir.data_dir)
        else:
            break
    assert kills > 10
    assert restore_backup().files() == sqlite_data.files()
    # Incomplete backups are removed.
    target = sqlite_data.data_dir.parent / "backups"
    assert len(list((target / "backups").iterdir())) == len(complete_backups(target)) == 2
    needed_files = {
        file.sha256
        for backup in complete_backups(target)
        for file in undamaged_manifest(target, backup).files
    }
    assert {file.name for file in (target / "files").rglob("*") if file.is_file()} == needed_files


@pytest.mark.parametrize("damaged_part", [MANIFEST, RECORDS, "SHA256", "file", "missing"])
def test_a_damaged_backup_is_refused_with_the_name_of_the_damaged_file(
    sqlite_data: Kept, tmp_path: Path, damaged_part: str
) -> None:
    backup = backed_up(sqlite_data)
    target, folder = tmp_path / "backups", tmp_path / "restored"
    if damaged_part in ("file", "missing"):
        damaged_file = max(
            (file for file in (target / "files").rglob("*") if file.is_file()), key=lambda f: f.stat().st_size
        )
    else:
        damaged_file = backup.folder / damaged_part
    text = bytearray(damaged_file.read_bytes())
    text[len(text) // 2] ^= 1
    if damaged_part == "missing":
        damaged_file.unlink()
    else:
        damaged_file.write_bytes(text)
    with pytest.raises(BackupError) as caught:
        restore(target, backup.folder, folder, f"sqlite:///{folder / 'seedpath.sqlite'}")
    assert caught.value.field == str(damaged_file)
    assert not folder.exists() or list(folder.iterdir()) == []
    if damaged_part in ("file", "missing"):
        assert [fault.field for fault in verified(target, backup.folder)[1]] == [str(damaged_file)]
    else:
        with pytest.raises(BackupError) as caught:
            verified(target, backup.folder)
        assert caught.value.field == str(damaged_file)


def test_nothing_is_restored_into_a_folder_that_is_not_empty(sqlite_data: Kept, tmp_path: Path) -> None:
    backed_up(sqlite_data)
    target, folder = tmp_path / "backups", tmp_path / "used"
    url = f"sqlite:///{folder / 'seedpath.sqlite'}"
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(BackupError, match=r"not empty.*'notes.txt'"):
        restore(target, chosen(target), folder, url)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    # Files of the operator are accepted there; so are the remains of an earlier attempt.
    (folder / "notes.txt").rename(folder / "keys.json")
    (folder / "keys.json.lock").touch()
    (folder / ".restoring").mkdir()
    restore(target, chosen(target), folder, url, [folder / "keys.json"])
    with pytest.raises(BackupError, match="not empty"):
        restore(target, chosen(target), folder, url, [folder / "keys.json"])


def test_a_folder_that_a_server_uses_is_refused(sqlite_data: Kept, tmp_path: Path) -> None:
    backed_up(sqlite_data)
    with (sqlite_data.data_dir / "engine.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="a server uses"):
            restore(tmp_path / "backups", chosen(tmp_path / "backups"), sqlite_data.data_dir, sqlite_data.url)


def test_a_backup_of_a_newer_version_is_refused(
    sqlite_data: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_data.database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BackupError, match="version 9999"):
        backed_up(sqlite_data)
    monkeypatch.setattr("service.maintenance.backup.rows.newest", lambda: "9999")
    backed_up(sqlite_data)
    folder = tmp_path / "restored"
    with pytest.raises(BackupError, match="newer than this software"):
        restore(
            tmp_path / "backups", chosen(tmp_path / "backups"), folder, f"sqlite:///{folder / 'x.sqlite'}"
        )
    assert list(folder.iterdir()) == []


def test_a_target_that_holds_other_files_is_refused(sqlite_data: Kept, tmp_path: Path) -> None:
    photo_folder = tmp_path / "other"
    photo_folder.mkdir()
    (photo_folder / "photo.jpg").touch()
    for target in (photo_folder, sqlite_data.data_dir, sqlite_data.data_dir / "backups", tmp_path):
        with pytest.raises(BackupError):
            back_up(sqlite_data.database, sqlite_data.data_dir, target)
    assert [file.name for file in photo_folder.iterdir()] == ["photo.jpg"]
    with pytest.raises(BackupError, match="no backup"):
        chosen(photo_folder)
    backed_up(sqlite_data)
    with pytest.raises(BackupError, match="holds no 'x'"):
        chosen(tmp_path / "backups", "x")


def test_a_second_backup_at_the_same_time_is_refused(
    sqlite_data: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_during_second_backup(database: Database, file: Path) -> None:
        with pytest.raises(BackupError, match="another backup"):
            backed_up(sqlite_data)
        real_copy(database, file)

    real_copy = making.copy_records
    monkeypatch.setattr(making, "copy_records", copy_during_second_backup)
    backed_up(sqlite_data)


def test_the_newest_backups_are_kept_with_their_files_only(
    sqlite_data: Kept, restore_backup: RestoreBackup
) -> None:
    case = sqlite_data.add_case("short")
    backed_up(sqlite_data)
    sqlite_data.library.remove_case("ann", case)
    for _ in range(3):
        backup = backed_up(sqlite_data, keep=2)
    target = backup.folder.parents[1]
    assert len(complete_backups(target)) == 2
    files = [file for file in (target / "files").rglob("*") if file.is_file()]
    assert len(files) == len(sqlite_data.files())
    assert restore_backup().files() == sqlite_data.files()


def test_a_backup_is_private_whatever_the_umask(sqlite_data: Kept) -> None:
    mask = os.umask(0)
    try:
        target = backed_up(sqlite_data).folder.parents[1]
    finally:
        os.umask(mask)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [target, *target.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}
