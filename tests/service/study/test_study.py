"""Studies from the command line on: what is done, what is not done again, and what outlives kill -9."""

import hashlib
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import slow_work
import study_work as fakes
from phantom import write_phantom
from planning_service import dask
from postgres import Postgres
from service_process import eventually
from study_process import family, is_alive, started

from planner.records.request.request import Request
from service.cli import main as cli
from service.cli import study_command
from service.cli.study_command import settings_in
from service.operations.case import Case
from service.operations.output_files import OutputError
from service.schemas.plan.file import read_plan
from service.settings import Settings, SettingsError
from service.storage.file_store import Store
from service.study import run as study_run
from service.study.folder import opened
from service.study.intake import take_in
from service.study.plan_order import StudyPlan
from service.study.run import open_workspace
from service.web.app import create_app

LUNG, CLEAR = "lung=lung_length_mm", "clear=clearance_mm"

Study = Callable[..., int]


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv(slow_work.MARKS, str(folder))
    return folder


@pytest.fixture
def study(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """`seedpath study` into one folder, with stand-in planning, by these rankings."""
    monkeypatch.setattr(study_command, "WORK", fakes.WORK)
    # The test's own logging is left alone.
    monkeypatch.setattr(study_command, "log_to_stderr", lambda _: None)

    def run(
        *cases: Path | str, rankings: tuple[str, ...] = (LUNG, CLEAR), options: tuple[str, ...] = ()
    ) -> int:
        arguments = [part for ranking in rankings for part in ("--ranking", ranking)]
        return cli.main(["study", *map(str, cases), *arguments, "-o", str(tmp_path / "out"), *options])

    return run


def rows(tmp_path: Path) -> list[dict[str, object]]:
    return pq.read_table(tmp_path / "out" / "study.parquet").to_pylist()


def begun(marks: Path) -> Counter[str]:
    """How often each plan was begun: how it ends, and its first score."""
    return Counter(mark.name.removeprefix("begun-").rsplit("-", 1)[0] for mark in marks.glob("begun-*"))


def results(tmp_path: Path) -> dict[str, str]:
    """The sha256 of what a study wrote for its reader."""
    files = [f for f in (tmp_path / "out").glob("study.*") if f.suffix in (".json", ".parquet", ".png")]
    files += (tmp_path / "out" / "plans").iterdir()
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.long
def test_each_case_is_planned_by_each_ranking_and_never_again(
    study: Study, tmp_path: Path, marks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (fakes.write_case(tmp_path / f"{name}.nii.gz", more=name) for name in ("one", "two"))
    assert study(one) == 0
    assert begun(marks) == {"good-lung_length_mm": 1, "good-clearance_mm": 1}
    table_rows = rows(tmp_path)
    assert [(r["case"], r["ranking"], r["status"]) for r in table_rows] == [
        ("one", "lung", "planned"),
        ("one", "clear", "planned"),
    ]
    # The rankings did what they say: the best path has the least of it.
    assert table_rows[0]["lung_length_mm"] < table_rows[1]["lung_length_mm"]
    assert table_rows[0]["clearance_mm"] < table_rows[1]["clearance_mm"]
    for row in table_rows:
        file = read_plan((tmp_path / "out" / "plans" / f"{row['plan_sha256']}.json").read_bytes())
        assert file.plan.paths[0].lung_length_mm == row["lung_length_mm"]
    before = results(tmp_path)
    out, err = capsys.readouterr()
    assert "All 2 plans are made" in out and "2 of 2 plans done" in err

    assert study(one) == 0
    assert begun(marks).total() == 2 and results(tmp_path) == before
    assert "All 2 plans are made" in capsys.readouterr().out

    # Another case, another ranking: only these.
    assert study(two, one, rankings=(LUNG, CLEAR, "w=length_mm:1")) == 0
    assert begun(marks) == {"good-lung_length_mm": 2, "good-clearance_mm": 2, "good-length_mm": 2}
    assert [(r["case"], r["ranking"]) for r in rows(tmp_path)] == [
        (case, ranking) for case in ("one", "two") for ranking in ("lung", "clear", "w")
    ]
    # By their names, in whatever order they are given.
    before = results(tmp_path)
    assert study(one, two, rankings=(LUNG, CLEAR, "w=length_mm:1")) == 0
    assert results(tmp_path) == before

    # A file or a request that has changed is not what was planned before.
    hashes = {(r["case"], r["ranking"]): r["plan_sha256"] for r in rows(tmp_path)}
    fakes.write_case(one, more="changed")
    assert study(one, two, rankings=(LUNG,)) == 0
    assert begun(marks)["good-lung_length_mm"] == 3
    request = tmp_path / "request.json"
    request.write_text('{"random_seed": 1}')
    assert study(two, rankings=(LUNG,), options=("--request", str(request))) == 0
    assert begun(marks)["good-lung_length_mm"] == 4
    assert rows(tmp_path)[0]["plan_sha256"] != hashes["two", "lung"]

    # And a plan that somebody removed is made again.
    for plan in (tmp_path / "out" / "plans").iterdir():
        plan.unlink()
    assert study(two, rankings=(LUNG,)) == 0
    assert begun(marks)["good-lung_length_mm"] == 5
    assert [r["plan_sha256"] for r in rows(tmp_path)] == [hashes["two", "lung"]]


@pytest.mark.long
def test_a_plan_s_file_that_was_changed_is_made_again(
    study: Study, tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = fakes.write_case(tmp_path / "p.nii.gz")
    assert study(case, rankings=(LUNG,)) == 0
    before = results(tmp_path)
    [plan] = (tmp_path / "out" / "plans").iterdir()
    text = plan.read_bytes()
    for number, changed in enumerate((b"", text[:-100], text.replace(b"As planned.", b"As wished.")), 2):
        plan.write_bytes(changed)
        assert study(case, rankings=(LUNG,)) == 0
        assert begun(marks).total() == number and results(tmp_path) == before

    # While the study runs: a row that says so, and the next one makes it again.
    work = study_run._work

    def and_change(*given: Any) -> None:
        work(*given)
        plan.write_bytes(b"")

    plan.unlink()
    monkeypatch.setattr(study_run, "_work", and_change)
    assert study(case, rankings=(LUNG,)) == 1
    [row] = rows(tmp_path)
    assert row["status"] == "failed" and row["plan_sha256"] is None and "changed" in str(row["message"])
    monkeypatch.setattr(study_run, "_work", work)
    assert study(case, rankings=(LUNG,)) == 0
    assert results(tmp_path) == before


@pytest.mark.long
def test_a_case_that_somebody_removed_in_part_is_taken_in_again(study: Study, tmp_path: Path) -> None:
    case = fakes.write_case(tmp_path / "p.nii.gz")
    assert study(case, rankings=(LUNG,)) == 0
    [record] = (tmp_path / "out" / "cases").glob("*/case.json")
    before = record.read_bytes()
    record.unlink()
    assert study(case, rankings=(LUNG,)) == 0
    assert record.read_bytes() == before


def test_a_study_takes_as_many_plans_as_are_asked_for(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "out", {"SEEDPATH_MAX_JOBS": "1", "SEEDPATH_MAX_JOBS_OF_OWNER": "1"})
    with open_workspace(settings) as at:
        case_id = take_in(Case(fakes.write_case(tmp_path / "p.nii.gz")), at.store, at.library)
        for seed in range(3):
            at.job_table.accept(StudyPlan("p", "lung", case_id, Request(random_seed=seed)).order(0))
        assert len(at.job_table.open_jobs()) == 3


def test_a_failed_plan_is_a_row_and_the_others_are_planned(
    study: Study, tmp_path: Path, marks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hows = (fakes.GOOD, fakes.NO_PATH, fakes.GOALS, fakes.UNREADABLE, fakes.BROKEN)
    cases = [fakes.write_case(tmp_path / f"{how}.nii.gz", how) for how in hows]
    assert study(*cases, rankings=(LUNG,)) == 1
    row_by_case = {r["case"]: r for r in rows(tmp_path)}
    assert {case: row["status"] for case, row in row_by_case.items()} == {
        "good": "planned",
        "nopath": "no_path",
        "goals": "goals_not_met",
        "unreadable": "failed",
        "broken": "failed",
    }
    assert (
        row_by_case["unreadable"]["problem"] == "unusable-input"
        and row_by_case["broken"]["problem"] == "failed"
    )
    assert "it is no image" in str(row_by_case["unreadable"]["message"])
    assert str(tmp_path) not in json.dumps(rows(tmp_path)) and "secret" not in json.dumps(rows(tmp_path))
    out = capsys.readouterr().out
    assert "Made, with all goals met: 1 of 5 plans; " in out
    # Refused once, refused for good; a fault may be mended by then.
    assert study(*cases, rankings=(LUNG,)) == 1
    assert begun(marks) == {f"{how}-lung_length_mm": 2 if how == fakes.BROKEN else 1 for how in hows}


@pytest.mark.long
def test_a_folder_of_masks_is_a_case_by_what_is_read_of_it(study: Study, tmp_path: Path, marks: Path) -> None:
    masks = tmp_path / "p1" / "segmentations"
    fakes.write_case(masks / "node.nii.gz")
    assert study(masks, rankings=(LUNG,)) == 0
    [before] = rows(tmp_path)
    (masks / "statistics.json").write_text("{}")
    (masks / ".hidden.nii.gz").write_text("x")
    assert study(masks, rankings=(LUNG,)) == 0
    assert begun(marks).total() == 1 and rows(tmp_path) == [before]
    fakes.write_case(masks / "aorta.nii.gz")
    assert study(masks, rankings=(LUNG,)) == 0
    assert begun(marks).total() == 2 and rows(tmp_path)[0]["case_sha256"] != before["case_sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.nii.gz", "--ranking", "length_mm"], "gone.nii.gz: there is no such file"),
        (["thorax", "--ranking", "lenght_mm"], "Did you mean 'length_mm'"),
        (["thorax", "--ranking", "length_mm", "--ranking", "a=length_mm"], "it is the same as 'length_mm'"),
        (["thorax", "--ranking", "length_mm", "-o", "mine"], "mine: it holds other things than a study"),
        (["thorax", "--ranking", "length_mm", "-o", "mine/notes.txt"], "notes.txt: it is a file"),
        (["thorax", "--ranking", "length_mm", "--request", "bad.json"], "bad.json: "),
    ],
)
def test_bad_input_is_refused_in_one_sentence_before_any_work(
    tmp_path: Path,
    marks: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_command, "WORK", fakes.WORK)
    monkeypatch.setattr(study_command, "log_to_stderr", lambda _: None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "bad.json").write_text("{")
    there = sorted(tmp_path.rglob("*"))
    assert cli.main(["study", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1 and err.startswith("seedpath: error: ")
    assert sorted(tmp_path.rglob("*")) == there


def test_without_a_ranking_there_is_nothing_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["study", "thorax"])
    assert caught.value.code == 2 and "--ranking" in capsys.readouterr().err


def test_records_are_the_study_s_own_unless_a_scheduler_needs_a_database(tmp_path: Path) -> None:
    url = {"SEEDPATH_DATABASE_URL": "postgresql://service/records", "SEEDPATH_DATA_DIR": "elsewhere"}
    alone = settings_in(tmp_path, url)
    assert alone.database == f"sqlite:///{tmp_path / 'seedpath.sqlite'}" and alone.data_dir == tmp_path
    scheduler = {"SEEDPATH_SCHEDULER": "tls://host:8786"}
    assert settings_in(tmp_path, url | scheduler).database == url["SEEDPATH_DATABASE_URL"]
    with pytest.raises(SettingsError, match="Name a PostgreSQL"):
        settings_in(tmp_path, scheduler)


def test_a_service_works_in_no_study_s_folder_and_no_study_in_a_service_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, service = tmp_path / "study", tmp_path / "service"
    with opened(study), open_workspace(settings_in(study, {})):
        pass
    there = sorted(study.rglob("*"))
    monkeypatch.setattr("service.logs.json_lines.log_to_stderr", lambda _: None)
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(study))
    assert cli.main(["serve", "--port", "0"]) == 2
    message = (
        f"SEEDPATH_DATA_DIR: {study} is a study's folder. Name another, or leave it out for the default."
    )
    assert capsys.readouterr().err == f"seedpath: error: {message}\n"
    assert sorted(study.rglob("*")) == there
    (study / "study.lock").unlink()
    (study / "study.json").write_text("{}")
    with pytest.raises(SettingsError, match="is a study's folder"):
        create_app(Settings(data_dir=study))

    Store(service)
    with pytest.raises(OutputError, match="it holds other things than a study"), opened(service):
        pass


# Interrupted, killed


@pytest.mark.long
def test_a_study_that_was_killed_or_interrupted_goes_on_where_it_was(tmp_path: Path, marks: Path) -> None:
    cases = [fakes.write_case(tmp_path / f"p{n}.nii.gz", fakes.SLOW, str(n)) for n in range(6)]
    arguments = [*map(str, cases), "--ranking", LUNG, "--ranking", CLEAR, "-o", str(tmp_path / "out")]

    def until_more_is_done(than: int) -> None:
        eventually(lambda: len(list(marks.glob("ended-*"))) > than)

    # Killed in the middle: its workers go by themselves.
    study = started(arguments, {})
    until_more_is_done(0)
    children = family(study)
    study.kill()
    study.communicate(timeout=60)
    assert children
    eventually(lambda: not any(map(is_alive, children)))
    assert not (tmp_path / "out" / "study.parquet").exists()

    # Ctrl-C, which a terminal sends to the whole group. Enough plans are left for the time that it takes to
    # start a second study and see it refused.
    done = len(list(marks.glob("ended-*")))
    study = started(arguments, {})
    until_more_is_done(done)
    second = started(arguments, {})
    _, stderr = second.communicate(timeout=60)
    assert second.returncode == 2 and "another study works in it" in stderr and stderr.count("error") == 1
    children = family(study)
    os.killpg(study.pid, signal.SIGINT)
    out, stderr = study.communicate(timeout=60)
    assert study.returncode == 130 and out == "" and "Traceback" not in stderr, stderr
    assert "the same command goes on from there" in stderr.splitlines()[-1]
    eventually(lambda: not any(map(is_alive, children)))

    # What has ended is not begun again; of what was under way, each once more.
    study = started(arguments, {})
    out, stderr = study.communicate(timeout=120)
    assert study.returncode == 0, stderr
    assert "All 12 plans are made" in out
    ended = list(marks.glob("ended-*"))
    # A worker that was killed between the end of its work and its record does that one again.
    assert 12 <= len(ended) <= 14 and begun(marks).total() <= 14

    # Whatever it went through, it is what an undisturbed study writes.
    broken = results(tmp_path)
    (tmp_path / "out").rename(tmp_path / "disturbed")
    study = started(arguments, {})
    study.communicate(timeout=120)
    assert study.returncode == 0 and results(tmp_path) == broken


# Elsewhere


@pytest.mark.long
def test_a_scheduler_s_workers_do_a_study_whose_database_is_its_own(
    tmp_path: Path, marks: Path, postgres: Postgres
) -> None:
    cases = [fakes.write_case(tmp_path / f"p{n}.nii.gz", more=str(n)) for n in range(2)]
    arguments = [*map(str, cases), "--ranking", LUNG, "--ranking", CLEAR]
    with dask(tmp_path, marks) as scheduler:
        settings = {"SEEDPATH_SCHEDULER": scheduler, "SEEDPATH_DATABASE_URL": postgres.url}
        study = started([*arguments, "-o", str(tmp_path / "out")], settings)
        out, stderr = study.communicate(timeout=120)
        assert study.returncode == 0 and "All 4 plans are made" in out, stderr
        assert begun(marks).total() == 4
        other = started([*arguments, "-o", str(tmp_path / "other")], settings)
        out, stderr = other.communicate(timeout=120)
    assert other.returncode == 2 and out == ""
    assert "Name one of this study's own" in stderr.splitlines()[-1] and begun(marks).total() == 4
    # Its records are not in the folder, its results are.
    assert not (tmp_path / "out" / "seedpath.sqlite").exists() and len(rows(tmp_path)) == 4


# The real thing


@pytest.mark.long
def test_a_small_chest_is_planned_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study_command, "log_to_stderr", lambda _: None)
    chest = write_phantom(tmp_path)
    request = tmp_path / "request.json"
    request.write_text('{"prescription": null, "search": {"covering_radius_mm": 4, "max_paths": 2}}')
    arguments = ["study", str(chest / "labels.nii.gz"), "--names", str(chest / "labels.json")]
    arguments += ["--target", "node_4R", "--request", str(request), "-o", str(tmp_path / "out")]
    arguments += ["--ranking", "length_mm", "--ranking", "wide=clearance_mm"]
    assert cli.main(arguments) == 0
    short, wide = rows(tmp_path)
    assert short["search_complete"] and short["target"] == "node_4R"
    assert short["length_mm"] < wide["length_mm"] and short["clearance_mm"] < wide["clearance_mm"]
    assert (tmp_path / "out" / "study.png").read_bytes().startswith(b"\x89PNG")
    about = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [r["ranking"] for r in about["rankings"]] == [["length_mm"], ["clearance_mm"]]
    assert {f["place"] for f in about["cases"][0]["files"]} == {"file/labels.nii.gz", "names/labels.json"}
    # What a study planned is what `seedpath plan` plans.
    plan = tmp_path / "plan.json"
    request.write_text(json.dumps(json.loads(request.read_text()) | {"ranking": ["length_mm"]}))
    same = [*arguments[1:8], "-o", str(plan)]
    assert cli.main(["plan", *same]) == 0
    assert read_plan(plan.read_bytes()).claimed_sha256 == short["plan_sha256"]
    assert "All 2 plans are made" in capsys.readouterr().out
    assert not any("spawn_main" in " ".join(p.cmdline()) for p in psutil.Process().children(recursive=True))
