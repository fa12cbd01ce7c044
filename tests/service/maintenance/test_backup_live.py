"""Backups of a busy server, with cases and plans added and removed: restored rows have their files."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from checkout import PATHS, SUPPORT
from service_process import Service, eventually, running
from slow_work import MARKS

from service.schemas.result_kinds import CASE, ResultKind

pytestmark = pytest.mark.long

BACKUPS, ATTEMPTS = 2, 5

SLOW_S = 300.0
"""On a loaded machine the start of a sandbox alone may take a minute [U]."""

SETTINGS = {"SEEDPATH_MAX_JOBS": "12", "SEEDPATH_MAX_JOBS_OF_OWNER": "12"}


def start_store_command(settings: dict[str, str], *command: str) -> "subprocess.Popen[bytes]":
    program = [sys.executable, str(SUPPORT / "processes" / "service_process.py"), "store", *command]
    return subprocess.Popen(program, env=os.environ | {"PYTHONPATH": PATHS} | settings)


def is_killed_in_the_middle(settings: dict[str, str], target: Path) -> bool:
    """Whether a backup was killed before it was finished."""

    def unfinished_backups() -> list[Path]:
        return list((target / "backups").glob(".making-*"))

    backup = start_store_command(settings, "backup", str(target))
    try:
        while not unfinished_backups() and backup.poll() is None:
            time.sleep(0.002)
    finally:
        backup.kill()
    return backup.wait() == -signal.SIGKILL and unfinished_backups() != []


def service_of(folder: Path, data_dir: Path) -> Service:
    return Service(SETTINGS | {"SEEDPATH_DATA_DIR": str(data_dir)}, folder / "server.log")


@pytest.fixture
def busy_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server to which clients upload cases, request plans of them, and remove both."""
    monkeypatch.delenv(MARKS, raising=False)
    is_over = threading.Event()

    def add_and_remove(service: Service, number: int) -> None:
        with service.client() as client:
            while not is_over.is_set():
                number += 10
                case = client.post(
                    "/v1/cases", files={"file": (f"{number}.nii", f"{number}".encode() * 1000)}
                )
                case_path = case.headers.get("location")
                if case_path is None:
                    # On a slow machine an upload may be answered with a request to wait.
                    continue
                responses = [
                    client.post(f"{case_path}/plans", json={"random_seed": number + seed})
                    for seed in (200, 201)
                ]
                if number % 3 == 0:
                    for job in (response.headers.get("location") for response in responses):
                        if job is not None:
                            client.delete(job)
                    client.delete(case_path)
                time.sleep(0.05)

    with running(service_of(tmp_path, tmp_path / "data")) as service:
        threads = [
            threading.Thread(target=add_and_remove, args=(service, first_number))
            for first_number in (1000, 900_000)
        ]
        for thread in threads:
            thread.start()
        try:
            yield service
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def listed_ids(client: httpx.Client, collection: str) -> list[str]:
    items, path = [], f"/v1/{collection}?limit=100"
    while path:
        page = client.get(path).json()
        items += [item["id"] for item in page["items"]]
        path = page["next"]
    return items


def test_a_restored_service_answers_for_every_restored_row(busy_service: Service, tmp_path: Path) -> None:
    settings = busy_service.settings
    with busy_service.client() as client:
        eventually(lambda: len(listed_ids(client, ResultKind.PLAN)) >= 3, SLOW_S)
        for _ in range(BACKUPS):
            assert start_store_command(settings, "backup", str(tmp_path / "backups")).wait() == 0
        # A further backup is killed halfway; the earlier ones stay unchanged.
        assert any(is_killed_in_the_middle(settings, tmp_path / "backups") for _ in range(ATTEMPTS))
        texts = {id: client.get(f"/v1/plans/{id}").content for id in listed_ids(client, ResultKind.PLAN)}
    backups = sorted(folder.name for folder in (tmp_path / "backups" / "backups").glob("[0-9]*"))
    assert len(backups) >= BACKUPS
    for name in (backups[0], backups[-1]):
        data_dir = tmp_path / name
        restored_settings = SETTINGS | {"SEEDPATH_DATA_DIR": str(data_dir)}
        assert (
            start_store_command(
                restored_settings, "restore", "--backup", name, str(tmp_path / "backups")
            ).wait()
            == 0
        )
        folder = tmp_path / f"log-{name}"
        folder.mkdir()
        with running(service_of(folder, data_dir)) as service, service.client() as client:
            cases, plans = listed_ids(client, CASE), listed_ids(client, ResultKind.PLAN)
            assert cases and plans
            assert all(client.get(f"/v1/cases/{id}").status_code == 200 for id in cases)
            responses = {id: client.get(f"/v1/plans/{id}") for id in plans}
            assert all(response.status_code == 200 for response in responses.values())
            # Byte for byte as the first server answered, if it still had the plan.
            assert all(
                response.content == texts.get(id, response.content) for id, response in responses.items()
            )
            assert set(plans) & set(texts)
            # Jobs that were queued or running get done.
            eventually(lambda: 'seedpath_jobs{state="queued"} 0.0' in client.get("/metrics").text, SLOW_S)
            failed_jobs = client.get("/v1/jobs?state=failed").json()["items"]
            assert failed_jobs == []
