"""One job, as a Dask worker runs it: in this process, with a real sandbox, job table and store."""

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
from service.jobs import worker as worker_module
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
def store_and_jobs(settings: Settings) -> Iterator[tuple[Store, JobTable]]:
    """The store and the job table that `run_job` uses too, after the migrations."""
    workspace = worker_module._workspace(settings)
    store, job_table = workspace.store, workspace.job_table
    migrate(job_table._database)
    yield store, job_table
    job_table._database.close()
    worker_module._workspace.cache_clear()
    worker_module._sandbox(settings).end()
    del worker_module._sandboxes.sandbox


@pytest.fixture
def job_table(store_and_jobs: tuple[Store, JobTable]) -> JobTable:
    return store_and_jobs[1]


@pytest.fixture
def case_id(store_and_jobs: tuple[Store, JobTable]) -> str:
    store, job_table = store_and_jobs
    library = Library(job_table._database, store, Quota(1 << 40))
    content = content_of("thorax", [], False)
    content_id = identify(content)
    with store.aside() as folder:
        library.add_case(OWNER, folder, {"id": content_id} | content)
    return content_id


def fail_if_called(*_: object, **__: object) -> NoReturn:
    pytest.fail("work was begun")


def accept_job(job_table: JobTable, case_id: str, seed: int, id: str = "j") -> Job:
    return job_table.accept(NewJob(id, OWNER, case_id, ResultKind.PLAN, f'{{"random_seed": {seed}}}', None))


def test_a_job_is_done_and_its_plan_is_stored(
    settings: Settings, store_and_jobs: tuple[Store, JobTable], case_id: str
) -> None:
    store, job_table = store_and_jobs
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    response = job_table.get("j")
    assert response.state is State.DONE and response.attempt == 1 and response.result_id is not None
    text = store.kept(ResultKind.PLAN, response.result_id)
    library = Library(job_table._database, store, Quota(1 << 40))
    assert library.result(OWNER, ResultKind.PLAN, response.result_id) == text
    # A job that has ended is left alone.
    run_job(settings, WORK, "j")
    assert job_table.get("j") == response


def test_an_input_error_is_the_problem_of_the_job(
    settings: Settings, job_table: JobTable, case_id: str
) -> None:
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.REFUSED).id)
    job = job_table.get("j")
    assert job.state is State.FAILED and job.problem is not None
    assert job.problem["errors"][0]["pointer"] == "/target/structure"


def test_a_fault_is_logged_in_full_and_answered_without_details(
    settings: Settings, job_table: JobTable, case_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.BROKEN).id)
    assert job_table.get("j").problem == worker_module.UNEXPECTED.to_json()
    assert "RuntimeError: secret" in caplog.text and "job j failed" in caplog.text


@pytest.mark.long
def test_a_job_whose_process_always_dies_fails(
    settings: Settings, job_table: JobTable, case_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.KILLED).id)
    job = job_table.get("j")
    assert job.state is State.FAILED and job.attempt == settings.job_attempts
    assert job.problem is not None and "died or was stalled, 3 times" in job.problem["detail"]
    states = [str(event.state) for event in job_table.events("j", 0)]
    assert states == ["queued", *["running", "queued"] * 3, "failed"]


def test_a_job_that_takes_too_long_reaches_its_limit(
    settings: Settings, job_table: JobTable, case_id: str
) -> None:
    short_settings = settings.model_copy(update={"job_time_s": 1.0})
    accept_job(job_table, case_id, fakes.UNTIL_CANCELLED)
    # The sandbox of this thread has longer limits.
    thread = threading.Thread(target=run_job, args=(short_settings, WORK, "j"))
    thread.start()
    thread.join()
    job = job_table.get("j")
    assert job.problem is not None and job.problem["type"].endswith("limit-reached")
    assert "longer than 1 s" in job.problem["detail"]


@pytest.mark.long
def test_a_worker_that_hangs_ends_itself_and_the_job_is_started_again(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of its sandbox, for example while a network share does not answer."""

    class WorkerEnded(BaseException):
        pass

    has_ended = threading.Event()
    exits: list[tuple[int, State, int]] = []

    def end(status: int) -> None:
        job = job_table.get("j")
        exits.append((status, job.state, job.losses))
        has_ended.set()

    def hang(*_: object) -> NoReturn:
        assert has_ended.wait(60.0)
        raise WorkerEnded

    accept_job(job_table, case_id, fakes.AT_ONCE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "_exit", end)
        patched.setattr(worker_module, "OVERDUE_S", 0.5 - settings.job_time_s - worker_module.ROOM_S)
        patched.setattr(Store, "case", hang)
        with pytest.raises(WorkerEnded):
            run_job(settings, WORK, "j")
    assert exits == [(1, State.QUEUED, 1)]
    run_job(settings, WORK, "j")
    assert job_table.get("j").state is State.DONE and job_table.get("j").attempt == 2


def test_a_worker_ends_itself_even_if_the_job_table_hangs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    has_ended, may_continue = threading.Event(), threading.Event()
    monkeypatch.setattr(os, "_exit", lambda _: has_ended.set())
    monkeypatch.setattr(watchdog, "TELL_S", 0.1)
    with watchdog.watchdog(0.1, "job j", may_continue.wait):
        assert has_ended.wait(60.0)
    may_continue.set()
    # A job that ends in time does not end the worker, not even while the loss is reported.
    has_ended.clear()
    is_reported = threading.Event()
    monkeypatch.setattr(watchdog, "TELL_S", 60.0)

    def report_loss() -> None:
        is_reported.set()
        may_continue.wait()

    may_continue.clear()
    with watchdog.watchdog(0.1, "job j", report_loss):
        assert is_reported.wait(60.0)
    may_continue.set()
    assert not has_ended.wait(1.0)
    with watchdog.watchdog(0.3, "job j", may_continue.wait):
        pass
    assert not has_ended.wait(1.0)


def test_a_cancelled_job_frees_its_worker_within_a_second(
    settings: Settings, job_table: JobTable, case_id: str
) -> None:
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE, "warm").id)
    accept_job(job_table, case_id, fakes.UNTIL_CANCELLED)
    end_times_s: list[float] = []

    def run() -> None:
        run_job(settings, WORK, "j")
        end_times_s.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    while job_table.get("j").phase is None:
        time.sleep(0.01)
    cancelled_s = time.monotonic()
    job_table.cancel("j")
    thread.join()
    # One second is promised to a client; ten allow for a loaded machine. Uncancelled work takes 600.
    assert end_times_s[0] - cancelled_s < 10.0
    assert job_table.get("j").state is State.CANCELLED


def test_a_plan_that_cannot_be_written_fails_its_job(
    settings: Settings, store_and_jobs: tuple[Store, JobTable], case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_table = store_and_jobs
    folders: list[str] = []

    def write_until_access_map(path: Path, data: bytes, mode: int) -> None:
        folders.append(path.parent.name)
        if folders[-1] == "access":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, data, mode)

    monkeypatch.setattr(store_module, "write_atomically", write_until_access_map)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    job = job_table.get("j")
    assert job.problem is not None and job.problem["type"].endswith("no-room")
    assert folders == ["plans", "access"]
    assert [*(settings.data_dir / "plans").iterdir(), *(settings.data_dir / "access").iterdir()] == []


def test_a_job_that_begins_while_the_disk_is_full_waits_for_room(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False, False, True])
    monkeypatch.setattr(worker_module, "ROOM_LOOK_S", 0.01)
    monkeypatch.setattr(ReservedSpace, "has_room", property(lambda self: next(looks, True)))
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.DONE


def test_a_job_that_waits_for_room_can_be_cancelled(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(seconds: float) -> None:
        del seconds
        job_table.cancel("j")

    monkeypatch.setattr(worker_module, "REPORT_S", 0.0)
    monkeypatch.setattr(worker_module.time, "sleep", cancel)
    monkeypatch.setattr(ReservedSpace, "has_room", False)
    monkeypatch.setattr(SandboxedProcess, "run", fail_if_called)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.CANCELLED


def test_a_job_that_begins_on_a_full_disk_does_no_work(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ROOM_S", 0.0)
    monkeypatch.setattr(ReservedSpace, "has_room", False)
    monkeypatch.setattr(SandboxedProcess, "run", fail_if_called)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    job = job_table.get("j")
    assert job.problem is not None and job.problem["type"].endswith("no-room")


def test_a_disk_failure_after_the_work_does_not_repeat_the_work(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is not submitted again and again, with its result dropped each time."""
    run = SandboxedProcess.run

    def raise_io_error(*_: object) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    def run_and_fail(self: SandboxedProcess, *arguments: Any, **keywords: Any) -> Any:
        completed = run(self, *arguments, **keywords)
        monkeypatch.setattr(os, "statvfs", raise_io_error)
        return completed

    monkeypatch.setattr(SandboxedProcess, "run", run_and_fail)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    job = job_table.get("j")
    assert job.problem is not None and job.problem["type"].endswith("no-room")


def test_a_worker_does_not_need_the_folder_of_the_audit_log(
    tmp_path: Path, store_and_jobs: tuple[Store, JobTable], case_id: str, settings: Settings
) -> None:
    _, job_table = store_and_jobs
    worker_settings = settings.model_copy(update={"audit_file": tmp_path / "not there" / "audit.jsonl"})
    try:
        run_job(worker_settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
        assert job_table.get("j").state is State.DONE
    finally:
        worker_module._workspace(worker_settings).database.close()


@pytest.mark.parametrize("method", ["report", "is_at"])
def test_work_continues_while_progress_cannot_be_recorded(
    job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    job = accept_job(job_table, case_id, fakes.AT_ONCE)

    def raise_disk_full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JobTable, method, raise_disk_full)
    progress = Progress(Phase.SEARCH, 0.5, "") if method == "report" else None
    assert worker_module._Watcher(job_table, job)(progress)


def test_a_failed_rewrite_keeps_the_stored_plan_of_another_job(
    settings: Settings, store_and_jobs: tuple[Store, JobTable], case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, job_table = store_and_jobs
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE, "first").id)
    plan_id = job_table.get("first").result_id
    assert plan_id is not None
    kept_texts = store.kept(ResultKind.PLAN, plan_id), store.access(plan_id, 0)

    def raise_disk_full(path: Path, data: bytes, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_atomically", raise_disk_full)
    run_job(settings, WORK, accept_job(job_table, case_id, fakes.AT_ONCE).id)
    assert job_table.get("j").state is State.FAILED
    assert (store.kept(ResultKind.PLAN, plan_id), store.access(plan_id, 0)) == kept_texts


def test_a_later_attempt_takes_over_the_job(
    settings: Settings, job_table: JobTable, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker presumed dead continues: the job table accepts reports of the later attempt only."""
    accept_job(job_table, case_id, fakes.AT_ONCE)
    run = SandboxedProcess.run

    def run_and_take_over(self: SandboxedProcess, *arguments: Any, **keywords: Any) -> Any:
        completed = run(self, *arguments, **keywords)
        monkeypatch.undo()
        assert job_table.begin("j", 3, worker_module.UNEXPECTED) is not None
        return completed

    monkeypatch.setattr(SandboxedProcess, "run", run_and_take_over)
    run_job(settings, WORK, "j")
    job = job_table.get("j")
    assert job.state is State.RUNNING and job.attempt == 2 and job.result_id is None
    run_job(settings, WORK, "j")
    assert job_table.get("j").state is State.DONE
