"""Rows and files: the remains of a server killed between the two are found, and nothing else."""

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


def add_case(store: Store, name: str, is_old: bool = True) -> Path:
    with store.aside() as folder:
        (folder / "file").mkdir()
        (folder / "file" / "a.nii").write_bytes(b"a")
        store.add_case(folder, {"id": IDS[name]} | CONTENTS[name])
    return with_age(store.case(IDS[name]).folder, is_old)


def add_result(store: Store, folder: Path, kind: ResultKind, id: str, is_old: bool = True) -> Path:
    store.keep(JobResult(kind, id, json.dumps({}).encode()))
    return with_age(next(folder.rglob(f"{kind}/{id}.json")), is_old)


def with_age(path: Path, is_old: bool) -> Path:
    modified_s = time.time() - ABANDONED_S - (60.0 if is_old else -60.0)
    os.utime(path, (modified_s, modified_s))
    return path


@pytest.fixture
def store_parts(
    tmp_path: Path, database_url: str, open_database: Callable[[str, float], Database]
) -> tuple[Store, Library, Database]:
    database = open_database(database_url, 5.0)
    migrate(database)
    store = Store(tmp_path / "data")
    return store, Library(database, store, Quota(1 << 40)), database


def test_only_files_without_rows_are_found_as_orphans(
    store_parts: tuple[Store, Library, Database], tmp_path: Path
) -> None:
    store, library, database = store_parts
    for name in IDS:
        add_case(store, name)
    for kind in ResultKind:
        for name in ("held", "left", "new"):
            add_result(store, tmp_path, kind, IDS[name])

    def grant_some(connection: Connection) -> None:
        for name in ("held", "open"):
            grant(connection, "ann", CASE, IDS[name], IDS[name])
        for kind in ResultKind:
            # A result from a removed case, whose files it still needs.
            grant(connection, "ann", kind, IDS["held"], IDS["plans"])

    database.write(grant_some)
    assert sorted(library.orphans()) == sorted(
        (kind, IDS[n]) for kind in (CASE, *ResultKind) for n in ("left", "new")
    )


def test_a_case_that_only_an_open_job_needs_is_not_an_orphan(
    store_parts: tuple[Store, Library, Database],
) -> None:
    store, library, database = store_parts
    for name in ("open", "left"):
        add_case(store, name)
    database.write(lambda c: grant(c, "ann", CASE, IDS["open"], IDS["open"]))
    JobTable(database, 10, 10, 10).accept(NewJob("j1", "ann", IDS["open"], ResultKind.PLAN, "{}", None))
    database.write(lambda c: revoke(c, "ann", CASE, IDS["open"]))
    assert library.orphans() == [(CASE, IDS["left"])]


def test_incomplete_files_are_swept_and_results_are_not(
    store_parts: tuple[Store, Library, Database], tmp_path: Path
) -> None:
    store, _, _ = store_parts
    data_dir = tmp_path / "data"

    def write_file(path: str, is_old: bool) -> Path:
        (data_dir / path).write_bytes(b"{")
        return with_age(data_dir / path, is_old)

    # Named as write_atomically names unfinished files.
    swept_files = [write_file(f"{folder}/.{IDS['left']}.json.x1y2", True) for folder in ("plans", "access")]
    kept_files = [write_file(f"{folder}/{IDS['left']}.json", True) for folder in ("plans", "access")]
    kept_files += [write_file(f"access/.{IDS['new']}.json.x1y2", False)]
    store.sweep_aside()
    assert not any(file.exists() for file in swept_files) and all(file.exists() for file in kept_files)


def test_a_removal_deletes_the_access_map_before_the_plan(
    store_parts: tuple[Store, Library, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, _ = store_parts
    store.keep(JobResult(ResultKind.PLAN, IDS["left"], b"{}", access=b"{}"))
    folders: list[str] = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        folders.append(path.parent.name)

    monkeypatch.setattr(Path, "unlink", unlink)
    store.remove(ResultKind.PLAN, IDS["left"])
    assert folders == ["access", "plans"]


@pytest.mark.parametrize("access", [None, b'{"plan":'])
def test_a_map_is_lost_only_if_the_plan_had_one(
    store_parts: tuple[Store, Library, Database], tmp_path: Path, access: bytes | None
) -> None:
    store, library, database = store_parts
    result = replace(plan_result(planned(PlanRequest().to_request())), access=access)
    job_table = JobTable(database, 10, 10, 10)
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    job_table.accept(NewJob("j1", "ann", IDS["held"], ResultKind.PLAN, "{}", None))
    job = job_table.begin("j1", 3, Report("failed", ""))
    assert job is not None and job_table.succeed(job, result, store.keep)
    (tmp_path / "data" / "access" / f"{result.id}.json").unlink(missing_ok=True)
    kind = "not-found" if access is None else "damaged"
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            library.access("ann", result.id)
        assert report_of(caught.value).kind == kind
        assert database.read(partial(library.is_lost, job=job_table.get("j1"))) == (access is not None)
        # Sizes counted again are those of the existing files.
        library.update_sizes()


def test_a_map_requested_during_the_removal_of_its_plan_is_not_found(
    store_parts: tuple[Store, Library, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, library, database = store_parts
    add_case(store, "held")
    add_result(store, tmp_path, ResultKind.PLAN, IDS["plans"])
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    database.write(lambda c: grant(c, "ann", ResultKind.PLAN, IDS["plans"], IDS["held"]))
    access = store.access

    def access_after_removal(plan_id: str, kept_bytes: int) -> bytes:
        library.remove_result("ann", ResultKind.PLAN, plan_id)
        return access(plan_id, 1)

    monkeypatch.setattr(store, "access", access_after_removal)
    with pytest.raises(NotHeld) as caught:
        library.access("ann", IDS["plans"])
    assert report_of(caught.value).kind == "not-found"


# Removal on a disk that is full or read-only


@pytest.fixture
def held_by_ann(store_parts: tuple[Store, Library, Database], tmp_path: Path) -> tuple[Library, list[Path]]:
    """A case and a plan that ann holds, and the paths of their files."""
    store, library, database = store_parts
    files = [add_case(store, "held"), add_result(store, tmp_path, ResultKind.PLAN, IDS["plans"])]
    database.write(lambda c: grant(c, "ann", CASE, IDS["held"], IDS["held"]))
    database.write(lambda c: grant(c, "ann", ResultKind.PLAN, IDS["plans"], IDS["held"]))
    return library, files


def failing_call(error_number: int) -> Callable[..., None]:
    def fail(*args: object, **keywords: object) -> None:
        raise OSError(error_number, os.strerror(error_number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_removal_needs_no_disk_space(
    held_by_ann: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    library, files = held_by_ann
    for call in ("mkdir", "rename"):
        monkeypatch.setattr(os, call, failing_call(number))
    library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    library.remove_case("ann", IDS["held"])
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_nothing_is_removed_on_a_read_only_disk(
    held_by_ann: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    library, files = held_by_ann
    monkeypatch.setattr(os, "mkdir", failing_call(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    with pytest.raises(OSError, match=os.strerror(number)):
        library.remove_case("ann", IDS["held"])
    assert all(file.exists() for file in files)
    assert library.case("ann", IDS["held"]) and library.cases_of("ann", ResultKind.PLAN, IDS["plans"])


def test_a_partly_removed_case_can_be_added_again(store_parts: tuple[Store, Library, Database]) -> None:
    store, _, _ = store_parts
    folder = add_case(store, "left")
    (folder / "case.json").unlink()
    (folder / "file" / "a.nii").write_bytes(b"half")
    assert not store.is_whole(IDS["left"])
    add_case(store, "left")
    assert (folder / "file" / "a.nii").read_bytes() == b"a"


def test_the_remains_of_a_removal_are_logged(
    held_by_ann: tuple[Library, list[Path]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library, _ = held_by_ann
    library.remove_result("ann", ResultKind.PLAN, IDS["plans"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", failing_call(errno.EIO))
        library.remove_case("ann", IDS["held"])
    (remaining,) = (library._store._aside).glob(f"*{IDS['held']}*")
    assert f"{remaining} cannot be removed completely" in caplog.text


def test_a_result_too_large_to_be_read_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "data")
    plan, text = JobResult(ResultKind.PLAN, IDS["plans"], b"p" * 20, access=b"a" * 30), b"r" * 25
    job_result = JobResult(ResultKind.REPLAN, IDS["left"], text, plan=plan)
    for name, bound in (("MAX_RESULT_BYTES", 24), ("MAX_MAP_BYTES", 29)):
        with monkeypatch.context() as patched:
            patched.setattr(f"service.storage.file_store.{name}", bound)
            with pytest.raises(TooLarge) as caught:
                store.keep(job_result)
        assert report_of(caught.value).kind == "limit-reached"
        assert not store.is_result_there(ResultKind.PLAN, IDS["plans"])
    store.keep(job_result)
    assert store.is_result_there(ResultKind.REPLAN, IDS["left"])
