"""The dispatcher: faults of its own and of its workers do not end it."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import httpx
import plan_work as fakes
import pytest
from rest_calls import GENEROUS_S, healthy
from service_process import eventually

from service.jobs import dispatcher as dispatcher_module
from service.jobs import heartbeat_monitor as monitor_module
from service.jobs.job_table import JobTable
from service.jobs.workforce import Workforce
from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

CLIENTS = 200
"""Concurrent clients: five for each thread that answers requests."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_dispatcher_continues_after_a_fault_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    dispatcher = app.state.service.dispatcher
    compare, faults = dispatcher._compare, iter([ZeroDivisionError, KeyError])

    def compare_with_faults(client: object) -> None:
        if (fault := next(faults, None)) is not None:
            raise fault
        compare(client)

    monkeypatch.setattr(dispatcher, "_compare", compare_with_faults)
    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        case = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        response = client.post(f"{case}/plans", json={}, headers={"Prefer": "wait=60"})
        assert response.status_code == 200 and next(faults, None) is None


@pytest.mark.long
def test_a_cluster_without_workers_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "DESERTED_S", 1.0)
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)
        dispatcher = app.state.service.dispatcher
        # As Dask does with a worker that died twice in a short time.
        dispatcher._workforce._cluster.scale(0)
        eventually(lambda: dispatcher.workers() == 0)
        eventually(lambda: client.get("/v1/health").status_code == 503)
        assert healthy(client)["workers"] == 1


def test_health_reports_a_scheduler_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)

        def raise_timeout(self: Workforce) -> NoReturn:
            raise TimeoutError

        with monkeypatch.context() as patched:
            patched.setattr(monitor_module, "MAX_STATUS_AGE_S", 2.0)
            patched.setattr(Workforce, "heartbeats", raise_timeout)
            eventually(lambda: "does not answer" in client.get("/v1/health").text)
        assert healthy(client)["workers"] == 1


@pytest.mark.long
def test_a_worker_is_counted_in_every_one_of_many_concurrent_calls(tmp_path: Path) -> None:
    """Forty threads ask the scheduler: the state that a Dask client caches has no workers at times."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)
        workforce = app.state.service.dispatcher._workforce
        with ThreadPoolExecutor(40) as pool:
            counts = Counter(pool.map(lambda _: len(workforce.heartbeats()), range(20_000)))
        assert counts == {1: 20_000}


@pytest.mark.long
def test_health_is_answered_while_all_other_requests_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call hangs, and all threads that answer requests wait for it."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    app_state = app.state.service
    may_answer = threading.Event()
    monkeypatch.setattr(JobTable, "listed", lambda *_: [] if may_answer.wait(GENEROUS_S) else None)

    def status_of_jobs(_: int) -> int:
        return httpx.get(f"{base_url}/v1/jobs", trust_env=False, timeout=GENEROUS_S).status_code

    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        healthy(client)
        try:
            futures = [pool.submit(status_of_jobs, number) for number in range(CLIENTS)]
            eventually(
                lambda: f"seedpath_requests_under_way {CLIENTS}.0" in app_state.metrics.text().decode()
            )
            assert {client.get("/v1/health").status_code for _ in range(100)} == {200}
            assert not any(future.done() for future in futures)
        finally:
            may_answer.set()
        assert {future.result() for future in futures} == {200}
