"""A power cut leaves a backup, and restored data, complete or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kept_data import Kept, Opened, backed_up, filled
from power_cut_disk import Disk
from power_cut_disk import disk as disk

from service.maintenance.backup.folder import complete_backups
from service.maintenance.backup.restore import chosen, restore


@pytest.fixture
def service_data(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    data = Kept(tmp_path / "data", url, open_database(url, 5.0))
    filled(data)
    return data


Check = Callable[[Path], None]
CheckBeforeRename = Callable[[Path, Check], list[Path]]


@pytest.fixture
def check_before_rename(monkeypatch: pytest.MonkeyPatch) -> CheckBeforeRename:
    """Runs a check before each rename into a folder; returns the new paths."""

    def before_rename(folder: Path, check: Check) -> list[Path]:
        names: list[Path] = []
        rename = Path.rename

        def rename_after_check(path: Path, new_path: Path) -> Path:
            if new_path.parent == folder:
                check(path)
                names.append(new_path)
            return rename(path, new_path)

        monkeypatch.setattr(Path, "rename", rename_after_check)
        return names

    return before_rename


def test_a_backup_gets_its_name_after_all_its_files_are_flushed(
    service_data: Kept, disk: Disk, check_before_rename: CheckBeforeRename
) -> None:
    target = service_data.data_dir.parent / "backups"

    def check_flushed(unfinished: Path) -> None:
        assert disk.lost(unfinished) == []
        # Its temporary name may be lost.
        assert disk.lost(target) == [unfinished]

    names = check_before_rename(target / "backups", check_flushed)
    first_backup = backed_up(service_data)
    service_data.add_plan("later", service_data.add_case("later"))
    second_backup = backed_up(service_data)
    assert names == [first_backup.folder, second_backup.folder]
    assert disk.lost(target) == []


def test_rows_are_restored_after_their_files_are_flushed(
    service_data: Kept, disk: Disk, check_before_rename: CheckBeforeRename, tmp_path: Path
) -> None:
    target = tmp_path / "backups"
    backed_up(service_data)
    folder, database = tmp_path / "a" / "restored", tmp_path / "b" / "records.sqlite"

    def check_flushed(records: Path) -> None:
        # Temporary files may be lost.
        assert [path.name for path in disk.lost(tmp_path / "a")] in ([], [".restoring"], ["records.sqlite"])
        assert disk.is_flushed(records)

    names = check_before_rename(database.parent, check_flushed)
    manifest, _ = restore(target, chosen(target), folder, f"sqlite:///{database}")
    assert names == [database]
    assert all((folder / file.place).is_file() for file in manifest.files)
    assert disk.lost(tmp_path / "a") == disk.lost(tmp_path / "b") == []


def test_the_stand_in_disk_loses_files_that_are_not_flushed(service_data: Kept, tmp_path: Path) -> None:
    """Without a flush all files are lost."""
    backed_up(service_data)
    target = tmp_path / "backups"
    assert set(Disk().lost(target)) == set(target.iterdir()) and complete_backups(target)
