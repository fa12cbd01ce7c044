"""What a power cut leaves of the store: no row is there before its files are on the disk."""

from pathlib import Path

import pytest
from kept_data import Kept, Opened
from power_cut_disk import Disk
from power_cut_disk import disk as disk
from sqlalchemy import Connection, event, select

from service.storage.database.tables import holdings


@pytest.fixture
def kept(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    return Kept(tmp_path / "data", url, open_database(url, 5.0))


def test_no_row_is_there_before_its_files_are_on_the_disk(kept: Kept, disk: Disk) -> None:
    looked_at = set()

    def look(connection: Connection) -> None:
        held = connection.execute(select(holdings.c.kind, holdings.c.id)).all()
        for kind, id in held:
            place = kept.data_dir / kept.store.place(kind, id)
            folder = place.parent.parent if kind == "cases" else place.parent
            assert disk.lost(folder) == []
            looked_at.add(kind)

    event.listen(kept.database.engine, "commit", look)
    case = kept.add_case("first")
    kept.add_plan("a", case)
    kept.add_evaluation("a", case)
    assert looked_at == {"cases", "plans", "evaluations"}
    assert disk.lost(kept.data_dir / "access") == []
