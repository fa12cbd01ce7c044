"""CaseReader uploads: it ends in its own time and with its client, and one owner's leaves room for
another's."""

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
"""Made before a test forbids it."""


def sent(client: httpx.Client, content: bytes, **more: Any) -> httpx.Response:
    return client.post("/v1/cases", **upload(("file", "a.nii", content)), **more)


def at_work(folder: Path) -> int:
    """How many uploads are being taken in."""
    return len(list((folder / "data" / "aside").iterdir()))


def until(true: Any) -> None:
    end = time.monotonic() + GENEROUS_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def served(folder: Path, **settings: Any) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two owners' clients of a service that reads slowly what begins so."""
    tokens = [create(folder / "keys.json", owner) for owner in ("ann", "ben")]
    chosen = Settings(data_dir=folder / "data", keys_file=folder / "keys.json", **settings)
    with serve_in_background(create_app(chosen, Work(fakes.describe_slowly, fakes.plan))) as base:
        ann, ben = (client_of(base, token) for token in tokens)
        ann.timeout = ben.timeout = httpx.Timeout(GENEROUS_S)
        with ann, ben:
            yield ann, ben


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    yield from served(tmp_path)


def test_slow_uploads_of_one_owner_leave_a_sandbox_for_another(
    clients: tuple[httpx.Client, httpx.Client], tmp_path: Path
) -> None:
    ann, ben = clients
    # Two readers, and two that would read until the test is over.
    leaving = [Leaving(ann, SLOW + bytes([n])) for n in range(2)]
    until(lambda: at_work(tmp_path) == 2)
    assert sent(ben, b"quick").status_code == 201
    assert sent(ben, zipped(("a.nii", b"a"), ("b.nii", b"b"))).status_code == 201
    for one in leaving:
        one.leave()
    # Their processes are ended, their files removed, and their places free.
    until(lambda: at_work(tmp_path) == 0)
    assert sent(ann, b"quick").status_code == 201


def test_one_upload_reads_for_so_long_and_no_longer(tmp_path: Path) -> None:
    for ann, _ in served(tmp_path, reading_time_s=1.0, readers=1):
        refused = problem(sent(ann, SLOW), "limit-reached")
        assert "longer than 1 s" in refused["detail"]
        assert at_work(tmp_path) == 0


def test_a_reader_has_a_nice_value_of_its_own(tmp_path: Path) -> None:
    for ann, _ in served(tmp_path, reading_nice=3, nice=17, readers=1):
        document = sent(ann, b"nice").json()
        assert document["notes"] == [str(os.nice(0) + 3)]


def test_a_zip_is_unpacked_in_no_process_that_answers(
    clients: tuple[httpx.Client, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the server reads a zip")

    monkeypatch.setattr("service.interactive.unzip.unzip.zipfile.ZipFile.__init__", never)
    ann, _ = clients
    assert sent(ann, PACKED).status_code == 201
    problem(sent(ann, PACKED[:-5]), "malformed-upload")


class Leaving:
    """A client that sends an upload, waits for its answer, and leaves when told."""

    def __init__(self, client: httpx.Client, content: bytes) -> None:
        request = client.build_request("POST", "/v1/cases", **upload(("file", "a.nii", content)))
        body = request.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self._socket = socket.create_connection((client.base_url.host, client.base_url.port or 80))
        self._socket.sendall(f"POST /v1/cases HTTP/1.1\r\n{head}\r\n".encode() + body)

    def leave(self) -> None:
        self._socket.close()
