"""Backups and damage: files that cannot be read, copies that rot, clocks that were ahead, old logs."""

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
def kept(tmp_path: Path, open_database: Opened, monkeypatch: pytest.MonkeyPatch) -> Kept:
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
    """Change one bit, and nothing that is known of the file without reading it."""
    was = file.stat()
    with file.open("r+b") as opened:
        opened.seek(was.st_size // 2)
        byte = opened.read(1)[0]
        opened.seek(was.st_size // 2)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    status = file.stat()
    assert (status.st_size, status.st_mtime_ns, status.st_ino) == (was.st_size, was.st_mtime_ns, was.st_ino)


def of_a_case(backup: BackupResult) -> CopiedFile:
    return next(file for file in backup.manifest.files if file.place.endswith("a.nii"))


def in_pool(target: Path, file: CopiedFile) -> Path:
    return target / "files" / file.sha256[:2] / file.sha256


def faults(target: Path) -> list[BackupError]:
    return verified(target, chosen(target))[1]


@pytest.mark.parametrize("how", [flip, Path.unlink, lambda file: os.truncate(file, 10)])
def test_a_damaged_copy_is_reported_and_written_anew(
    kept: Kept, target: Path, capsys: pytest.CaptureFixture[str], how: Callable[[Path], None]
) -> None:
    file = of_a_case(backed_up(kept))
    how(in_pool(target, file))
    assert store("restore", "--verify", target) == NOT_WHOLE
    stderr = capsys.readouterr().err
    assert file.place in stderr and file.sha256 in stderr and "backup --verify" in stderr
    assert store("backup", "--verify", target) == NOT_WHOLE
    assert f"was damaged, and is written again: {file.place}" in capsys.readouterr().err
    # Of all backups that hold it.
    assert [verified(target, backup)[1] for backup in complete_backups(target)] == [[], []]
    assert store("restore", "--verify", target) == store("backup", "--verify", target) == WHOLE


def test_a_file_that_is_copied_again_takes_the_place_of_a_damaged_copy(kept: Kept, target: Path) -> None:
    file = of_a_case(backed_up(kept))
    flip(in_pool(target, file))
    source = kept.data_dir / file.place
    text = source.read_bytes()
    source.unlink()
    source.write_bytes(text)
    backed_up(kept)
    assert faults(target) == []


def test_so_many_backups_read_every_file_again(
    kept: Kept, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads a share, and what was not read for longest comes first."""
    nights = 5
    monkeypatch.setattr(copying, "ALL_IN", nights)
    for n in range(3 * nights):
        kept.add_case(f"{n}")
    backup = backed_up(kept)
    for file in backup.manifest.files:
        os.utime(in_pool(target, file), (1000.0, 1000.0))
    # A clock that was ahead does not keep a file from being read.
    os.utime(in_pool(target, of_a_case(backup)), (4e9, 4e9))
    read = []
    for _ in range(nights + 1):
        old = {f.sha256 for f in backup.manifest.files if in_pool(target, f).stat().st_mtime in (1000.0, 4e9)}
        backed_up(kept)
        read.append(len(old))
    assert read[-1] == 0
    assert max(before - after for before, after in pairwise(read)) < 2 * len(backup.manifest.files) / nights


def test_damage_in_the_store_is_reported_when_it_is_read(
    kept: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = backed_up(kept)
    file = of_a_case(first)
    flip(kept.data_dir / file.place)
    assert store("backup", "--verify", target) == NOT_WHOLE
    assert f"damaged, and backed up as it is: cases/{Path(file.place).parts[1]}" in capsys.readouterr().err
    assert of_a_case(first) == file
    assert verified(target, first.folder)[1] == []


def test_a_restore_brings_back_what_is_whole_and_names_the_rest(
    kept: Kept, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], open_database: Opened
) -> None:
    backup = backed_up(kept)
    file, *others = backup.manifest.files
    flip(in_pool(target, file))
    folder = tmp_path / "restored"
    with pytest.raises(BackupError, match="--damaged"):
        restore(target, backup.folder, folder, f"sqlite:///{folder / 'seedpath.sqlite'}")
    assert list(folder.iterdir()) == []
    assert store("restore", "--damaged", "--data-dir", folder, target) == NOT_WHOLE
    assert file.place in capsys.readouterr().err
    assert not (folder / file.place).exists()
    for other in others:
        assert (folder / other.place).read_bytes() == (kept.data_dir / other.place).read_bytes()
    url = f"sqlite:///{folder / 'seedpath.sqlite'}"
    assert Kept(folder, url, open_database(url, 5.0)).rows() == kept.rows()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def missing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("how", [a_folder, a_pipe, a_loop, missing])
def test_one_file_that_cannot_be_read_does_not_keep_others_from_a_backup(
    kept: Kept, target: Path, tmp_path: Path, how: Callable[[Path], None]
) -> None:
    backup = backed_up(kept)
    of_case = of_a_case(backup)
    case = Path(of_case.place).parts[1]
    plan = next(f.place for f in backup.manifest.files if f.place.startswith("plans/"))
    other = next(
        f.place for f in backup.manifest.files if f.place.endswith("case.json") and case not in f.place
    )
    left_out = {of_case.place, plan, other}
    for place in left_out:
        how(kept.data_dir / place)
    # In the first backup of a folder what is there of the same case, or beside the same plan, is in it; in
    # others all that was there.
    for folder, lacked in ((tmp_path / "first", left_out), (target, set()), (target, set())):
        manifest = back_up(kept.database, kept.data_dir, folder).manifest
        expected = {case, Path(other).parts[1], Path(plan).stem}
        assert {thing.id for thing in manifest.damaged} == expected
        assert {f.place for f in manifest.files} == {f.place for f in backup.manifest.files} - lacked
    assert faults(target) == []


def test_a_file_in_the_place_of_a_case_is_damage_of_that_case(kept: Kept, target: Path) -> None:
    case = kept.data_dir / "cases" / kept.add_case("bad")
    for path in sorted(case.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    case.rmdir()
    case.touch()
    assert [thing.id for thing in backed_up(kept).manifest.damaged] == [case.name]


class BadBlock(io.FileIO):
    """A file that the disk cannot read."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_bad_block_is_damage_of_its_file(kept: Kept, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = backed_up(kept)
    bad = {kept.data_dir / of_a_case(backup).place}
    really = pooling.opened
    monkeypatch.setattr(pooling, "opened", lambda path: BadBlock(path) if path in bad else really(path))
    os.utime(*bad)
    manifest = backed_up(kept).manifest
    assert [thing.id for thing in manifest.damaged] == [Path(of_a_case(backup).place).parts[1]]
    # The copy of before is whole.
    assert len(manifest.files) == len(backup.manifest.files)
    # In the folder of backups: it is told, and written anew where the store has it.
    bad.clear()
    backed_up(kept)
    bad.add(in_pool(target, of_a_case(backup)))
    assert [fault.field for fault in faults(target)] == [str(path) for path in bad]
    second_backup = back_up(kept.database, kept.data_dir, target, reads_all=True)
    assert second_backup.mended == (of_a_case(backup).place,)


def test_what_the_disk_of_backups_says_is_no_damage_of_the_store(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(pooling.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        backed_up(kept)


def test_damage_at_the_backup_is_reported_at_the_restore(
    kept: Kept, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = kept.add_case("lost")
    (kept.data_dir / "cases" / case / "file" / "a.nii").unlink()
    assert store("backup", target) == NOT_WHOLE
    for command in (["--verify"], ["--data-dir", tmp_path / "restored"]):
        capsys.readouterr()
        assert store("restore", *command, target) == NOT_WHOLE
        assert f"cases/{case}" in capsys.readouterr().err


def test_a_lost_map_is_damage_of_its_plan(kept: Kept, target: Path) -> None:
    plan = kept.add_plan("of a lost map", kept.add_case("of a lost map"))
    (kept.data_dir / "access" / f"{plan}.json").unlink()
    assert [thing.id for thing in backed_up(kept).manifest.damaged] == [plan]


@pytest.mark.representative(5)
@pytest.mark.parametrize(
    "how", [lambda file: file.write_bytes(b"{}"), Path.unlink, lambda file: os.truncate(file, 10)]
)
@pytest.mark.parametrize(
    "which", ["cases/*/file/a.nii", "cases/*/case.json", "plans/*", "access/*", "results/*/*"]
)
def test_the_good_copy_of_what_is_damaged_stays_in_later_backups(
    kept: Kept, target: Path, tmp_path: Path, how: Callable[[Path], None], which: str
) -> None:
    backed_up(kept)
    whole = kept.files()
    how(next(file for file in sorted(kept.data_dir.glob(which)) if file.is_file()))
    for _ in range(2):
        assert store("backup", "--keep", "1", target) == NOT_WHOLE
    assert len(complete_backups(target)) == 1
    assert store("restore", "--data-dir", tmp_path / "restored", target) == NOT_WHOLE
    restored = {place: (tmp_path / "restored" / place).read_bytes() for place in whole}
    assert restored == whole


def test_a_plan_that_was_damaged_from_the_first_backup_on_is_in_it_once(
    kept: Kept, target: Path, tmp_path: Path
) -> None:
    plan = next(file for file in kept.files() if file.startswith("plans/"))
    os.truncate(kept.data_dir / plan, 10)
    for _ in range(3):
        places = [file.place for file in backed_up(kept).manifest.files]
        assert len(places) == len(set(places))
    assert store("restore", "--data-dir", tmp_path / "restored", target) == NOT_WHOLE
    assert (tmp_path / "restored" / plan).read_bytes() == (kept.data_dir / plan).read_bytes()


def test_older_backups_that_cannot_be_removed_are_reported(
    kept: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = of_a_case(backed_up(kept))
    (in_pool(target, file).parent / "stray").mkdir()
    assert store("backup", "--keep", "1", target) == NOT_WHOLE
    output = capsys.readouterr()
    assert Path(output.out.strip()) == chosen(target) and "stray" in output.err


def test_a_new_backup_is_the_newest_even_after_a_clock_that_was_ahead(
    kept: Kept, target: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr("service.maintenance.backup.make.time.time", lambda: 4e9)
        far = backed_up(kept)
    assert not far.is_ahead
    plan = kept.add_plan("since", kept.add_case("since"))
    for keep in (3, 2, 1):
        capsys.readouterr()
        assert store("backup", "--keep", str(keep), target) == WHOLE
        output = capsys.readouterr()
        backup = Path(output.out.strip())
        assert backup.is_dir() and backup == chosen(target) and "a clock that was ahead" in output.err
        assert len(complete_backups(target)) == min(keep, 2)
    assert f"plans/{plan}.json" in {file.place for file in read_manifest(backup).files}
    assert not far.folder.exists()


def test_unreadable_older_backups_are_reported_and_do_not_end_a_backup(
    kept: Kept, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = backed_up(kept).folder
    (bad / MANIFEST).write_bytes(b"{}")
    assert store("backup", "--keep", "30", target) == NOT_WHOLE
    output = capsys.readouterr()
    assert Path(output.out.strip()) == chosen(target) != bad
    assert str(bad) in output.err and "no older backup was removed" in output.err
    # Once it is none of those that stay it goes as others do.
    assert store("backup", "--keep", "2", target) == WHOLE
    assert len(complete_backups(target)) == 2 and not bad.exists()


def test_what_a_removal_left_that_was_killed_is_cleared_away(
    kept: Kept, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(kept)

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr("service.maintenance.backup.folder.remove", killed)
        backed_up(kept, keep=1)
    assert len(complete_backups(target)) == 1
    backed_up(kept)
    assert len(list((target / "backups").iterdir())) == len(complete_backups(target)) == 2


def test_a_database_is_not_restored_beside_the_log_of_another(
    tmp_path: Path, target: Path, open_database: Opened
) -> None:
    file = tmp_path / "db" / "records.sqlite"
    file.parent.mkdir()
    kept = Kept(tmp_path / "data", f"sqlite:///{file}", open_database(f"sqlite:///{file}", 5.0))
    filled(kept)
    backed_up(kept)
    expected = kept.rows()
    kept.add_case("later")
    logs = [file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm")]
    # As a server that is killed leaves them.
    saved = {log: log.read_bytes() for log in logs}
    kept.database.close()
    file.rename(file.with_name("before"))
    for log in (*logs, file.with_name(f"{file.name}-journal")):
        log.write_bytes(saved.get(log, b""))
        with pytest.raises(BackupError, match="another database") as refused:
            restore(target, chosen(target), tmp_path / "restored", kept.url)
        assert refused.value.field == str(log) and not (tmp_path / "restored").exists()
        log.unlink()
    restore(target, chosen(target), tmp_path / "restored", kept.url)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert Kept(tmp_path / "restored", kept.url, open_database(kept.url, 5.0)).rows() == expected


def test_what_is_restored_is_dated_as_it_was(kept: Kept, target: Path, tmp_path: Path) -> None:
    plan = kept.add_plan("old", kept.add_case("first"))
    os.utime(kept.data_dir / "plans" / f"{plan}.json", (1e9, 1e9))
    backed_up(kept)
    assert store("restore", "--data-dir", tmp_path / "restored", target) == WHOLE
    assert (tmp_path / "restored" / "plans" / f"{plan}.json").stat().st_mtime == 1e9
