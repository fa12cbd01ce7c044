"""The engine: faults of its own and of its workers do not end it."""

from pathlib import Path

import httpx
import pytest
import service_fakes as fakes
from service_process import eventually
from test_rest import GENEROUS_S, healthy, problem

from service.app import create_app
from service.jobs import engine as engine_of
from service.server import beside
from service.settings import Settings
from service.tasks import Work


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_engine_is_told_and_jobs_are_looked_after_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    engine = app.state.parts.engine
    compare, faults = engine._compare, iter([ZeroDivisionError, KeyError])

    def faulty(client: object) -> None:
        if (fault := next(faults, None)) is not None:
            raise fault
        compare(client)

    monkeypatch.setattr(engine, "_compare", faulty)
    with beside(app) as base, httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client:
        case = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        answer = client.post(f"{case}/plans", json={}, headers={"Prefer": "wait=60"})
        assert answer.status_code == 200 and next(faults, None) is None


def test_a_cluster_that_lost_its_workers_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_of, "DESERTED_S", 1.0)
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with beside(app) as base, httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client:
        healthy(client)
        engine = app.state.parts.engine
        # As Dask does with a worker that died twice in a short time.
        engine._cluster.scale(0)
        eventually(lambda: engine.workers() == 0)
        assert client.get("/v1/health").status_code == 503
        assert healthy(client)["workers"] == 1


def test_a_scheduler_that_has_told_nothing_yet_is_one_without_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    with beside(app) as base, httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client:
        healthy(client)
        with monkeypatch.context() as patched:
            patched.setattr(engine_of.Client, "scheduler_info", lambda self, n_workers: {})
            problem(client.get("/v1/health"), "unavailable")
        assert healthy(client)["workers"] == 1
