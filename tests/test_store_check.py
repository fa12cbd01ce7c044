"""`seedpath store check` finds what is damaged, missing or unheld; `rebuild` makes a database of files."""

import random
import shutil
from pathlib import Path
from typing import Any

import integrity_fakes as fakes
import pytest
from test_integrity import KINDS, READING, WAIT, WORKING, Kept, asked, everything
from test_rest import upload

from service.cli import main


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
    """A copy of that folder, whose files are no longer young, and where each kind of file lies in it."""
    whole, kept = filled
    data_dir = tmp_path / "data"
    shutil.copytree(whole, data_dir)
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(data_dir))
    monkeypatch.setattr("service.store_check.SETTLED_S", -1.0)
    return data_dir, {kind: data_dir / file.relative_to(whole) for kind, file in kept.files.items()}


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    status = main(["store", *arguments])
    return status, capsys.readouterr().out.splitlines()


def test_a_whole_store_is_said_to_be_so(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "check") == (0, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", fakes.DAMAGES)
def test_each_damage_is_found_and_named_once(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str], kind: str, damage: Any
) -> None:
    data_dir, files = store
    damage(files[kind], random.Random(kind))
    status, lines = told(capsys, "check")
    if kind == "map" and damage is fakes.gone:
        # Plans that were made while needles were in have none.
        assert (status, lines) == (0, [])
        return
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
    assert main(["store", "check"]) == 2
    assert "store rebuild" in capsys.readouterr().err
    (data_dir / "lost").mkdir()
    shutil.move(files["evaluation"], data_dir / "lost")
    assert told(capsys, "rebuild", "--owner", "ann")[0] == 0
    shutil.move(data_dir / "lost" / files["evaluation"].name, files["evaluation"])
    status, lines = told(capsys, "check")
    assert status == 1 and len(lines) == 2
    assert "more.nii: it is none of the case's files" in lines[0]
    assert f"evaluations/{files['evaluation'].name}: nobody holds it" in lines[1]
    assert told(capsys, "rebuild", "--owner", "ann", "--add") == (0, [])
    assert [line for line in told(capsys, "check")[1] if "more.nii" not in line] == []


def test_a_folder_that_is_no_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in (["check"], ["rebuild", "--owner", "ann"]):
        assert main(["store", *action, "--data-dir", str(tmp_path / "none")]) == 2
        assert "no data folder of a service" in capsys.readouterr().err
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
    for file in data_dir.glob("seedpath.sqlite*"):
        file.unlink()
    assert told(capsys, "rebuild", "--owner", "local") == (0, [])
    assert told(capsys, "check") == (0, [])
    with fakes.served(data_dir) as client:
        for name, route in READING.items():
            assert asked(client, kept, route).status_code == 200, name
        plans = client.get("/v1/plans").json()["items"]
        assert all(plan["summary"] and plan["case"] == kept.addresses["case"] for plan in plans)
        assert len(client.get("/v1/cases").json()["items"]) == 2
        assert asked(client, kept, WORKING["a plan"], WAIT).status_code == 200


def test_what_is_damaged_is_left_out_with_what_was_made_from_it(
    store: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir, files = store
    for file in data_dir.glob("seedpath.sqlite*"):
        file.unlink()
    fakes.flip(files["ct"], random.Random(1))
    fakes.flip(files["replan"], random.Random(1))
    status, lines = told(capsys, "rebuild", "--owner", "local")
    assert status == 1
    case, *plans, evaluation, replan = lines
    assert files["ct"].parents[1].name in case
    assert plans and all("case that it was made from" in line for line in plans)
    assert "plan that it is about" in evaluation and files["replan"].name in replan
