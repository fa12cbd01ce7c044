"""What a power cut leaves of a backup, and of what was restored: all of it, or none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kept_data import Kept, Opened, backed_up, filled
from power_cut_disk import Disk
from power_cut_disk import disk as disk

from service.maintenance.backup.folder import complete_backups
from service.maintenance.backup.restore import chosen, restore


@pytest.fixture
def kept(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    data = Kept(tmp_path / "data", url, open_database(url, 5.0))
    filled(data)
    return data


Look = Callable[[Path], None]
LookedAt = Callable[[Path, Look], list[Path]]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> LookedAt:
    """Has something be looked at before anything in a folder gets its name; returns these names."""

    def by(folder: Path, look: Look) -> list[Path]:
        names: list[Path] = []
        rename = Path.rename

        def looking(path: Path, to: Path) -> Path:
            if to.parent == folder:
                look(path)
                names.append(to)
            return rename(path, to)

        monkeypatch.setattr(Path, "rename", looking)
        return names

    return by


def test_a_backup_has_its_name_once_all_of_it_is_on_the_disk(
    kept: Kept, disk: Disk, looked_at: LookedAt
) -> None:
    target = kept.data_dir.parent / "backups"

    def look(making: Path) -> None:
        assert disk.lost(making) == []
        # The name that it has until then matters to nobody.
        assert disk.lost(target) == [making]

    names = looked_at(target / "backups", look)
    first = backed_up(kept)
    kept.add_plan("later", kept.add_case("later"))
    second = backed_up(kept)
    assert names == [first.folder, second.folder]
    assert disk.lost(target) == []


def test_rows_are_restored_once_their_files_are_on_the_disk(
    kept: Kept, disk: Disk, looked_at: LookedAt, tmp_path: Path
) -> None:
    target = tmp_path / "backups"
    backed_up(kept)
    folder, database = tmp_path / "a" / "restored", tmp_path / "b" / "records.sqlite"

    def look(records: Path) -> None:
        # What is made aside may go.
        assert [path.name for path in disk.lost(tmp_path / "a")] in ([], [".restoring"], ["records.sqlite"])
        assert disk.is_flushed(records)

    names = looked_at(database.parent, look)
    manifest, _ = restore(target, chosen(target), folder, f"sqlite:///{database}")
    assert names == [database]
    assert all((folder / file.place).is_file() for file in manifest.files)
    assert disk.lost(tmp_path / "a") == disk.lost(tmp_path / "b") == []


def test_a_power_cut_is_noticed_by_these_tests(kept: Kept, tmp_path: Path) -> None:
    """Where nothing is flushed all is lost."""
    backed_up(kept)
    target = tmp_path / "backups"
    assert set(Disk().lost(target)) == set(target.iterdir()) and complete_backups(target)
