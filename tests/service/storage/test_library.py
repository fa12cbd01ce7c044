"""Rows and files: what is left by a server that was killed between the two is found, and nothing else."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from plan_work import planned
from sqlalchemy import Connection

from service.jobs.error_reports import report_of
from service.jobs.job_table import JobTable
from service.operations.case_files import StoredFile, content_of, identify
from service.problems import Report
from service.schemas.job_results import plan_result
from service.schemas.request.model import PlanRequest
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import JobResult
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.errors import NotHeld, StorageError, TooLarge
from service.storage.file_store import ABANDONED_S, Store
from service.storage.job import NewJob
from service.storage.library import Library
from service.storage.ownership import grant, revoke
from service.storage.quota import Quota

CONTENTS = {
    name: content_of(None, [StoredFile("file", "file/a.nii", f"{n:064x}")], False)
    for n, name in enumerate(("held", "left", "new", "plans", "open"))
}
IDS = {name: identify(content) for name, content in CONTENTS.items()}


def made_case(store: Store, name: str, old: bool = True) -> Path:
    with store.aside() as folder:
        (folder / "file").mkdir()
        (folder / "file" / "a.nii").write_bytes(b"a")
        store.add_case(folder, {"id": IDS[name]} | CONTENTS[name])
    return aged(store.case(IDS[name]).folder, old)


def made_result(store: Store, folder: Path, kind: ResultKind, id: str, old: bool = True) -> Path:
    store.keep(JobResult(kind, id, json.dumps({}).encode()))
    return aged(next(folder.rglob(f"{kind}/{id}.json")), old)


def aged(path: Path, old: bool) -> Path:
    then = time.time() - ABANDONED_S - (60.0 if old else -60.0)
    os.utime(path, (then, then))
    return path


@pytest.fixture
def parts(
    tmp_path: Path, database_url: str, open_database: Callable[[str, float], Database]
) -> tuple[Store, Library, Database]:
    database = open_database(database_url, 5.0)
    migrate(database)
    store = Store(tmp_path / "data")
    return store, Library(database, store, Quota(1 << 40)), database


def test_files_without_rows_are_found_and_no_others(
    parts: tuple[Store, Library, Database], tmp_path: Path
) -> None:
    store, library, database = parts
    for name in IDS:
        made_case(store, name)
    for kind in ResultKind:
        for name in ("held", "left", "new"):
            made_result(store, tmp_path, kind, IDS[name])

    def rows(connection: Connection) -> None:
        for name in ("held", "open"):
            grant(connection, "ann", CASE, IDS[name], IDS[name])
        for kind in ResultKind:
            # JobResult from a case that was removed, whose files it needs.
            grant(connection, "ann", kind, IDS["held"], IDS["plans"])

    database.write(rows)
    assert sorted(library.orphans()) == sorted(
        (kind, IDS[n]) for kind in (CASE, *ResultKind) for n in ("left", "new")
    )


def test_a_case_that_only_an_open_job_needs_is_held(parts: tuple[Store, Library, Database]) -> None:
    store, library, database = parts
    for name in ("open", "left"):
        made_case(store, name)
    database.write(lambda c: grant(c, "ann", CASE, IDS["open"], IDS["open"]))
    JobTable(database, 10, 10, 10).accept(NewJob("j1", "ann", IDS["open"], ResultKind.PLAN, "{}", None))
    database.write(lambda c: revoke(c, "ann", CASE, IDS["open"]))
    assert library.orphans() == [(CASE, IDS["left"])]


def test_what_was_written_by_half_is_swept_and_no_result(
    parts: tuple[Store, Library, Database], tmp_path: Path
) -> None:
    store, _, _ = parts
    data = tmp_path / "data"

    def written(place: str, old: bool) -> Path:
        (data / place).write_bytes(b"{")
        return aged(data / place, old)

    # As write_atomically names what it has not finished.
    left = [written(f"{folder}/.{IDS['left']}.json.x1y2", True) for folder in ("plans", "access")]
    kept = [written(f"{folder}/{IDS['left']}.json", True) for folder in ("plans", "access")]
    kept += [written(f"access/.{IDS['new']}.json.x1y2", False)]
    store.sweep_aside()
    assert not any(file.exists() for file in left) and all(file.exists() for file in kept)


def test_a_kill_in_the_middle_of_a_removal_leaves_no_map_alone(
    parts: tuple[Store, Library, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, _ = parts
    store.keep(JobResult(ResultKind.PLAN, IDS["left"], b"{}", access=b"{}"))
    removed: list[str] = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.parent.name)

    monkeypatch.setattr(Path, "unlink", unlink)
    store.remove(ResultKind.PLAN, IDS["left"])
    assert removed == ["access", "plans"]


@pytest.mark.parametrize("access", [None, b'{"plan":'])
def test_a_map_is_lost_only_where_there_was_one(
    parts: tuple[Store, Library, Database], tmp_path: Path, access: bytes | None
) -> None:
    store, library, database = parts
    result = replace(plan_result(planned(PlanRequest().to_request())), access=access)
    job_table = JobTable(database, 10, 10, 10)
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    job_table.accept(NewJob("j1", "ann", IDS["held"], ResultKind.PLAN, "{}", None))
    job = job_table.begin("j1", 3, Report("failed", ""))
    assert job is not None and job_table.succeed(job, result, store.keep)
    (tmp_path / "data" / "access" / f"{result.id}.json").unlink(missing_ok=True)
    kind = "not-found" if access is None else "damaged"
    for _ in range(2):
        with pytest.raises(StorageError) as refused:
            library.access("ann", result.id)
        assert report_of(refused.value).kind == kind
        assert database.read(partial(library.is_lost, job=job_table.get("j1"))) == (access is not None)
        # A sum that is found out anew is of what is there.
        library.update_sizes()


def test_a_map_that_is_asked_for_while_its_plan_is_removed_is_not_lost(
    parts: tuple[Store, Library, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, library, database = parts
    made_case(store, "held")
    made_result(store, tmp_path, ResultKind.PLAN, IDS["plans"])
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    database.write(lambda c: grant(c, "ann", ResultKind.PLAN, IDS["plans"], IDS["held"]))
    access = store.access

    def removed(plan_id: str, kept_bytes: int) -> bytes:
        library.remove_result("ann", ResultKind.PLAN, plan_id)
        return access(plan_id, 1)

    monkeypatch.setattr(store, "access", removed)
    with pytest.raises(NotHeld) as refused:
        library.access("ann", IDS["plans"])
    assert report_of(refused.value).kind == "not-found"


# Removing on a disk that is full, or read-only


@pytest.fixture
def held(parts: tuple[Store, Library, Database], tmp_path: Path) -> tuple[Library, list[Path]]:
    """A case and a plan of ann's, and where their files lie."""
    store, library, database = parts
    files = [made_case(store, "held"), made_result(store, tmp_path, ResultKind.PLAN, IDS["plans"])]
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    database.write(lambda c: grant(c, "ann", ResultKind.PLAN, IDS["plans"], IDS["held"]))
    return library, files


def fails(number: int) -> Callable[..., None]:
    def fail(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_what_is_removed_needs_no_room(
    held: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    library, files = held
    for call in ("mkdir", "rename"):
        monkeypatch.setattr(os, call, fails(number))
    library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    library.remove_case("ann", IDS["held"])
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_nothing_is_removed_where_nothing_can_be_written(
    held: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    library, files = held
    monkeypatch.setattr(os, "mkdir", fails(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    with pytest.raises(OSError, match=os.strerror(number)):
        library.remove_case("ann", IDS["held"])
    assert all(file.exists() for file in files)
    assert library.case("ann", IDS["held"]) and library.cases_of("ann", ResultKind.PLAN, IDS["plans"])


def test_a_case_that_was_removed_by_half_is_taken_in_anew(parts: tuple[Store, Library, Database]) -> None:
    store, _, _ = parts
    folder = made_case(store, "left")
    (folder / "case.json").unlink()
    (folder / "file" / "a.nii").write_bytes(b"half")
    assert not store.is_whole(IDS["left"])
    made_case(store, "left")
    assert (folder / "file" / "a.nii").read_bytes() == b"a"


def test_what_a_removal_leaves_is_reported(
    held: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library, _ = held
    library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    with monkeypatch.context() as broken:
        broken.setattr(os, "unlink", fails(errno.EIO))
        library.remove_case("ann", IDS["held"])
    (left,) = (library._store._aside).glob(f"*{IDS['held']}*")
    assert f"{left} cannot be removed completely" in caplog.text


def test_nothing_is_kept_that_would_be_too_large_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "data")
    plan, whole = JobResult(ResultKind.PLAN, IDS["plans"], b"p" * 20, access=b"a" * 30), b"r" * 25
    job_result = JobResult(ResultKind.REPLAN, IDS["left"], whole, plan=plan)
    for name, bound in (("MAX_RESULT_BYTES", 24), ("MAX_MAP_BYTES", 29)):
        with monkeypatch.context() as bounded:
            bounded.setattr(f"service.storage.file_store.{name}", bound)
            with pytest.raises(TooLarge) as refused:
                store.keep(job_result)
        assert report_of(refused.value).kind == "limit-reached"
        assert not store.is_result_there(ResultKind.PLAN, IDS["plans"])
    store.keep(job_result)
    assert store.is_result_there(ResultKind.REPLAN, IDS["left"])
