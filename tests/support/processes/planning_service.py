"""A service whose work leaves marks, for tests that end its processes: cases, jobs and how they finish."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import slow_work
from checkout import PATHS
from postgres import Postgres
from service_process import Service, ask, eventually, running

from service.schemas.plan.file import read_plan


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def service(tmp_path: Path, marks: Path) -> Iterator[Service]:
    data = tmp_path / "data"
    settings = {"SEEDPATH_DATA_DIR": str(data), slow_work.MARKS: str(marks)}
    settings |= {"SEEDPATH_MAX_JOBS": "500", "SEEDPATH_MAX_JOBS_OF_OWNER": "500"}
    with running(Service(settings, tmp_path / "log")) as running_service:
        yield running_service


def case_of(client: httpx.Client) -> str:
    answer = client.post("/v1/cases", json={"builtin": "thorax"})
    assert answer.status_code in (200, 201), answer.text
    return f"/v1/cases/{answer.json()['id']}/plans"


def accepted(client: httpx.Client, plans: str, seed: int) -> str:
    answer = client.post(plans, json={"random_seed": seed})
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def until_done(service: Service, job: str) -> dict[str, Any]:
    eventually(lambda: (ask(service, job) or {"state": "?"})["state"] in ("done", "failed", "cancelled"))
    state: dict[str, Any] = ask(service, job)
    assert state["state"] == "done", state
    return state


def until_running(service: Service, job: str) -> None:
    eventually(lambda: ask(service, job)["progress"] is not None)


def is_whole(service: Service, job: dict[str, Any], seed: int) -> bool:
    with service.client() as client:
        file = read_plan(client.get(job["plan"]).content)
    return file.claimed_sha256 == file.content_sha256 and file.plan.request.random_seed == seed


@contextlib.contextmanager
def dask(tmp_path: Path, marks: Path) -> Iterator[str]:
    """A scheduler with two workers, as `dask scheduler` and `dask worker` start them, on loopback."""
    file = tmp_path / "scheduler.json"
    environment = os.environ | {
        "PYTHONPATH": PATHS,
        slow_work.MARKS: str(marks),
        "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
    }
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = [
        *command,
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    ]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    worker += ["--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(tmp_path)]
    started: list[subprocess.Popen[bytes]] = []
    with (tmp_path / "dask.log").open("ab") as log:
        try:
            started.append(subprocess.Popen(scheduler, env=environment, stderr=log, stdout=log))
            eventually(file.exists)
            started += [subprocess.Popen(worker, env=environment, stderr=log, stdout=log) for _ in range(2)]
            yield json.loads(file.read_text(encoding="utf-8"))["address"]
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


@contextlib.contextmanager
def dask_settings(tmp_path: Path, marks: Path, postgres: Postgres) -> Iterator[dict[str, str]]:
    """The settings of servers that share a database and the workers of a scheduler, as `dask` starts it."""
    with dask(tmp_path, marks) as scheduler:
        yield {
            "SEEDPATH_DATA_DIR": str(tmp_path / "data"),
            "SEEDPATH_DATABASE_URL": postgres.url,
            "SEEDPATH_SCHEDULER": scheduler,
        }
