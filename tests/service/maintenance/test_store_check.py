"""`seedpath store check` finds what is damaged, missing or orphans; `rebuild` makes a database of files."""

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
    """Remove the SQLite file and what belongs to it."""
    for file in data_dir.glob("seedpath.sqlite*"):
        file.unlink()


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = fakes.write_case(tmp_path_factory.mktemp("sent"))
    return upload(*((part, name, (folder / name).read_bytes()) for part, name in fakes.PARTS.items()))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, sent: dict[str, Any]) -> tuple[Path, Kept]:
    """A data folder that no server uses, with one of everything."""
    data_dir = tmp_path_factory.mktemp("filled")
    with fakes.served(data_dir) as client:
        kept = everything(client, sent, data_dir)
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code == 201
    return data_dir, kept


@pytest.fixture
def store(
    filled: tuple[Path, Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, Path]]:
    """A copy of that folder, and where each kind of file lies in it."""
    whole, kept = filled
    data_dir = tmp_path / "data"
    shutil.copytree(whole, data_dir)
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(data_dir))
    return data_dir, {kind: data_dir / file.relative_to(whole) for kind, file in kept.files.items()}


def store_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    status = main(["store", *arguments])
    return status, capsys.readouterr().out.splitlines()


def test_an_undamaged_store_has_no_findings(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert store_command(capsys, "check") == (0, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", fakes.DAMAGES)
def test_each_damage_is_found_and_named_once(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str], kind: str, damage: Any
) -> None:
    data_dir, files = store
    damage(files[kind], random.Random(kind))
    status, lines = store_command(capsys, "check")
    if kind == "plan" and damage is fakes.gone:
        # Its map is told of as well.
        assert lines.pop(0).startswith("access/")
    assert status == 1 and len(lines) == 1, lines
    assert str(files[kind].relative_to(data_dir)) in lines[0] and "POST" in lines[0]
    assert str(data_dir) not in lines[0]


def test_what_nobody_holds_and_what_nobody_knows_is_found(
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


HoldingRow = dict[tuple[str, str], set[str]]


def rows(data_dir: Path, change: Callable[[Connection], object] = lambda c: None) -> HoldingRow:
    """Who holds what, by kind and id, after a change of the rows."""
    with contextlib.closing(Database(f"sqlite:///{data_dir}/seedpath.sqlite", 5.0)) as database:
        database.write(change)
        statement = select(holdings.c.kind, holdings.c.id, holdings.c.owner)
        held: HoldingRow = defaultdict(set)
        for kind, id, owner in database.read(lambda c: c.execute(statement).all()):
            held[kind, id].add(owner)
    return held


def test_what_nobody_holds_is_all_that_an_owner_is_given(
    store: tuple[Path, dict[str, Path]], filled: tuple[Path, Kept], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    case = filled[1].case

    def two_owners(connection: Connection) -> None:
        for owner, of_case in (("ann", holdings.c.case_id != case), ("ben", holdings.c.case_id == case)):
            connection.execute(update(holdings).where(of_case).values(owner=owner))
        connection.execute(update(jobs).values(owner="ben"))

    table_rows = rows(data_dir, two_owners)
    lost = ("evaluations", files["evaluation"].stem)
    rows(data_dir, lambda c: c.execute(delete(holdings).where(holdings.c.id == lost[1])))
    # What was made from ben's case is not ann's, nor a stranger's.
    for stranger in ("ann", "cid"):
        status, lines = store_command(capsys, "rebuild", "--owner", stranger, "--add")
        assert status == 1 and len(lines) == 1 and lost[1] in lines[0] and "others hold the case" in lines[0]
        assert rows(data_dir) == {thing: owners for thing, owners in table_rows.items() if thing != lost}
    assert store_command(capsys, "rebuild", "--owner", "ben", "--add") == (0, [])
    assert rows(data_dir) == table_rows
    # Who holds a case too gets nothing of what the other made from it.
    table_rows["cases", case].add("ann")
    assert rows(data_dir, lambda c: grant(c, "ann", "cases", case, case)) == table_rows
    assert store_command(capsys, "rebuild", "--owner", "ann", "--add") == (0, [])
    assert rows(data_dir) == table_rows
    (builtin,) = (id for (kind, id), owners in table_rows.items() if kind == "cases" and owners == {"ann"})
    rows(data_dir, lambda c: c.execute(delete(holdings).where(holdings.c.id == builtin)))
    assert store_command(capsys, "rebuild", "--owner", "cid", "--add") == (0, [])
    assert rows(data_dir) == {**table_rows, ("cases", builtin): {"cid"}}


def test_what_is_removed_while_a_store_is_rebuilt_gets_no_row(
    store: tuple[Path, dict[str, Path]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    lose_database(data_dir)

    def rows_before_the_loss(store: Store) -> Rows:
        rebuilt_rows = rows_of(store)
        files["replan"].unlink()
        shutil.rmtree(files["ct"].parents[1])
        return rebuilt_rows

    monkeypatch.setattr("service.maintenance.store_rebuild.rows_of", rows_before_the_loss)
    assert store_command(capsys, "rebuild", "--owner", "ann") == (0, [])
    table_rows = rows(data_dir)
    assert ("replans", files["replan"].stem) not in table_rows
    assert ("cases", files["ct"].parents[1].name) not in table_rows and (
        "plans",
        files["plan"].stem,
    ) in table_rows


def test_a_server_on_a_new_database_leaves_all_files_where_they_are(
    store: tuple[Path, dict[str, Path]],
    filled: tuple[Path, Kept],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The database is lost, somebody uploads a case, and the server starts again, days later."""
    data_dir, kept = store[0], filled[1]
    lose_database(data_dir)
    for path in data_dir.rglob("*"):
        os.utime(path, (1e9, 1e9))
    before = {path: path.read_bytes() for path in store[1].values()}
    with fakes.served(data_dir) as client:
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code == 201
    caplog.clear()
    with fakes.served(data_dir):
        pass
    assert "held by nobody" in caplog.text and "store check" in caplog.text
    assert {path: path.read_bytes() for path in before} == before
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


def content(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder."""
    return {str(path.relative_to(folder)): _bytes_of(path) for path in folder.rglob("*")}


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.fixture(params=DATABASES)
def unfit(request: pytest.FixtureRequest, store: tuple[Path, dict[str, Path]]) -> str:
    """What is wrong with the database of a data folder, which lacks a folder too."""
    data_dir, _ = store
    shutil.rmtree(data_dir / "aside")
    for log in data_dir.glob("seedpath.sqlite-*"):
        log.unlink()
    DATABASES[request.param](data_dir / "seedpath.sqlite")
    return str(request.param)


def test_files_are_looked_at_whatever_the_database_is_like_and_nothing_is_made(
    store: tuple[Path, dict[str, Path]], unfit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    fakes.flip(files["ct"], random.Random(1))
    before = content(data_dir)
    status, lines = store_command(capsys, "check")
    assert status == 1 and len(lines) == 2
    assert files["ct"].name in lines[0]
    assert unfit in lines[1] and "from a backup" in lines[1] and "store rebuild" in lines[1]
    assert content(data_dir) == before


@pytest.mark.parametrize("command", ["backup", "prune", "prune --dry-run"])
def test_a_command_that_needs_the_database_says_what_is_wrong_with_it_and_makes_nothing(
    store: tuple[Path, dict[str, Path]],
    unfit: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEEDPATH_KEEP_PLANS_DAYS", "1")
    before = content(store[0])
    target = [str(tmp_path / "backups")] if command == "backup" else []
    assert main(["store", *command.split(), *target]) == 2
    stderr = capsys.readouterr().err
    assert stderr.startswith("seedpath: error: SEEDPATH_DATABASE_URL: ") and stderr.count("\n") == 1
    assert unfit in stderr and "from a backup" in stderr and "store rebuild" in stderr
    assert content(store[0]) == before and not (tmp_path / "backups").exists()


def test_a_folder_that_is_no_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in (["check"], ["rebuild", "--owner", "ann"]):
        assert main(["store", *action, "--data-dir", str(tmp_path / "none")]) == 2
        assert "is not a data folder of a service" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["store", "rebuild", "--owner", "No Name", "--data-dir", str(tmp_path)]) == 2


def test_a_lost_database_is_made_again(
    store: tuple[Path, dict[str, Path]],
    filled: tuple[Path, Kept],
    sent: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data_dir, kept = store[0], filled[1]
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
    # When a thing was last used is lost: retention does not take it for unused since it was made.
    with contextlib.closing(Database(f"sqlite:///{data_dir / 'seedpath.sqlite'}", 5.0)) as database:
        rows = database.read(lambda c: c.execute(select(holdings.c.created_s, holdings.c.used_s)).all())
    assert rows and all(created_s <= 1e9 < used_s - 1e8 for created_s, used_s in rows)
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert answer_of(client, kept, route).status_code == 200, name
        plans = client.get("/v1/plans").json()["items"]
        assert all(plan["summary"] and plan["case"] == kept.addresses["case"] for plan in plans)
        assert len(client.get("/v1/cases").json()["items"]) == 2
        assert answer_of(client, kept, WORKING["a plan"], WAIT).status_code == 200


def test_what_is_damaged_is_answered_as_that_and_mended_once_the_database_is_made_again(
    store: tuple[Path, dict[str, Path]],
    filled: tuple[Path, Kept],
    sent: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data_dir, files = store
    kept = filled[1]
    lose_database(data_dir)
    for kind in ("ct", "map"):
        fakes.flip(files[kind], random.Random(kind))
    assert store_command(capsys, "rebuild", "--owner", "local") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            damaged = {"ct", "map"}.intersection(route.needs)
            assert answer_of(client, kept, route).status_code == (409 if damaged else 200), name
        assert client.post("/v1/cases", **sent).status_code == 201
        assert answer_of(client, kept, WORKING["a plan"], WAIT).status_code == 200
    assert store_command(capsys, "check") == (0, [])


def test_results_without_a_known_case_are_left_out_until_the_case_is_there(
    store: tuple[Path, dict[str, Path]],
    filled: tuple[Path, Kept],
    sent: dict[str, Any],
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
        assert client.post("/v1/cases", **sent).status_code == 201
    assert store_command(capsys, "rebuild", "--owner", "local", "--add") == (0, [])
    assert store_command(capsys, "check") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert answer_of(client, filled[1], route).status_code == 200, name


def test_a_replanning_whose_plan_was_removed_is_of_the_case_that_its_own_plan_fits(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    for file in (*data_dir.glob("seedpath.sqlite*"), files["plan"], files["map"]):
        file.unlink()
    status, lines = store_command(capsys, "rebuild", "--owner", "local")
    # An evaluation without a plan in it tells of none.
    assert status == 1 and len(lines) == 1 and "nothing tells which case" in lines[0]
    assert files["evaluation"].name in lines[0]
    assert ("replans", files["replan"].stem) in rows(data_dir)
