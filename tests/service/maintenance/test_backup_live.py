"""Backups of a server at which cases and plans come and go: what is restored answers as its rows say."""

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
"""Beside much else a sandbox alone may take a minute to start [U]."""

SETTINGS = {"SEEDPATH_MAX_JOBS": "12", "SEEDPATH_MAX_JOBS_OF_OWNER": "12"}


def store(settings: dict[str, str], *command: str) -> "subprocess.Popen[bytes]":
    program = [sys.executable, str(SUPPORT / "processes" / "service_process.py"), "store", *command]
    return subprocess.Popen(program, env=os.environ | {"PYTHONPATH": PATHS} | settings)


def is_killed_in_the_middle(settings: dict[str, str], target: Path) -> bool:
    """Whether a backup that is killed once it is begun was not faster."""

    def begun() -> list[Path]:
        return list((target / "backups").glob(".making-*"))

    backup = store(settings, "backup", str(target))
    try:
        while not begun() and backup.poll() is None:
            time.sleep(0.002)
    finally:
        backup.kill()
    return backup.wait() == -signal.SIGKILL and begun() != []


def served(folder: Path, data_dir: Path) -> Service:
    return Service(SETTINGS | {"SEEDPATH_DATA_DIR": str(data_dir)}, folder / "server.log")


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server to which clients bring cases, order plans of them, and remove both."""
    monkeypatch.delenv(MARKS, raising=False)
    ended = threading.Event()

    def come_and_go(service: Service, n: int) -> None:
        with service.client() as client:
            while not ended.is_set():
                n += 10
                case = client.post("/v1/cases", files={"file": (f"{n}.nii", f"{n}".encode() * 1000)})
                address = case.headers.get("location")
                if address is None:
                    # On a slow machine uploads may be told to wait.
                    continue
                ordered = [client.post(f"{address}/plans", json={"random_seed": n + i}) for i in (200, 201)]
                if n % 3 == 0:
                    for job in (answer.headers.get("location") for answer in ordered):
                        if job is not None:
                            client.delete(job)
                    client.delete(address)
                time.sleep(0.05)

    with running(served(tmp_path, tmp_path / "data")) as service:
        threads = [threading.Thread(target=come_and_go, args=(service, k)) for k in (1000, 900_000)]
        for thread in threads:
            thread.start()
        try:
            yield service
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def all_of(client: httpx.Client, what: str) -> list[str]:
    items, address = [], f"/v1/{what}?limit=100"
    while address:
        page = client.get(address).json()
        items += [item["id"] for item in page["items"]]
        address = page["next"]
    return items


def test_what_is_restored_answers_all_that_its_rows_say(busy: Service, tmp_path: Path) -> None:
    settings = busy.settings
    with busy.client() as client:
        eventually(lambda: len(all_of(client, ResultKind.PLAN)) >= 3, SLOW_S)
        for _ in range(BACKUPS):
            assert store(settings, "backup", str(tmp_path / "backups")).wait() == 0
        # One more is killed in the middle; it changes nothing of those.
        assert any(is_killed_in_the_middle(settings, tmp_path / "backups") for _ in range(ATTEMPTS))
        texts = {id: client.get(f"/v1/plans/{id}").content for id in all_of(client, ResultKind.PLAN)}
    backups = sorted(folder.name for folder in (tmp_path / "backups" / "backups").glob("[0-9]*"))
    assert len(backups) >= BACKUPS
    for name in (backups[0], backups[-1]):
        data = tmp_path / name
        restored = SETTINGS | {"SEEDPATH_DATA_DIR": str(data)}
        assert store(restored, "restore", "--backup", name, str(tmp_path / "backups")).wait() == 0
        folder = tmp_path / f"log-{name}"
        folder.mkdir()
        with running(served(folder, data)) as service, service.client() as client:
            cases, plans = all_of(client, CASE), all_of(client, ResultKind.PLAN)
            assert cases and plans
            assert all(client.get(f"/v1/cases/{id}").status_code == 200 for id in cases)
            answers = {id: client.get(f"/v1/plans/{id}") for id in plans}
            assert all(answer.status_code == 200 for answer in answers.values())
            # Byte for byte what the first server said, where it still has it.
            assert all(answer.content == texts.get(id, answer.content) for id, answer in answers.items())
            assert set(plans) & set(texts)
            # What waited or ran is done.
            eventually(lambda: 'seedpath_jobs{state="queued"} 0.0' in client.get("/metrics").text, SLOW_S)
            failed = client.get("/v1/jobs?state=failed").json()["items"]
            assert failed == []
