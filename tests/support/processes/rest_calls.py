"""Calls to a running service that many tests make: upload, wait for a job, read a problem."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from service.problems import KINDS

GENEROUS_S = 60.0
"""Longer than any of this takes on a loaded machine; not a claim about speed."""


def problem(answer: httpx.Response, kind: str) -> dict[str, Any]:
    """The answer's problem, whose form is checked."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    content: dict[str, Any] = answer.json()
    assert content["type"] == f"/v1/problems/{kind}", content
    assert content["status"] == answer.status_code == KINDS[kind].status
    assert content["title"] == KINDS[kind].title
    assert content["detail"]
    assert all(set(e) == {"pointer", "detail"} for e in content["errors"])
    assert "Traceback" not in answer.text
    return content


def upload(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    return {"files": [(part, (name, content)) for part, name, content in parts]}


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def until(client: httpx.Client, job: str, *states: str) -> dict[str, Any]:
    end = time.monotonic() + GENEROUS_S
    while time.monotonic() < end:
        state: dict[str, Any] = client.get(job).json()
        if state["state"] in states:
            return state
        time.sleep(0.02)
    raise AssertionError(f"{job} never became one of {states}: {state}")


def healthy(client: httpx.Client) -> dict[str, Any]:
    """What health says once the workers are up."""
    end = time.monotonic() + GENEROUS_S
    while (answer := client.get("/v1/health")).status_code != 200:
        assert problem(answer, "unavailable") and time.monotonic() < end
        time.sleep(0.1)
    health: dict[str, Any] = answer.json()
    return health


def stored(data_dir: Path) -> list[str]:
    """What lies in the data folder, but for what the database and Dask put beside it while they run."""
    paths = (str(p.relative_to(data_dir)) for p in data_dir.rglob("*"))
    return sorted(name for name in paths if not name.startswith(("seedpath.sqlite-", "scratch/")))


def client_of(base: str, token: str | None) -> httpx.Client:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=GENEROUS_S)


def events(client: httpx.Client, job: str, last: int | None = None) -> Iterator[tuple[int, str, Any]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with client.stream("GET", f"{job}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line == "" and "data" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}
            elif name:
                fields[name] = value
