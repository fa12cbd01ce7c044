"""SIGSTOP of each process of the service: a silent process is reported and replaced, its work started again.

With a server in its own process, and the limits of the product.
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

REPORTED_S = 15.0
"""Time within which health reports a stalled process."""

POLL_S = 0.5
"""Time between two requests for health. Attempts are counted, not seconds: on a slow machine the test is
slow as well."""


def health(service: Service) -> tuple[int, dict[str, Any]]:
    with service.client() as client:
        response = client.get("/v1/health")
    return response.status_code, response.json()


def is_healthy(service: Service) -> bool:
    return health(service)[0] == 200


def wait_until_reported(service: Service, *messages: str) -> None:
    """Wait until health reports one of the messages, at most REPORTED_S."""
    stopped_s = time.monotonic()
    for attempt in range(1, round(REPORTED_S / POLL_S) + 1):
        time.sleep(POLL_S)
        status, detail = health(service)
        if status != 200:
            print(f"reported at attempt {attempt}, {time.monotonic() - stopped_s:.1f} s after the stop")
            assert any(message in detail["detail"] for message in messages), detail
            return
    pytest.fail(f"it was not reported within {time.monotonic() - stopped_s:.1f} s")


@contextlib.contextmanager
def suspended(*processes: psutil.Process) -> Iterator[None]:
    """Suspend processes during the context."""
    try:
        for process in processes:
            process.suspend()
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.resume()


@pytest.mark.long
def test_a_stopped_worker_is_replaced_and_its_job_started_again(service: Service) -> None:
    with service.client() as client:
        plans = case_of(client)
        eventually(lambda: is_healthy(service))
        # One job runs in a sandbox of the worker, one waits.
        jobs = [accepted(client, plans, seed) for seed in (slow_work.LONG, 1)]
    until_running(service, jobs[0])
    (worker,) = service.processes("spawn_main")
    (sandbox,) = worker.children()
    worker.suspend()
    wait_until_reported(service, "has been heard of 1 worker")
    eventually(lambda: is_healthy(service))
    assert not worker.is_running()
    for seed, job in zip((slow_work.LONG, 1), jobs, strict=True):
        final_state = until_done(service, job)
        assert is_whole(service, final_state, seed)
    # Its sandbox has ended too.
    assert is_gone(sandbox.pid)
    assert health(service)[1]["workers"] == 1


@pytest.mark.long
def test_a_stopped_sandbox_is_replaced_and_its_job_started_again(service: Service) -> None:
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
        # Health is about workers, and this one sent heartbeats all the time.
        assert is_healthy(service) and worker.is_running()
        # An idle sandbox of the server itself is replaced at once.
        for idle_sandbox in service.processes("sandbox.main"):
            idle_sandbox.suspend()
        assert client.post("/v1/cases", json={"builtin": "thorax"}).status_code in (200, 201)
    assert "was stalled for" in service.log.read_text(encoding="utf-8")


@pytest.mark.long
def test_a_worker_stopped_during_its_start_is_replaced(service: Service) -> None:
    eventually(lambda: service.processes("spawn_main") != [])
    (worker,) = service.processes("spawn_main")
    worker.suspend()
    eventually(lambda: is_healthy(service))
    assert not worker.is_running()


@pytest.mark.long
def test_a_server_ends_while_its_worker_is_stopped(service: Service) -> None:
    eventually(lambda: is_healthy(service))
    (worker,) = service.processes("spawn_main")
    worker.suspend()
    assert service.end() in (0, -signal.SIGTERM)
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.long
def test_a_stopped_server_keeps_its_workers_when_it_continues(service: Service) -> None:
    """Its clients wait; nothing is lost, and no worker counts as silent while the server was stopped."""
    with service.client() as client:
        job = accepted(client, case_of(client), 1)
    eventually(lambda: is_healthy(service))
    workers_before = service.processes("spawn_main")
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(40.0)
    service.process.send_signal(signal.SIGCONT)
    eventually(lambda: is_healthy(service))
    assert until_done(service, job)["attempt"] == 1
    assert service.processes("spawn_main") == workers_before


@pytest.mark.long
def test_a_stopped_leader_is_replaced_and_gives_up_the_lead(service: Service, tmp_path: Path) -> None:
    with running(Service(service.settings, tmp_path / "second")) as second_server:
        eventually(lambda: is_healthy(second_server))
        with second_server.client() as client:
            plans = case_of(client)
            job = accepted(client, plans, slow_work.LONG)
        until_running(second_server, job)
        assert service.process is not None
        service.process.send_signal(signal.SIGSTOP)
        try:
            wait_until_reported(second_server, "has been silent for")
            eventually(lambda: is_healthy(second_server))
            assert is_whole(second_server, until_done(second_server, job), slow_work.LONG)
        finally:
            service.process.send_signal(signal.SIGCONT)
        # It ends its workers, and reports those of the other server.
        eventually(lambda: service.processes("spawn_main") == [])
        eventually(lambda: is_healthy(service))
        with service.client() as client:
            last_job = accepted(client, plans, 2)
        assert is_whole(service, until_done(service, last_job), 2)


@pytest.mark.long
def test_stopped_workers_of_a_scheduler_are_replaced_by_their_nanny(
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
        # A worker alone, and one with its nanny, as on a machine that is lost.
        with suspended(*workers, nannies[1]):
            wait_until_reported(service, "has been heard of 2 workers")
            eventually(lambda: health(service)[1].get("workers") == 1)
            for seed, job in enumerate(jobs):
                assert is_whole(service, until_done(service, job), seed)


@pytest.mark.long
def test_a_stalled_scheduler_database_or_nanny_loses_no_job(
    tmp_path: Path, marks: Path, postgres: Postgres
) -> None:
    """One after the other, with a job running: each is reported except the nanny, whose worker continues."""
    with (
        dask_settings(tmp_path, marks, postgres) as settings,
        running(Service(settings, tmp_path / "log")) as service,
        service.client() as client,
    ):
        eventually(lambda: health(service)[1].get("workers") == 2)
        plans = case_of(client)
        job = accepted(client, plans, slow_work.LONG)
        until_running(service, job)
        with suspended(*_children("dask_scheduler")):
            wait_until_reported(
                service, "Workers have not been looked after", "scheduler of the workers does not"
            )
        eventually(lambda: is_healthy(service))
        server = psutil.Process(postgres.pid)
        with suspended(server, *server.children(recursive=True)):
            wait_until_reported(service, "The database has not answered")
        final_state = until_done(service, job)
        assert final_state["attempt"] == 1 and is_whole(service, final_state, slow_work.LONG)
        eventually(lambda: health(service)[1].get("workers") == 2)
        with suspended(*_children("dask_worker")):
            assert is_whole(service, until_done(service, accepted(client, plans, 1)), 1)
            assert health(service)[1]["workers"] == 2


def _children(program: str) -> list[psutil.Process]:
    """Child processes of this process whose command contains `program`."""
    return [
        process
        for process in psutil.Process(os.getpid()).children()
        if program in " ".join(process.cmdline())
    ]


def _workers_of(nanny: psutil.Process) -> list[psutil.Process]:
    return [process for process in nanny.children() if "spawn_main" in " ".join(process.cmdline())]
