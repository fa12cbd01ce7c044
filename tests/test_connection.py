"""Bounds on how long a client is waited for, on a small app of its own."""

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from service.connection import Bounds, HttpConnection, SocketConnection
from service.door import Door
from service.places import Places

MOST = 8
BOUNDS = Bounds(head_s=1.0, idle_s=3.0, bytes_per_s=1000.0)
LARGE = 40 << 20
"""More than buffers on the way hold."""

PATIENCE_S = 120.0
ASK = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """/small answers at once, /large much, /held once it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/held":
            while not self.let_go.is_set():
                await asyncio.sleep(0.01)
        body = b"x" * (LARGE if scope["path"] == "/large" else 3)
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def door(app: App) -> Iterator[Door]:
    with Door(socket.create_server(("127.0.0.1", 0))) as made:
        made.places = Places(MOST, MOST)
        http: Any = functools.partial(HttpConnection, made, BOUNDS)
        ws: Any = functools.partial(SocketConnection, BOUNDS)
        config = uvicorn.Config(
            app, http=http, ws=ws, log_config=None, lifespan="off", backlog=16, timeout_keep_alive=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [made]})
        thread.start()
        try:
            yield made
        finally:
            app.let_go.set()
            server.should_exit = True
            server.force_exit = True
            thread.join()


def connected(door: Door) -> socket.socket:
    made = socket.create_connection(door.getsockname())
    made.settimeout(PATIENCE_S)
    return made


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def status(door: Door) -> int:
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
        return client.get(f"http://127.0.0.1:{door.getsockname()[1]}/small").status_code


def taken(door: Door) -> int:
    assert door.places is not None
    return door.places.taken


def answer(connection: socket.socket) -> bytes:
    """A small answer, whole: it may come in pieces."""
    found = b""
    while not found.endswith(b"xxx"):
        some = connection.recv(1 << 16)
        assert some != b"", found
        found += some
    return found


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while some := connection.recv(1 << 16):
            found += some
    return found


@pytest.mark.parametrize("sent", [b"", b"GET /sma", ASK[:-2]])
def test_a_head_that_does_not_come_is_not_waited_for(door: Door, sent: bytes) -> None:
    with connected(door) as client:
        client.sendall(sent)
        assert rest(client) == b""
    until(lambda: taken(door) == 0)


def test_a_head_that_dribbles_is_not_waited_for(door: Door) -> None:
    with connected(door) as client:
        with contextlib.suppress(ConnectionError):
            for byte in ASK[:-1] + b"X: " + b"y" * 4000:
                client.sendall(bytes([byte]))
                time.sleep(0.05)
        assert b"200" not in rest(client)


def test_the_next_head_has_as_long_from_its_first_byte(door: Door) -> None:
    with connected(door) as client:
        for _ in range(3):
            client.sendall(ASK[:5])
            client.sendall(ASK[5:])
            assert answer(client).startswith(b"HTTP/1.1 200")
            # Idle for longer than a head may take in all three, and not once for longer than is allowed.
            time.sleep(0.5)
        client.sendall(ASK[:5])
        assert rest(client) == b""


def test_half_heads_give_way_and_who_asks_is_answered(door: Door) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * MOST):
            client = stack.enter_context(connected(door))
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /sma")
        assert status(door) == 200 and taken(door) <= MOST


def test_where_all_are_answered_a_new_one_is_turned_away(door: Door, app: App) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(door)) for _ in range(MOST)]
        for client in held:
            client.sendall(ASK.replace(b"small", b"held"))
        assert door.places is not None
        until(lambda: sum(map(len, door.places._waiting.values())) == 0 and taken(door) == MOST)
        with connected(door) as other:
            assert rest(other) == b""
        app.let_go.set()
        for client in held:
            assert answer(client).startswith(b"HTTP/1.1 200")
    assert status(door) == 200


def test_an_answer_that_nobody_reads_is_not_kept(door: Door) -> None:
    with connected(door) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        until(lambda: taken(door) == 1)
        until(lambda: taken(door) == 0)


def test_an_answer_that_is_read_slowly_arrives(door: Door) -> None:
    """Longer than it would be kept unread."""
    with connected(door) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        found = 0
        while found < LARGE:
            some = len(client.recv(1 << 20))
            assert some > 0, found
            found += some
            time.sleep(0.1)


def test_a_body_that_was_not_asked_for_is_not_waited_for(door: Door) -> None:
    with connected(door) as client:
        client.sendall(b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.05)
        assert rest(client).count(b"HTTP/1.1") <= 1
    until(lambda: taken(door) == 0)
