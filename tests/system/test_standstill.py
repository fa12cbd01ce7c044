"""SIGSTOP of each process of the service: what is silent is told, replaced, and its work begun again.

With a server in a process of its own, and the bounds that the product has.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import slow_work
from planning_service import (
    accepted,
    case_of,
    dask_settings,
    is_whole,
    marks,
    service,
    until_done,
    until_running,
)
from postgres import Postgres
from process_state import is_gone
from service_process import Service, eventually, running

__all__ = ["marks", "service"]

TOLD_S = 15.0
"""Within which health says what stands still."""

LOOK_S = 0.5
"""Between two questions after health. They are counted: on a machine that is late with looks and answers, who
asks is late as well."""


def health(service: Service) -> tuple[int, dict[str, Any]]:
    with service.client() as client:
        answer = client.get("/v1/health")
    return answer.status_code, answer.json()


def is_sound(service: Service) -> bool:
    return health(service)[0] == 200


def until_told(service: Service, *sentences: str) -> None:
    """Health says one of them within TOLD_S of this moment."""
    stopped = time.monotonic()
    for look in range(1, round(TOLD_S / LOOK_S) + 1):
        time.sleep(LOOK_S)
        status, detail = health(service)
        if status != 200:
            print(f"told at look {look}, {time.monotonic() - stopped:.1f} s after the stop")
            assert any(sentence in detail["detail"] for sentence in sentences), detail
            return
    pytest.fail(f"it was not told within {time.monotonic() - stopped:.1f} s")


@contextlib.contextmanager
def standing(*processes: psutil.Process) -> Iterator[None]:
    """They are stopped for as long as the context lasts."""
    try:
        for process in processes:
            process.suspend()
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.resume()


@pytest.mark.long
def test_a_stopped_worker_is_replaced_and_its_job_begun_again(service: Service) -> None:
    with service.client() as client:
        plans = case_of(client)
        eventually(lambda: is_sound(service))
        # One job runs at a sandbox of the worker, one waits.
        jobs = [accepted(client, plans, seed) for seed in (slow_work.LONG, 1)]
    until_running(service, jobs[0])
    (worker,) = service.processes("spawn_main")
    (sandbox,) = worker.children()
    worker.suspend()
    until_told(service, "has been heard of 1 worker")
    eventually(lambda: is_sound(service))
    assert not worker.is_running()
    for seed, job in zip((slow_work.LONG, 1), jobs, strict=True):
        final_state = until_done(service, job)
        assert is_whole(service, final_state, seed)
    # Its sandbox went with it.
    assert is_gone(sandbox.pid)
    assert health(service)[1]["workers"] == 1


@pytest.mark.long
def test_a_stopped_sandbox_is_replaced_and_its_job_begun_again(service: Service) -> None:
    with service.client() as client:
        plans = case_of(client)
        job = accepted(client, plans, slow_work.LONG)
        until_running(service, job)
        (worker,) = service.processes("spawn_main")
        (sandbox,) = worker.children()
        sandbox.suspend()
        eventually(lambda: not sandbox.is_running())
        final_state = until_done(service, job)
        assert final_state["attempt"] == 2 and is_whole(service, final_state, slow_work.LONG)
        # Health is about workers, and this one was heard all the time.
        assert is_sound(service) and worker.is_running()
        # The sandboxes of the server itself: one that waits is replaced at once.
        for idle in service.processes("sandbox.main"):
            idle.suspend()
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code in (200, 201)
    assert "was stalled for" in service.log.read_text(encoding="utf-8")


@pytest.mark.long
def test_a_worker_that_is_stopped_while_it_starts_is_replaced(service: Service) -> None:
    eventually(lambda: service.processes("spawn_main") != [])
    (worker,) = service.processes("spawn_main")
    worker.suspend()
    eventually(lambda: is_sound(service))
    assert not worker.is_running()


@pytest.mark.long
def test_a_server_ends_while_its_worker_is_stopped(service: Service) -> None:
    eventually(lambda: is_sound(service))
    (worker,) = service.processes("spawn_main")
    worker.suspend()
    assert service.end() in (0, -signal.SIGTERM)
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.long
def test_a_server_that_is_stopped_does_not_end_its_workers_when_it_goes_on(service: Service) -> None:
    """Its clients wait; nothing is lost, and nobody is taken for silent who was not listened to."""
    with service.client() as client:
        job = accepted(client, case_of(client), 1)
    eventually(lambda: is_sound(service))
    before = service.processes("spawn_main")
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(40.0)
    service.process.send_signal(signal.SIGCONT)
    eventually(lambda: is_sound(service))
    assert until_done(service, job)["attempt"] == 1
    assert service.processes("spawn_main") == before


@pytest.mark.long
def test_a_leading_server_that_is_stopped_is_taken_over_and_steps_down(
    service: Service, tmp_path: Path
) -> None:
    with running(Service(service.settings, tmp_path / "second")) as second:
        eventually(lambda: is_sound(second))
        with second.client() as client:
            plans = case_of(client)
            job = accepted(client, plans, slow_work.LONG)
        until_running(second, job)
        assert service.process is not None
        service.process.send_signal(signal.SIGSTOP)
        try:
            until_told(second, "has been silent for")
            eventually(lambda: is_sound(second))
            assert is_whole(second, until_done(second, job), slow_work.LONG)
        finally:
            service.process.send_signal(signal.SIGCONT)
        # It has no workers any more, and tells those of the other.
        eventually(lambda: service.processes("spawn_main") == [])
        eventually(lambda: is_sound(service))
        with service.client() as client:
            last = accepted(client, plans, 2)
        assert is_whole(service, until_done(service, last), 2)


@pytest.mark.long
def test_workers_of_a_scheduler_that_are_stopped_are_replaced_where_their_nanny_lives(
    tmp_path: Path, marks: Path, postgres: Postgres
) -> None:
    with (
        dask_settings(tmp_path, marks, postgres) as settings,
        running(Service(settings, tmp_path / "log")) as service,
    ):
        eventually(lambda: health(service)[1].get("workers") == 2)
        nannies = _children("dask_worker")
        workers = [worker for nanny in nannies for worker in _workers_of(nanny)]
        assert len(nannies) == len(workers) == 2
        with service.client() as client:
            plans = case_of(client)
            jobs = [accepted(client, plans, seed) for seed in range(3)]
        # A worker alone, and one with its nanny, as on a machine that is gone without a word.
        with standing(*workers, nannies[1]):
            until_told(service, "has been heard of 2 workers")
            eventually(lambda: health(service)[1].get("workers") == 1)
            for seed, job in enumerate(jobs):
                assert is_whole(service, until_done(service, job), seed)


@pytest.mark.long
def test_scheduler_database_and_nanny_may_stand_still(
    tmp_path: Path, marks: Path, postgres: Postgres
) -> None:
    """One after the other, with a job running: each is told but the nanny, whose worker works on."""
    with (
        dask_settings(tmp_path, marks, postgres) as settings,
        running(Service(settings, tmp_path / "log")) as service,
        service.client() as client,
    ):
        eventually(lambda: health(service)[1].get("workers") == 2)
        plans = case_of(client)
        job = accepted(client, plans, slow_work.LONG)
        until_running(service, job)
        with standing(*_children("dask_scheduler")):
            until_told(service, "Workers have not been looked after", "scheduler of the workers does not")
        eventually(lambda: is_sound(service))
        server = psutil.Process(postgres.pid)
        with standing(server, *server.children(recursive=True)):
            until_told(service, "The database has not answered")
        final_state = until_done(service, job)
        assert final_state["attempt"] == 1 and is_whole(service, final_state, slow_work.LONG)
        eventually(lambda: health(service)[1].get("workers") == 2)
        with standing(*_children("dask_worker")):
            assert is_whole(service, until_done(service, accepted(client, plans, 1)), 1)
            assert health(service)[1]["workers"] == 2


def _children(what: str) -> list[psutil.Process]:
    """Processes of a kind that this one has started."""
    return [p for p in psutil.Process(os.getpid()).children() if what in " ".join(p.cmdline())]


def _workers_of(nanny: psutil.Process) -> list[psutil.Process]:
    return [p for p in nanny.children() if "spawn_main" in " ".join(p.cmdline())]
