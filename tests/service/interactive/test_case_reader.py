"""Uploads: reading ends after a limited time or with its client; each owner leaves a sandbox for others."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import client_of, problem, upload, zipped

from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.server import serve_in_background

GENEROUS_S = 300.0
"""A process that reads may take a minute to start on a machine that is busy with other tests."""

SLOW = b"slow"

PACKED = zipped(("a.nii", b"a"), ("b.nii", b"b"))
"""Made here because a test forbids reading zips."""


def post_upload(client: httpx.Client, content: bytes, **options: Any) -> httpx.Response:
    return client.post("/v1/cases", **upload(("file", "a.nii", content)), **options)


def uploads_in_progress(folder: Path) -> int:
    """The number of uploads in progress."""
    return len(list((folder / "data" / "aside").iterdir()))


def until(condition: Any) -> None:
    deadline_s = time.monotonic() + GENEROUS_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def clients_of_slow_service(folder: Path, **settings: Any) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of two owners; the service reads slowly if an upload starts with `SLOW`."""
    tokens = [create(folder / "keys.json", owner) for owner in ("ann", "ben")]
    chosen = Settings(data_dir=folder / "data", keys_file=folder / "keys.json", **settings)
    with serve_in_background(create_app(chosen, Work(fakes.describe_slowly, fakes.plan))) as base:
        ann, ben = (client_of(base, token) for token in tokens)
        ann.timeout = ben.timeout = httpx.Timeout(GENEROUS_S)
        with ann, ben:
            yield ann, ben


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    yield from clients_of_slow_service(tmp_path)


def test_slow_uploads_of_one_owner_leave_a_sandbox_for_another(
    clients: tuple[httpx.Client, httpx.Client], tmp_path: Path
) -> None:
    ann, ben = clients
    # There are two readers, and two uploads that take longer than the test.
    leaving_clients = [LeavingClient(ann, SLOW + bytes([n])) for n in range(2)]
    until(lambda: uploads_in_progress(tmp_path) == 2)
    assert post_upload(ben, b"quick").status_code == 201
    assert post_upload(ben, zipped(("a.nii", b"a"), ("b.nii", b"b"))).status_code == 201
    for leaving_client in leaving_clients:
        leaving_client.leave()
    # Their processes end, their files are removed and their slots are free.
    until(lambda: uploads_in_progress(tmp_path) == 0)
    assert post_upload(ann, b"quick").status_code == 201


def test_the_reading_time_of_an_upload_is_limited(tmp_path: Path) -> None:
    for ann, _ in clients_of_slow_service(tmp_path, reading_time_s=1.0, readers=1):
        problem_json = problem(post_upload(ann, SLOW), "limit-reached")
        assert "longer than 1 s" in problem_json["detail"]
        assert uploads_in_progress(tmp_path) == 0


def test_a_reader_has_a_nice_value_of_its_own(tmp_path: Path) -> None:
    for ann, _ in clients_of_slow_service(tmp_path, reading_nice=3, nice=17, readers=1):
        document = post_upload(ann, b"nice").json()
        assert document["notes"] == [str(os.nice(0) + 3)]


def test_a_zip_is_never_unpacked_in_the_server_process(
    clients: tuple[httpx.Client, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the server reads a zip")

    monkeypatch.setattr("service.interactive.unzip.unzip.zipfile.ZipFile.__init__", never)
    ann, _ = clients
    assert post_upload(ann, PACKED).status_code == 201
    problem(post_upload(ann, PACKED[:-5]), "malformed-upload")


class LeavingClient:
    """A client that sends an upload and closes the connection on request, without reading the answer."""

    def __init__(self, client: httpx.Client, content: bytes) -> None:
        request = client.build_request("POST", "/v1/cases", **upload(("file", "a.nii", content)))
        body = request.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self._socket = socket.create_connection((client.base_url.host, client.base_url.port or 80))
        self._socket.sendall(f"POST /v1/cases HTTP/1.1\r\n{head}\r\n".encode() + body)

    def leave(self) -> None:
        self._socket.close()
