"""A power cut leaves no row of the store without its files."""

from pathlib import Path

import pytest
from kept_data import Kept, Opened
from power_cut_disk import Disk
from power_cut_disk import disk as disk
from sqlalchemy import Connection, event, select

from service.storage.database.tables import holdings


@pytest.fixture
def service_data(tmp_path: Path, open_database: Opened) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    return Kept(tmp_path / "data", url, open_database(url, 5.0))


def test_a_row_is_committed_after_its_files_are_flushed(service_data: Kept, disk: Disk) -> None:
    checked_kinds = set()

    def check_flushed(connection: Connection) -> None:
        items = connection.execute(select(holdings.c.kind, holdings.c.id)).all()
        for kind, id in items:
            path = service_data.data_dir / service_data.store.place(kind, id)
            folder = path.parent.parent if kind == "cases" else path.parent
            assert disk.lost(folder) == []
            checked_kinds.add(kind)

    event.listen(service_data.database.engine, "commit", check_flushed)
    case = service_data.add_case("first")
    service_data.add_plan("a", case)
    service_data.add_evaluation("a", case)
    assert checked_kinds == {"cases", "plans", "evaluations"}
    assert disk.lost(service_data.data_dir / "access") == []
