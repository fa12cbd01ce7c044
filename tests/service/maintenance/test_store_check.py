"""`seedpath store check` finds damaged, missing and orphaned files; `rebuild` makes a database from files."""

import contextlib
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import integrity_work as fakes
import pytest
from one_of_everything import KINDS, READING, WAIT, WORKING, Kept, answer_of, everything
from rest_calls import upload
from sqlalchemy import Connection, delete, select, update

from service.cli.main import main
from service.maintenance.store_rebuild import Rows, rows_of
from service.storage.database.connection import Database
from service.storage.database.tables import holdings, jobs
from service.storage.file_store import Store
from service.storage.ownership import grant


def lose_database(data_dir: Path) -> None:
    """Remove the SQLite file and its companion files."""
    for file in data_dir.glob("seedpath.sqlite*"):
        file.unlink()


@pytest.fixture(scope="module")
def case_upload(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = fakes.write_case(tmp_path_factory.mktemp("sent"))
    return upload(*((part, name, (folder / name).read_bytes()) for part, name in fakes.PARTS.items()))


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory, case_upload: dict[str, Any]) -> tuple[Path, Kept]:
    """A data folder that no server uses, with one of everything."""
    data_dir = tmp_path_factory.mktemp("filled")
    with fakes.served(data_dir) as client:
        kept = everything(client, case_upload, data_dir)
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code == 201
    return data_dir, kept


@pytest.fixture
def store(
    filled_store: tuple[Path, Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, Path]]:
    """A copy of that folder, and the path of each kind of file in it."""
    source_dir, kept = filled_store
    data_dir = tmp_path / "data"
    shutil.copytree(source_dir, data_dir)
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(data_dir))
    return data_dir, {kind: data_dir / file.relative_to(source_dir) for kind, file in kept.files.items()}


def store_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    status = main(["store", *arguments])
    return status, capsys.readouterr().out.splitlines()


def test_an_undamaged_store_has_no_findings(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert store_command(capsys, "check") == (0, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", fakes.DAMAGES)
def test_each_kind_of_damage_is_reported_once(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str], kind: str, damage: Any
) -> None:
    data_dir, files = store
    damage(files[kind], random.Random(kind))
    status, lines = store_command(capsys, "check")
    if kind == "plan" and damage is fakes.gone:
        # Its access map is reported too.
        assert lines.pop(0).startswith("access/")
    assert status == 1 and len(lines) == 1, lines
    assert str(files[kind].relative_to(data_dir)) in lines[0] and "POST" in lines[0]
    assert str(data_dir) not in lines[0]


def test_orphans_and_unknown_files_are_found(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    (files["file"].parent / "more.nii").write_bytes(b"x")
    (data_dir / "seedpath.sqlite").unlink()
    (data_dir / "lost").mkdir()
    shutil.move(files["evaluation"], data_dir / "lost")
    assert store_command(capsys, "rebuild", "--owner", "ann")[0] == 0
    shutil.move(data_dir / "lost" / files["evaluation"].name, files["evaluation"])
    status, lines = store_command(capsys, "check")
    assert status == 1 and len(lines) == 2
    assert "more.nii: it is none of the case's files" in lines[0]
    assert f"evaluations/{files['evaluation'].name}: nobody holds it" in lines[1]
    assert store_command(capsys, "rebuild", "--owner", "ann", "--add") == (0, [])
    assert [line for line in store_command(capsys, "check")[1] if "more.nii" not in line] == []


OwnersOfItems = dict[tuple[str, str], set[str]]


def owners_of_items(data_dir: Path, change: Callable[[Connection], object] = lambda c: None) -> OwnersOfItems:
    """The owners of each item, by kind and id, after a change of the rows."""
    with contextlib.closing(Database(f"sqlite:///{data_dir}/seedpath.sqlite", 5.0)) as database:
        database.write(change)
        statement = select(holdings.c.kind, holdings.c.id, holdings.c.owner)
        owners_by_item: OwnersOfItems = defaultdict(set)
        for kind, id, owner in database.read(lambda c: c.execute(statement).all()):
            owners_by_item[kind, id].add(owner)
    return owners_by_item


def test_a_rebuild_gives_an_owner_only_orphans(
    store: tuple[Path, dict[str, Path]], filled_store: tuple[Path, Kept], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    case = filled_store[1].case

    def two_owners(connection: Connection) -> None:
        for owner, of_case in (("ann", holdings.c.case_id != case), ("ben", holdings.c.case_id == case)):
            connection.execute(update(holdings).where(of_case).values(owner=owner))
        connection.execute(update(jobs).values(owner="ben"))

    expected_rows = owners_of_items(data_dir, two_owners)
    lost_item = ("evaluations", files["evaluation"].stem)
    owners_of_items(data_dir, lambda c: c.execute(delete(holdings).where(holdings.c.id == lost_item[1])))
    # A result made from ben's case is given neither to ann nor to an unknown owner.
    for other_owner in ("ann", "cid"):
        status, lines = store_command(capsys, "rebuild", "--owner", other_owner, "--add")
        assert (
            status == 1
            and len(lines) == 1
            and lost_item[1] in lines[0]
            and "others hold the case" in lines[0]
        )
        assert owners_of_items(data_dir) == {
            item: owners for item, owners in expected_rows.items() if item != lost_item
        }
    assert store_command(capsys, "rebuild", "--owner", "ben", "--add") == (0, [])
    assert owners_of_items(data_dir) == expected_rows
    # A second owner of a case gets no result that the other made from it.
    expected_rows["cases", case].add("ann")
    assert owners_of_items(data_dir, lambda c: grant(c, "ann", "cases", case, case)) == expected_rows
    assert store_command(capsys, "rebuild", "--owner", "ann", "--add") == (0, [])
    assert owners_of_items(data_dir) == expected_rows
    (builtin,) = (id for (kind, id), owners in expected_rows.items() if kind == "cases" and owners == {"ann"})
    owners_of_items(data_dir, lambda c: c.execute(delete(holdings).where(holdings.c.id == builtin)))
    assert store_command(capsys, "rebuild", "--owner", "cid", "--add") == (0, [])
    assert owners_of_items(data_dir) == {**expected_rows, ("cases", builtin): {"cid"}}


def test_a_file_removed_during_a_rebuild_gets_no_row(
    store: tuple[Path, dict[str, Path]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    lose_database(data_dir)

    def rows_then_remove(store: Store) -> Rows:
        rebuilt_rows = rows_of(store)
        files["replan"].unlink()
        shutil.rmtree(files["ct"].parents[1])
        return rebuilt_rows

    monkeypatch.setattr("service.maintenance.store_rebuild.rows_of", rows_then_remove)
    assert store_command(capsys, "rebuild", "--owner", "ann") == (0, [])
    rows_after = owners_of_items(data_dir)
    assert ("replans", files["replan"].stem) not in rows_after
    assert ("cases", files["ct"].parents[1].name) not in rows_after and (
        "plans",
        files["plan"].stem,
    ) in rows_after


def test_a_server_on_a_new_database_keeps_all_files(
    store: tuple[Path, dict[str, Path]],
    filled_store: tuple[Path, Kept],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The database is lost, somebody uploads a case, and the server starts again, days later."""
    data_dir, kept = store[0], filled_store[1]
    lose_database(data_dir)
    for path in data_dir.rglob("*"):
        os.utime(path, (1e9, 1e9))
    bytes_before = {path: path.read_bytes() for path in store[1].values()}
    with fakes.served(data_dir) as client:
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code == 201
    caplog.clear()
    with fakes.served(data_dir):
        pass
    assert "held by nobody" in caplog.text and "store check" in caplog.text
    assert {path: path.read_bytes() for path in bytes_before} == bytes_before
    assert (
        len(store_command(capsys, "check")[1])
        == len([*data_dir.glob("plans/*"), *data_dir.glob("results/*/*")]) + 1
    )
    assert store_command(capsys, "rebuild", "--owner", "local", "--add") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert answer_of(client, kept, route).status_code == 200, name


DATABASES: dict[str, Callable[[Path], object]] = {
    "is not there": lambda file: file.unlink(),
    "has no tables": lambda file: file.write_bytes(b""),
    "is damaged": lambda file: file.write_bytes(b"noise" * 1000),
}


def folder_content(folder: Path) -> dict[str, bytes | None]:
    """All files of a folder with their bytes, and its folders with None."""
    return {str(path.relative_to(folder)): _bytes_of(path) for path in folder.rglob("*")}


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.fixture(params=DATABASES)
def database_fault(request: pytest.FixtureRequest, store: tuple[Path, dict[str, Path]]) -> str:
    """The fault of the database of a data folder, in which a subfolder is missing too."""
    data_dir, _ = store
    shutil.rmtree(data_dir / "aside")
    for log in data_dir.glob("seedpath.sqlite-*"):
        log.unlink()
    DATABASES[request.param](data_dir / "seedpath.sqlite")
    return str(request.param)


def test_files_are_checked_without_a_usable_database_and_nothing_is_written(
    store: tuple[Path, dict[str, Path]], database_fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    fakes.flip(files["ct"], random.Random(1))
    content_before = folder_content(data_dir)
    status, lines = store_command(capsys, "check")
    assert status == 1 and len(lines) == 2
    assert files["ct"].name in lines[0]
    assert database_fault in lines[1] and "from a backup" in lines[1] and "store rebuild" in lines[1]
    assert folder_content(data_dir) == content_before


@pytest.mark.parametrize("command", ["backup", "prune", "prune --dry-run"])
def test_a_command_reports_an_unusable_database_and_writes_nothing(
    store: tuple[Path, dict[str, Path]],
    database_fault: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEEDPATH_KEEP_PLANS_DAYS", "1")
    content_before = folder_content(store[0])
    target = [str(tmp_path / "backups")] if command == "backup" else []
    assert main(["store", *command.split(), *target]) == 2
    stderr = capsys.readouterr().err
    assert stderr.startswith("seedpath: error: SEEDPATH_DATABASE_URL: ") and stderr.count("\n") == 1
    assert database_fault in stderr and "from a backup" in stderr and "store rebuild" in stderr
    assert folder_content(store[0]) == content_before and not (tmp_path / "backups").exists()


def test_a_folder_that_is_not_a_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in (["check"], ["rebuild", "--owner", "ann"]):
        assert main(["store", *action, "--data-dir", str(tmp_path / "none")]) == 2
        assert "is not a data folder of a service" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["store", "rebuild", "--owner", "No Name", "--data-dir", str(tmp_path)]) == 2


def test_a_lost_database_is_rebuilt(
    store: tuple[Path, dict[str, Path]],
    filled_store: tuple[Path, Kept],
    case_upload: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data_dir, kept = store[0], filled_store[1]
    assert main(["store", "rebuild", "--owner", "local"]) == 2
    assert "--add" in capsys.readouterr().err
    lose_database(data_dir)
    for file in data_dir.rglob("*.json"):
        os.utime(file, (1e9, 1e9))
    mask = os.umask(0o022)
    try:
        assert store_command(capsys, "rebuild", "--owner", "local") == (0, [])
    finally:
        os.umask(mask)
    assert (data_dir / "seedpath.sqlite").stat().st_mode & 0o077 == 0
    assert store_command(capsys, "check") == (0, [])
    # The time of last use is lost: retention does not treat an item as unused since its creation.
    with contextlib.closing(Database(f"sqlite:///{data_dir / 'seedpath.sqlite'}", 5.0)) as database:
        times = database.read(lambda c: c.execute(select(holdings.c.created_s, holdings.c.used_s)).all())
    assert times and all(created_s <= 1e9 < used_s - 1e8 for created_s, used_s in times)
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert answer_of(client, kept, route).status_code == 200, name
        plans = client.get("/v1/plans").json()["items"]
        assert all(plan["summary"] and plan["case"] == kept.addresses["case"] for plan in plans)
        assert len(client.get("/v1/cases").json()["items"]) == 2
        assert answer_of(client, kept, WORKING["a plan"], WAIT).status_code == 200


def test_damaged_files_are_reported_and_repaired_after_a_rebuild_of_the_database(
    store: tuple[Path, dict[str, Path]],
    filled_store: tuple[Path, Kept],
    case_upload: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data_dir, files = store
    kept = filled_store[1]
    lose_database(data_dir)
    for kind in ("ct", "map"):
        fakes.flip(files[kind], random.Random(kind))
    assert store_command(capsys, "rebuild", "--owner", "local") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            damaged_kinds = {"ct", "map"}.intersection(route.needs)
            assert answer_of(client, kept, route).status_code == (409 if damaged_kinds else 200), name
        assert client.post("/v1/cases", **case_upload).status_code == 201
        assert answer_of(client, kept, WORKING["a plan"], WAIT).status_code == 200
    assert store_command(capsys, "check") == (0, [])


def test_results_without_a_known_case_are_left_out_until_the_case_is_there(
    store: tuple[Path, dict[str, Path]],
    filled_store: tuple[Path, Kept],
    case_upload: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data_dir, files = store
    lose_database(data_dir)
    fakes.flip(files["record"], random.Random(1))
    status, lines = store_command(capsys, "rebuild", "--owner", "local")
    assert status == 1
    *plans, evaluation, replan = lines
    assert plans and all("case that it was made from" in line for line in plans)
    assert files["evaluation"].name in evaluation and "plan that it is about" in evaluation
    assert files["replan"].name in replan
    for path in data_dir.rglob("*"):
        os.utime(path, (1e9, 1e9))
    with fakes.served(data_dir) as client:
        assert client.post("/v1/cases", **case_upload).status_code == 201
    assert store_command(capsys, "rebuild", "--owner", "local", "--add") == (0, [])
    assert store_command(capsys, "check") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert answer_of(client, filled_store[1], route).status_code == 200, name


def test_a_replanning_without_its_plan_is_assigned_to_the_case_of_its_own_plan(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    for file in (*data_dir.glob("seedpath.sqlite*"), files["plan"], files["map"]):
        file.unlink()
    status, lines = store_command(capsys, "rebuild", "--owner", "local")
    # An evaluation does not contain its plan, so its case is unknown.
    assert status == 1 and len(lines) == 1 and "nothing tells which case" in lines[0]
    assert files["evaluation"].name in lines[0]
    assert ("replans", files["replan"].stem) in owners_of_items(data_dir)
