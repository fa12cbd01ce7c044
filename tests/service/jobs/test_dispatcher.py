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

CROWD = 200
"""Clients at once: five for each thread that answers requests."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_cluster_is_reported_and_jobs_are_still_dispatched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    dispatcher = app.state.service.dispatcher
    compare, faults = dispatcher._compare, iter([ZeroDivisionError, KeyError])

    def faulty(client: object) -> None:
        if (fault := next(faults, None)) is not None:
            raise fault
        compare(client)

    monkeypatch.setattr(dispatcher, "_compare", faulty)
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        case = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        answer = client.post(f"{case}/plans", json={}, headers={"Prefer": "wait=60"})
        assert answer.status_code == 200 and next(faults, None) is None


@pytest.mark.long
def test_a_cluster_that_lost_its_workers_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "DESERTED_S", 1.0)
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)
        dispatcher = app.state.service.dispatcher
        # As Dask does with a worker that died twice in a short time.
        dispatcher._workforce._cluster.scale(0)
        eventually(lambda: dispatcher.workers() == 0)
        eventually(lambda: client.get("/v1/health").status_code == 503)
        assert healthy(client)["workers"] == 1


def test_a_scheduler_that_does_not_answer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)

        def away(self: Workforce) -> NoReturn:
            raise TimeoutError

        with monkeypatch.context() as patched:
            patched.setattr(monitor_module, "MAX_STATUS_AGE_S", 2.0)
            patched.setattr(Workforce, "heartbeats", away)
            eventually(lambda: "does not answer" in client.get("/v1/health").text)
        assert healthy(client)["workers"] == 1


@pytest.mark.long
def test_many_requests_never_get_no_worker_while_one_is_there(tmp_path: Path) -> None:
    """Forty threads ask the scheduler: what its clients keep of it has no workers now and then."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        healthy(client)
        workforce = app.state.service.dispatcher._workforce
        with ThreadPoolExecutor(40) as pool:
            counts = Counter(pool.map(lambda _: len(workforce.heartbeats()), range(20_000)))
        assert counts == {1: 20_000}


@pytest.mark.long
def test_health_is_answered_though_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something hangs, and all threads of requests wait for it."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    parts = app.state.service
    goes_on = threading.Event()
    monkeypatch.setattr(JobTable, "listed", lambda *_: [] if goes_on.wait(GENEROUS_S) else None)

    def ask(_: int) -> int:
        return httpx.get(f"{base}/v1/jobs", trust_env=False, timeout=GENEROUS_S).status_code

    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
        ThreadPoolExecutor(CROWD) as pool,
    ):
        healthy(client)
        try:
            waiting = [pool.submit(ask, number) for number in range(CROWD)]
            eventually(lambda: f"seedpath_requests_under_way {CROWD}.0" in parts.metrics.text().decode())
            assert {client.get("/v1/health").status_code for _ in range(100)} == {200}
            assert not any(answer.done() for answer in waiting)
        finally:
            goes_on.set()
        assert {answer.result() for answer in waiting} == {200}
