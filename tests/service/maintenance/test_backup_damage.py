"""Backups and damage: unreadable files, copies that decay, clocks set to the future, old logs."""

import errno
import io
import os
import sqlite3
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from kept_data import Kept, Opened, backed_up, filled

from service.cli.commands.store_backup import NOT_WHOLE, WHOLE
from service.cli.main import main
from service.maintenance.backup import copying
from service.maintenance.backup import pool as pooling
from service.maintenance.backup.folder import complete_backups
from service.maintenance.backup.make import BackupResult, back_up
from service.maintenance.backup.manifest import MANIFEST, BackupError, CopiedFile, read_manifest
from service.maintenance.backup.restore import chosen, restore, verified
from service.settings import PREFIX


@pytest.fixture
def service_data(tmp_path: Path, open_database: Opened, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Two cases of two owners, plans, an evaluation, and an open job, in the data folder of the settings."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    data_dir = tmp_path / "data"
    monkeypatch.setenv(f"{PREFIX}DATA_DIR", str(data_dir))
    data_dir.mkdir()
    url = f"sqlite:///{data_dir / 'seedpath.sqlite'}"
    data = Kept(data_dir, url, open_database(url, 5.0))
    filled(data)
    return data


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def store(*command: str | Path) -> int:
    return main(["store", *map(str, command)])


def flip(file: Path) -> None:
    """Change one bit, and keep size, time and inode of the file."""
    status_before = file.stat()
    with file.open("r+b") as stream:
        stream.seek(status_before.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(status_before.st_size // 2)
        stream.write(bytes([byte ^ 1]))
    os.utime(file, ns=(status_before.st_atime_ns, status_before.st_mtime_ns))
    status = file.stat()
    assert (status.st_size, status.st_mtime_ns, status.st_ino) == (
        status_before.st_size,
        status_before.st_mtime_ns,
        status_before.st_ino,
    )


def case_file_of(backup: BackupResult) -> CopiedFile:
    return next(file for file in backup.manifest.files if file.place.endswith("a.nii"))


def pool_file(target: Path, file: CopiedFile) -> Path:
    return target / "files" / file.sha256[:2] / file.sha256


def faults(target: Path) -> list[BackupError]:
    return verified(target, chosen(target))[1]


@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda file: os.truncate(file, 10)])
def test_a_damaged_copy_is_reported_and_written_again(
    service_data: Kept, target: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    file = case_file_of(backed_up(service_data))
    damage(pool_file(target, file))
    assert store("restore", "--verify", target) == NOT_WHOLE
    stderr = capsys.readouterr().err
    assert file.place in stderr and file.sha256 in stderr and "backup --verify" in stderr
    assert store("backup", "--verify", target) == NOT_WHOLE
    assert f"was damaged, and is written again: {file.place}" in capsys.readouterr().err
    # It is repaired for all backups that contain it.
    assert [verified(target, backup)[1] for backup in complete_backups(target)] == [[], []]
    assert store("restore", "--verify", target) == store("backup", "--verify", target) == WHOLE


def test_a_file_that_is_copied_again_replaces_a_damaged_copy(service_data: Kept, target: Path) -> None:
    file = case_file_of(backed_up(service_data))
    flip(pool_file(target, file))
    source = service_data.data_dir / file.place
    text = source.read_bytes()
    source.unlink()
    source.write_bytes(text)
    backed_up(service_data)
    assert faults(target) == []


def test_every_file_is_read_again_within_a_number_of_backups(
    service_data: Kept, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each backup reads a share of the files, those unread for longest first."""
    nights = 5
    monkeypatch.setattr(copying, "ALL_IN", nights)
    for number in range(3 * nights):
        service_data.add_case(f"{number}")
    backup = backed_up(service_data)
    for file in backup.manifest.files:
        os.utime(pool_file(target, file), (1000.0, 1000.0))
    # A time in the future does not prevent that a file is read.
    os.utime(pool_file(target, case_file_of(backup)), (4e9, 4e9))
    unread_counts = []
    for _ in range(nights + 1):
        unread = {
            copied_file.sha256
            for copied_file in backup.manifest.files
            if pool_file(target, copied_file).stat().st_mtime in (1000.0, 4e9)
        }
        backed_up(service_data)
        unread_counts.append(len(unread))
    assert unread_counts[-1] == 0
    assert (
        max(previous - next_count for previous, next_count in pairwise(unread_counts))
        < 2 * len(backup.manifest.files) / nights
    )


def test_damage_in_the_store_is_reported_when_the_file_is_read(
    service_data: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_backup = backed_up(service_data)
    file = case_file_of(first_backup)
    flip(service_data.data_dir / file.place)
    assert store("backup", "--verify", target) == NOT_WHOLE
    assert f"damaged, and backed up as it is: cases/{Path(file.place).parts[1]}" in capsys.readouterr().err
    assert case_file_of(first_backup) == file
    assert verified(target, first_backup.folder)[1] == []


def test_a_restore_of_a_damaged_backup_restores_the_undamaged_files_and_names_the_rest(
    service_data: Kept,
    target: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    open_database: Opened,
) -> None:
    backup = backed_up(service_data)
    file, *other_files = backup.manifest.files
    flip(pool_file(target, file))
    folder = tmp_path / "restored"
    with pytest.raises(BackupError, match="--damaged"):
        restore(target, backup.folder, folder, f"sqlite:///{folder / 'seedpath.sqlite'}")
    assert list(folder.iterdir()) == []
    assert store("restore", "--damaged", "--data-dir", folder, target) == NOT_WHOLE
    assert file.place in capsys.readouterr().err
    assert not (folder / file.place).exists()
    for other_file in other_files:
        assert (folder / other_file.place).read_bytes() == (
            service_data.data_dir / other_file.place
        ).read_bytes()
    url = f"sqlite:///{folder / 'seedpath.sqlite'}"
    assert Kept(folder, url, open_database(url, 5.0)).rows() == service_data.rows()


def replace_with_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_with_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_with_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def remove_file(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [replace_with_folder, replace_with_pipe, replace_with_loop, remove_file])
def test_a_file_that_cannot_be_read_does_not_prevent_a_backup_of_the_others(
    service_data: Kept, target: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    backup = backed_up(service_data)
    case_file = case_file_of(backup)
    case = Path(case_file.place).parts[1]
    plan = next(
        copied_file.place for copied_file in backup.manifest.files if copied_file.place.startswith("plans/")
    )
    record = next(
        copied_file.place
        for copied_file in backup.manifest.files
        if copied_file.place.endswith("case.json") and case not in copied_file.place
    )
    left_out = {case_file.place, plan, record}
    for place in left_out:
        damage(service_data.data_dir / place)
    # The first backup in a folder contains the other files of the same case or plan; later ones contain all
    # files that were backed up before.
    for folder, missing_places in ((tmp_path / "first", left_out), (target, set()), (target, set())):
        manifest = back_up(service_data.database, service_data.data_dir, folder).manifest
        expected = {case, Path(record).parts[1], Path(plan).stem}
        assert {item.id for item in manifest.damaged} == expected
        assert {copied_file.place for copied_file in manifest.files} == {
            copied_file.place for copied_file in backup.manifest.files
        } - missing_places
    assert faults(target) == []


def test_a_file_in_place_of_a_case_folder_is_damage_of_that_case(service_data: Kept, target: Path) -> None:
    case = service_data.data_dir / "cases" / service_data.add_case("bad")
    for path in sorted(case.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    case.rmdir()
    case.touch()
    assert [item.id for item in backed_up(service_data).manifest.damaged] == [case.name]


class BadBlock(io.FileIO):
    """A file that the disk cannot read."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_bad_block_is_damage_of_its_file(
    service_data: Kept, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = backed_up(service_data)
    bad_files = {service_data.data_dir / case_file_of(backup).place}
    real_opened = pooling.opened
    monkeypatch.setattr(
        pooling, "opened", lambda path: BadBlock(path) if path in bad_files else real_opened(path)
    )
    os.utime(*bad_files)
    manifest = backed_up(service_data).manifest
    assert [item.id for item in manifest.damaged] == [Path(case_file_of(backup).place).parts[1]]
    # The earlier copy is undamaged.
    assert len(manifest.files) == len(backup.manifest.files)
    # In the backup folder: the damage is reported, and the file written again from the store.
    bad_files.clear()
    backed_up(service_data)
    bad_files.add(pool_file(target, case_file_of(backup)))
    assert [fault.field for fault in faults(target)] == [str(path) for path in bad_files]
    second_backup = back_up(service_data.database, service_data.data_dir, target, reads_all=True)
    assert second_backup.mended == (case_file_of(backup).place,)


def test_an_error_of_the_backup_disk_is_not_damage_of_the_store(
    service_data: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(pooling.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        backed_up(service_data)


def test_damage_recorded_in_a_backup_is_reported_on_restore(
    service_data: Kept, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = service_data.add_case("lost")
    (service_data.data_dir / "cases" / case / "file" / "a.nii").unlink()
    assert store("backup", target) == NOT_WHOLE
    for command in (["--verify"], ["--data-dir", tmp_path / "restored"]):
        capsys.readouterr()
        assert store("restore", *command, target) == NOT_WHOLE
        assert f"cases/{case}" in capsys.readouterr().err


def test_a_lost_map_is_damage_of_its_plan(service_data: Kept, target: Path) -> None:
    plan = service_data.add_plan("of a lost map", service_data.add_case("of a lost map"))
    (service_data.data_dir / "access" / f"{plan}.json").unlink()
    assert [item.id for item in backed_up(service_data).manifest.damaged] == [plan]


@pytest.mark.representative(5)
@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"{}"), Path.unlink, lambda file: os.truncate(file, 10)]
)
@pytest.mark.parametrize(
    "pattern", ["cases/*/file/a.nii", "cases/*/case.json", "plans/*", "access/*", "results/*/*"]
)
def test_the_undamaged_copy_of_a_damaged_file_stays_in_later_backups(
    service_data: Kept, target: Path, tmp_path: Path, damage: Callable[[Path], None], pattern: str
) -> None:
    backed_up(service_data)
    files_before = service_data.files()
    damage(next(file for file in sorted(service_data.data_dir.glob(pattern)) if file.is_file()))
    for _ in range(2):
        assert store("backup", "--keep", "1", target) == NOT_WHOLE
    assert len(complete_backups(target)) == 1
    assert store("restore", "--data-dir", tmp_path / "restored", target) == NOT_WHOLE
    restored_files = {place: (tmp_path / "restored" / place).read_bytes() for place in files_before}
    assert restored_files == files_before


def test_a_plan_damaged_before_its_first_backup_is_listed_once(
    service_data: Kept, target: Path, tmp_path: Path
) -> None:
    plan = next(file for file in service_data.files() if file.startswith("plans/"))
    os.truncate(service_data.data_dir / plan, 10)
    for _ in range(3):
        places = [file.place for file in backed_up(service_data).manifest.files]
        assert len(places) == len(set(places))
    assert store("restore", "--data-dir", tmp_path / "restored", target) == NOT_WHOLE
    assert (tmp_path / "restored" / plan).read_bytes() == (service_data.data_dir / plan).read_bytes()


def test_older_backups_that_cannot_be_removed_are_reported(
    service_data: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = case_file_of(backed_up(service_data))
    (pool_file(target, file).parent / "stray").mkdir()
    assert store("backup", "--keep", "1", target) == NOT_WHOLE
    output = capsys.readouterr()
    assert Path(output.out.strip()) == chosen(target) and "stray" in output.err


def test_a_new_backup_is_the_newest_even_after_a_clock_in_the_future(
    service_data: Kept, target: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("service.maintenance.backup.make.time.time", lambda: 4e9)
        future_backup = backed_up(service_data)
    assert not future_backup.is_ahead
    plan = service_data.add_plan("since", service_data.add_case("since"))
    for keep in (3, 2, 1):
        capsys.readouterr()
        assert store("backup", "--keep", str(keep), target) == WHOLE
        output = capsys.readouterr()
        backup = Path(output.out.strip())
        assert backup.is_dir() and backup == chosen(target) and "a clock that was ahead" in output.err
        assert len(complete_backups(target)) == min(keep, 2)
    assert f"plans/{plan}.json" in {file.place for file in read_manifest(backup).files}
    assert not future_backup.folder.exists()


def test_unreadable_backups_are_reported_and_do_not_prevent_a_new_one(
    service_data: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged_backup = backed_up(service_data).folder
    (damaged_backup / MANIFEST).write_bytes(b"{}")
    assert store("backup", "--keep", "30", target) == NOT_WHOLE
    output = capsys.readouterr()
    assert Path(output.out.strip()) == chosen(target) != damaged_backup
    assert str(damaged_backup) in output.err and "no older backup was removed" in output.err
    # A backup beyond the number to keep is removed like others.
    assert store("backup", "--keep", "2", target) == WHOLE
    assert len(complete_backups(target)) == 2 and not damaged_backup.exists()


def test_the_remains_of_an_interrupted_removal_are_cleared(
    service_data: Kept, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(service_data)

    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("service.maintenance.backup.folder.remove", interrupt)
        backed_up(service_data, keep=1)
    assert len(complete_backups(target)) == 1
    backed_up(service_data)
    assert len(list((target / "backups").iterdir())) == len(complete_backups(target)) == 2


def test_a_database_is_not_restored_next_to_the_log_of_another_database(
    tmp_path: Path, target: Path, open_database: Opened
) -> None:
    file = tmp_path / "db" / "records.sqlite"
    file.parent.mkdir()
    data = Kept(tmp_path / "data", f"sqlite:///{file}", open_database(f"sqlite:///{file}", 5.0))
    filled(data)
    backed_up(data)
    expected_rows = data.rows()
    data.add_case("later")
    logs = [file.with_name(f"{file.name}{suffix}") for suffix in ("-wal", "-shm")]
    # As a server that is killed leaves them.
    saved = {log: log.read_bytes() for log in logs}
    data.database.close()
    file.rename(file.with_name("before"))
    for log in (*logs, file.with_name(f"{file.name}-journal")):
        log.write_bytes(saved.get(log, b""))
        with pytest.raises(BackupError, match="another database") as caught:
            restore(target, chosen(target), tmp_path / "restored", data.url)
        assert caught.value.field == str(log) and not (tmp_path / "restored").exists()
        log.unlink()
    restore(target, chosen(target), tmp_path / "restored", data.url)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert Kept(tmp_path / "restored", data.url, open_database(data.url, 5.0)).rows() == expected_rows


def test_restored_files_keep_their_modification_times(
    service_data: Kept, target: Path, tmp_path: Path
) -> None:
    plan = service_data.add_plan("old", service_data.add_case("first"))
    os.utime(service_data.data_dir / "plans" / f"{plan}.json", (1e9, 1e9))
    backed_up(service_data)
    assert store("restore", "--data-dir", tmp_path / "restored", target) == WHOLE
    assert (tmp_path / "restored" / "plans" / f"{plan}.json").stat().st_mtime == 1e9
