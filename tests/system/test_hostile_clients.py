"""Clients that mean harm, against a real server in a process of its own: others are served, and it ends when
it is told to.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rest_calls import problem, until, upload
from service_process import GENEROUS_S, Service, eventually, running
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.web.http.body import BodyTimeout
from service.web.routes.paths import HELD_BY_SOCKET_BYTES
from service.web.server import GRACE_S

HEADS = 1000
DESCRIPTORS = 1024
FEW = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$0" "$@"')
"""A server that may open few files, and may not have more."""

MOST_LOG_BYTES = 100_000
"""Of a server that was attacked for seconds: a few lines for each."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hostile")
    # As a folder is that somebody made.
    (folder / "data").mkdir()
    (folder / "data").chmod(0o755)
    settings = {
        "SEEDPATH_DATA_DIR": str(folder / "data"),
        "SEEDPATH_HEAD_S": "5",
        "SEEDPATH_BODY_IDLE_S": "2",
        "SEEDPATH_BODY_BYTES_PER_S": "100000",
    }
    with running(Service(settings, folder / "log", prefix=FEW)) as running_service:
        yield running_service


@pytest.fixture(scope="module")
def plans(service: Service) -> str:
    """Where plans of a case are asked for."""
    with service.client() as client:
        case = client.post("/v1/cases", **upload(("file", "a.nii", b"a")))
        assert case.status_code == 201
        return f"{case.headers['location']}/plans"


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port))


def descriptors(service: Service) -> int:
    assert service.process is not None
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))


def ended(connection: socket.socket) -> bool:
    """Whether the server has closed it."""
    connection.setblocking(False)
    try:
        return connection.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_what_the_service_keeps_is_its_users_alone(service: Service, plans: str) -> None:
    with service.client() as client:
        until(client, client.post(plans, json={}).headers["location"], "done")
    assert "could be read by others (mode 755)" in service.log.read_text(encoding="utf-8")
    data = Path(service.settings["SEEDPATH_DATA_DIR"])
    paths = {data, *data.rglob("*")}
    names = {path.name for path in paths}
    # The database and what it writes first, records, files, the audit log, and what Dask puts aside.
    assert {"seedpath.sqlite", "seedpath.sqlite-wal", "case.json", "a.nii", "audit.jsonl", "scratch"} <= names
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            assert path.lstat().st_mode & 0o077 == 0 or path.is_symlink(), path


# Heads, bodies and answers


def test_a_thousand_half_heads_leave_the_service_to_others(service: Service, plans: str) -> None:
    before = service.log.stat().st_size
    with contextlib.ExitStack() as stack:
        crowd = []
        for number in range(HEADS):
            connection = stack.enter_context(connected(service))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /v1/ver")
            crowd.append(connection)
            if number % 100 == 99:
                with service.client() as client:
                    assert client.get("/v1/version").status_code == 200
        assert descriptors(service) < DESCRIPTORS
        with service.client() as client:
            assert client.get(plans.removesuffix("/plans")).status_code == 200
        # Nobody waits for the rest of a head for longer than it may take.
        eventually(lambda: all(ended(connection) for connection in crowd))
    assert service.log.stat().st_size - before < MOST_LOG_BYTES


def test_a_body_that_dribbles_is_ended(service: Service) -> None:
    """Never still for long, and never done."""
    head = (
        b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 900\r\n\r\n"
    )
    with connected(service) as slow:
        slow.sendall(head)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not (answered := readable(slow)) and sent < 600:
                slow.sendall(b" ")
                sent += 1
                time.sleep(0.1)
        assert answered and b"408" in slow.recv(1 << 16).partition(b"\r\n")[0]
    # An honest one that takes as long in all is taken.
    body = json.dumps({"builtin": "thorax"}).encode()
    with connected(service) as honest:
        honest.sendall(head.replace(b"900", str(len(body)).encode()))
        for some in (body[:9], body[9:]):
            time.sleep(0.8)
            honest.sendall(some)
        assert b" 20" in honest.recv(1 << 16).partition(b"\r\n")[0]


def readable(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False
    finally:
        connection.setblocking(True)


def test_a_body_is_waited_for_as_long_as_its_rate_allows() -> None:
    patience = BodyTimeout(idle_s=30.0, bytes_per_s=500.0)
    assert patience.left_s == 30.0
    # One byte every 29 s: the second is the last that is waited for.
    patience.note(29.0, 1)
    assert patience.left_s == pytest.approx(1.0 + 1 / 500)
    # A gigabyte at 600 bytes/s is waited for to its end.
    steady = BodyTimeout(idle_s=30.0, bytes_per_s=500.0)
    for _ in range(1000):
        assert steady.left_s == 30.0
        steady.note(10.0, 6000)


def test_answers_that_nobody_reads_are_not_kept_for_ever(service: Service) -> None:
    quiet = descriptors(service)
    ask = b"GET /page/plotly.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(connected(service))
            connection.sendall(ask)
        eventually(lambda: descriptors(service) > quiet + 15)
        eventually(lambda: descriptors(service) <= quiet + 5)
    with service.client() as client:
        assert client.get("/v1/version").status_code == 200


CHUNKED, MOST_OF_CHUNKS_S = 16, 2.0
"""Connections, and seconds of processor that all of their bodies may take: parsed whole, they took 5 s."""


def test_bodies_of_one_byte_chunks_leave_the_service_to_others(service: Service) -> None:
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    head = b"POST /v1/none HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    before = sum(process.cpu_times()[:2])
    with contextlib.ExitStack() as stack, service.client() as client:
        crowd = [stack.enter_context(connected(service)) for _ in range(CHUNKED)]
        for connection in crowd:
            connection.setblocking(False)
            connection.send(head + b"1\r\nx\r\n" * 43_000)
        assert client.get("/v1/version").status_code == 200
        eventually(lambda: all(ended(connection) for connection in crowd))
    assert sum(process.cpu_times()[:2]) - before < MOST_OF_CHUNKS_S


# Large bodies


@pytest.fixture(scope="module")
def hostile() -> bytes:
    """What takes long to refuse where each mistake is noted, and where names are compared each with each."""
    return (
        b'{"x":['
        + b",".join([b'{"a":1,"b":2}'] * 19_000)
        + b'],"roles":{'
        + b",".join(b'"%08x":1' % n for n in range(40_000))
        + b"}}"
    )


class Flood:
    """Clients that send a body again and again, until they are told to stop."""

    def __init__(self, service: Service, path: str, body: bytes, clients: int) -> None:
        self._service, self._path, self._body = service, path, body
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]
        self.statuses: list[int] = []

    def _send(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=GENEROUS_S)
        with contextlib.closing(client), contextlib.suppress(OSError, http.client.HTTPException):
            while not self._stopped.is_set():
                client.request("POST", self._path, self._body, {"Content-Type": "application/json"})
                answer = client.getresponse()
                answer.read()
                self.statuses.append(answer.status)

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


MIDDLING = b'{"x":[' + b",".join([b"{}"] * 19_000) + b"]}"
"""Of some kilobytes, of which an owner may send five hundred a second."""

MOST_BEFORE = 5
"""Hostile bodies that are answered while another request is. From 64 connections, twelve were where they were
read on the event loop, and less than one where they are not."""


@pytest.mark.parametrize(("body", "clients"), [("hostile", 4), ("middling", 64)])
def test_others_are_answered_while_hostile_bodies_are_read(
    service: Service, plans: str, hostile: bytes, body: str, clients: int
) -> None:
    bodies = {"hostile": hostile, "middling": MIDDLING}
    with service.client() as client:
        eventually(lambda: client.get("/v1/health").status_code == 200)
    with Flood(service, plans, bodies[body], clients) as flood, service.client() as client:
        eventually(lambda: len(flood.statuses) > 0)
        had = len(flood.statuses)
        waited_s, meanwhile = [], []
        for _ in range(20):
            began, before = time.monotonic(), len(flood.statuses)
            assert client.get("/v1/health").status_code == 200
            waited_s.append(time.monotonic() - began)
            meanwhile.append(len(flood.statuses) - before)
        eventually(lambda: len(flood.statuses) > had)
        refused = client.post(plans, content=hostile, headers={"Content-Type": "application/json"})
        assert 1 <= len(problem(refused, "invalid-request")["errors"]) <= 20
    assert set(flood.statuses) == {422}
    # What is promised of health; and nobody waits until all that came before is read.
    assert statistics.median(waited_s) < 1.0
    assert sum(meanwhile) < MOST_BEFORE * len(meanwhile)


SOCKETS, MESSAGES = 60, 40
MOST_OF_SOCKETS_BYTES = SOCKETS * HELD_BY_SOCKET_BYTES + (100 << 20)
"""What the server promises of them, and room for what it makes of a message or two."""


@pytest.mark.long
def test_sockets_that_send_without_end_hold_little_memory(service: Service, plans: str) -> None:
    address = f"ws{service.base.removeprefix('http')}{plans.removesuffix('/plans')}/paths"
    # Nobody packs what is not worth it, and of this a megabyte packs to a kilobyte.
    message = '{"paths":[' + " " * 1_000_000
    assert service.process is not None
    process = psutil.Process(service.process.pid)

    def send(socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            for _ in range(MESSAGES):
                socket.send(message)

    before, most = process.memory_info().rss, 0
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(address, proxy=None, max_size=None)) for _ in range(SOCKETS)]
        threads = [threading.Thread(target=send, args=(one,), daemon=True) for one in sockets]
        for thread in threads:
            thread.start()
        for _ in range(100):
            most = max(most, process.memory_info().rss - before)
            time.sleep(0.1)
        with service.client() as client:
            assert client.get("/v1/version").status_code == 200
        # More sockets than an owner's bytes are for are not opened.
        with contextlib.suppress(InvalidStatus):
            for _ in range(SOCKETS):
                stack.enter_context(connect(address, proxy=None))
            pytest.fail("an owner may open as many as he likes")
        for one in sockets:
            # Not said goodbye to: it would wait for what stands before.
            one.socket.close()
        for thread in threads:
            thread.join()
    print(f"{most / 2**20:.0f} MiB")
    assert most < MOST_OF_SOCKETS_BYTES, f"{most / 2**20:.0f} MiB"


@pytest.mark.long
def test_a_server_that_is_busy_with_hostile_bodies_ends_on_sigterm(tmp_path: Path, hostile: bytes) -> None:
    settings = {"SEEDPATH_DATA_DIR": str(tmp_path / "data")}
    with running(Service(settings, tmp_path / "log")) as service:
        with service.client() as client:
            case = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]
        with Flood(service, f"{case}/plans", hostile, 4) as flood:
            eventually(lambda: len(flood.statuses) > 0)
            # What is under way is given its grace; then processes of its own end.
            assert service.end(GRACE_S + 30.0) in (0, -signal.SIGTERM)
