"""One job, as a Dask worker does it: in this process, with a real sandbox, job_table and store."""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import plan_work as fakes
import pytest

from planner.records.progress import Phase, Progress
from service.host.atomic_write import write_atomically
from service.jobs import watchdog
from service.jobs import worker as performing
from service.jobs.job_table import JobTable
from service.jobs.sandbox.sandbox import SandboxedProcess
from service.jobs.worker import run_job
from service.operations.case_files import content_of, identify
from service.operations.job_tasks import Work
from service.schemas.result_kinds import ResultKind
from service.settings import Settings
from service.storage import file_store as store_module
from service.storage.database.migrate import migrate
from service.storage.file_store import Store
from service.storage.job import Job, NewJob
from service.storage.job_states import State
from service.storage.library import Library
from service.storage.quota import Quota
from service.storage.reserved_space import ReservedSpace

WORK = Work(fakes.describe, fakes.plan)
OWNER = "owner"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, job_time_s=30.0, nice=0)


@pytest.fixture
def tools(settings: Settings) -> Iterator[tuple[Store, JobTable]]:
    """What `run_job` uses too, with tables made."""
    workspace = performing._workspace(settings)
    store, job_table = workspace.store, workspace.job_table
    migrate(job_table._database)
    yield store, job_table
    job_table._database.close()
    performing._workspace.cache_clear()
    performing._sandbox(settings).end()
    del performing._sandboxes.sandbox


@pytest.fixture
def job_table(tools: tuple[Store, JobTable]) -> JobTable:
    return tools[1]


@pytest.fixture
def case_id(tools: tuple[Store, JobTable]) -> str:
    store, job_table = tools
    library = Library(job_table._database, store, Quota(1 << 40))
    content = content_of("thorax", [], False)
    id = identify(content)
    with store.aside() as folder:
        library.add_case(OWNER, folder, {"id": id} | content)
    return id


def never(*_: object, **__: object) -> NoReturn:
    pytest.fail("work was begun")


def accepted_job(job_table: JobTable, case_id: str, ending: int, id: str = "j") -> Job:
    return job_table.accept(NewJob(id, OWNER, case_id, ResultKind.PLAN, f'{{"random_seed": {ending}}}', None))


def test_a_job_is_done_and_its_plan_kept(
    settings: Settings, tools: tuple[Store, JobTable], case_id: str
) -> None:
    store, job_table = tools
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    response = job_table.get("j")
    assert response.state is State.DONE and response.attempt == 1 and response.result_id is not None
    text = store.kept(ResultKind.PLAN, response.result_id)
    library = Library(job_table._database, store, Quota(1 << 40))
    assert library.result(OWNER, ResultKind.PLAN, response.result_id) == text
    # A job that has ended is left alone.
    run_job(settings, WORK, "j")
    assert job_table.get("j") == response


def test_a_refusal_is_the_jobs_problem(settings: Settings, job_table: JobTable, case_id: str) -> None:
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.REFUSED).id)
    failed = job_table.get("j")
    assert failed.state is State.FAILED and failed.problem is not None
    assert failed.problem["errors"][0]["pointer"] == "/target/structure"


def test_a_fault_is_logged_in_full_and_reported_without(
    settings: Settings, job_table: JobTable, case_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.BROKEN).id)
    assert job_table.get("j").problem == performing.UNEXPECTED.to_json()
    assert "RuntimeError: secret" in caplog.text and "job j failed" in caplog.text


@pytest.mark.long
def test_a_process_that_dies_each_time_ends_the_job(
    settings: Settings, job_table: JobTable, case_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.KILLED).id)
    failed = job_table.get("j")
    assert failed.state is State.FAILED and failed.attempt == settings.job_attempts
    assert failed.problem is not None and "died or was stalled, 3 times" in failed.problem["detail"]
    states = [str(event.state) for event in job_table.events("j", 0)]
    assert states == ["queued", *["running", "queued"] * 3, "failed"]


def test_a_job_that_takes_too_long_reaches_its_limit(
    settings: Settings, job_table: JobTable, case_id: str
) -> None:
    short = settings.model_copy(update={"job_time_s": 1.0})
    accepted_job(job_table, case_id, fakes.UNTIL_CANCELLED)
    # The sandbox of this thread has longer bounds.
    thread = threading.Thread(target=run_job, args=(short, WORK, "j"))
    thread.start()
    thread.join()
    failed = job_table.get("j")
    assert failed.problem is not None and failed.problem["type"].endswith("limit-reached")
    assert "longer than 1 s" in failed.problem["detail"]


@pytest.mark.long
def test_a_worker_that_hangs_with_a_job_ends_itself_and_the_job_is_begun_again(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of its sandbox, as while a share does not answer."""

    class Ended(BaseException):
        pass

    ended = threading.Event()
    ends: list[tuple[int, State, int]] = []

    def end(status: int) -> None:
        job = job_table.get("j")
        ends.append((status, job.state, job.losses))
        ended.set()

    def hang(*_: object) -> NoReturn:
        assert ended.wait(60.0)
        raise Ended

    accepted_job(job_table, case_id, fakes.AT_ONCE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "_exit", end)
        patched.setattr(performing, "OVERDUE_S", 0.5 - settings.job_time_s - performing.ROOM_S)
        patched.setattr(Store, "case", hang)
        with pytest.raises(Ended):
            run_job(settings, WORK, "j")
    assert ends == [(1, State.QUEUED, 1)]
    run_job(settings, WORK, "j")
    assert job_table.get("j").state is State.DONE and job_table.get("j").attempt == 2


def test_a_worker_ends_itself_even_if_the_job_table_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, goes_on = threading.Event(), threading.Event()
    monkeypatch.setattr(os, "_exit", lambda _: ended.set())
    monkeypatch.setattr(watchdog, "TELL_S", 0.1)
    with watchdog.watchdog(0.1, "job j", goes_on.wait):
        assert ended.wait(60.0)
    goes_on.set()
    # What comes to its end in time is left alone, also while it is told.
    ended.clear()
    told = threading.Event()
    monkeypatch.setattr(watchdog, "TELL_S", 60.0)

    def tell() -> None:
        told.set()
        goes_on.wait()

    goes_on.clear()
    with watchdog.watchdog(0.1, "job j", tell):
        assert told.wait(60.0)
    goes_on.set()
    assert not ended.wait(1.0)
    with watchdog.watchdog(0.3, "job j", goes_on.wait):
        pass
    assert not ended.wait(1.0)


def test_a_cancelled_job_frees_its_worker_within_a_second(
    settings: Settings, job_table: JobTable, case_id: str
) -> None:
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE, "warm").id)
    accepted_job(job_table, case_id, fakes.UNTIL_CANCELLED)
    ended: list[float] = []

    def run() -> None:
        run_job(settings, WORK, "j")
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    while job_table.get("j").phase is None:
        time.sleep(0.01)
    cancelled = time.monotonic()
    job_table.cancel("j")
    thread.join()
    # One second is promised to a client; ten allow for a loaded machine, where work would go on for 600.
    assert ended[0] - cancelled < 10.0
    assert job_table.get("j").state is State.CANCELLED


def test_a_plan_that_cannot_be_written_fails_its_job(
    settings: Settings, tools: tuple[Store, JobTable], case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_table = tools
    written: list[str] = []

    def full_at_the_map(path: Path, data: bytes, mode: int) -> None:
        written.append(path.parent.name)
        if written[-1] == "access":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, data, mode)

    monkeypatch.setattr(store_module, "write_atomically", full_at_the_map)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    failed = job_table.get("j")
    assert failed.problem is not None and failed.problem["type"].endswith("no-room")
    assert written == ["plans", "access"]
    assert [*(settings.data_dir / "plans").iterdir(), *(settings.data_dir / "access").iterdir()] == []


def test_a_job_that_begins_while_the_disk_is_full_waits_for_room(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False, False, True])
    monkeypatch.setattr(performing, "ROOM_LOOK_S", 0.01)
    monkeypatch.setattr(ReservedSpace, "has_room", property(lambda self: next(looks, True)))
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.DONE


def test_a_job_that_waits_for_room_can_be_cancelled(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(seconds: float) -> None:
        del seconds
        job_table.cancel("j")

    monkeypatch.setattr(performing, "REPORT_S", 0.0)
    monkeypatch.setattr(performing.time, "sleep", cancel)
    monkeypatch.setattr(ReservedSpace, "has_room", False)
    monkeypatch.setattr(SandboxedProcess, "run", never)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.CANCELLED


def test_a_job_that_begins_on_a_full_disk_does_no_work(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "ROOM_S", 0.0)
    monkeypatch.setattr(ReservedSpace, "has_room", False)
    monkeypatch.setattr(SandboxedProcess, "run", never)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    failed = job_table.get("j")
    assert failed.problem is not None and failed.problem["type"].endswith("no-room")


def test_a_disk_that_fails_after_the_work_has_it_done_once(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not handed over again and again, to be made each time and dropped."""
    run = SandboxedProcess.run

    def ill(*_: object) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    def run_and_fail(self: SandboxedProcess, *arguments: Any, **more: Any) -> Any:
        completed = run(self, *arguments, **more)
        monkeypatch.setattr(os, "statvfs", ill)
        return completed

    monkeypatch.setattr(SandboxedProcess, "run", run_and_fail)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    failed = job_table.get("j")
    assert failed.problem is not None and failed.problem["type"].endswith("no-room")


def test_a_worker_need_not_see_the_folder_of_the_audit_log(
    tmp_path: Path, tools: tuple[Store, JobTable], case_id: str, settings: Settings
) -> None:
    _, job_table = tools
    elsewhere = settings.model_copy(update={"audit_file": tmp_path / "not there" / "audit.jsonl"})
    try:
        run_job(elsewhere, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
        assert job_table.get("j").state is State.DONE
    finally:
        performing._workspace(elsewhere).database.close()


@pytest.mark.parametrize("asked_for", ["report", "is_at"])
def test_work_goes_on_while_progress_cannot_be_noted(
    job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch, asked_for: str
) -> None:
    job = accepted_job(job_table, case_id, fakes.AT_ONCE)

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JobTable, asked_for, full)
    progress = Progress(Phase.SEARCH, 0.5, "") if asked_for == "report" else None
    assert performing._Watcher(job_table, job)(progress)


def test_what_cannot_be_written_again_stays_for_who_holds_it(
    settings: Settings, tools: tuple[Store, JobTable], case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, job_table = tools
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE, "first").id)
    plan_id = job_table.get("first").result_id
    assert plan_id is not None
    before = store.kept(ResultKind.PLAN, plan_id), store.access(plan_id, 0)

    def full(path: Path, data: bytes, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_atomically", full)
    run_job(settings, WORK, accepted_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.FAILED
    assert (store.kept(ResultKind.PLAN, plan_id), store.access(plan_id, 0)) == before


def test_a_later_attempt_takes_the_job_over(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that the scheduler thought dead goes on: the job table hears only the one that took over."""
    accepted_job(job_table, case_id, fakes.AT_ONCE)
    run = SandboxedProcess.run

    def taken_over(self: SandboxedProcess, *arguments: Any, **more: Any) -> Any:
        completed = run(self, *arguments, **more)
        monkeypatch.undo()
        assert job_table.begin("j", 3, performing.UNEXPECTED) is not None
        return completed

    monkeypatch.setattr(SandboxedProcess, "run", taken_over)
    run_job(settings, WORK, "j")
    job = job_table.get("j")
    assert job.state is State.RUNNING and job.attempt == 2 and job.result_id is None
    run_job(settings, WORK, "j")
    assert job_table.get("j").state is State.DONE
