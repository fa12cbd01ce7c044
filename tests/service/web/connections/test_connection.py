"""ClientTimeouts on how long a client is waited for, on a small app of its own."""

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
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.sync.client import connect

from service.web.connections.connection import HttpConnection, SocketConnection
from service.web.connections.connection_limit import ConnectionLimit
from service.web.connections.listener import Listener
from service.web.connections.slow_reader import ClientTimeouts

MOST = 8
BOUNDS = ClientTimeouts(head_s=1.0, idle_s=2.0, bytes_per_s=100_000.0)
LARGE = 40 << 20
"""More than buffers on the way hold."""

PATIENCE_S = 120.0
ASK = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """/small answers at once, /large much, /held once it is let go, /body once all was sent. WebSockets take
    whatever comes."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] != "websocket.disconnect":
                self.received += message["type"] == "websocket.receive"
            return
        if scope["path"] == "/held":
            while not self.let_go.is_set():
                await asyncio.sleep(0.01)
        while scope["path"] == "/body":
            message = await receive()
            self.received += len(message["body"])
            if not message["more_body"]:
                break
        body = b"x" * (LARGE if scope["path"] == "/large" else 3)
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def listener(app: App) -> Iterator[Listener]:
    with Listener(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.limit = ConnectionLimit(MOST, MOST)
        http: Any = functools.partial(HttpConnection, listening, BOUNDS)
        ws: Any = functools.partial(SocketConnection, listening, BOUNDS)
        config = uvicorn.Config(
            app, http=http, ws=ws, log_config=None, lifespan="off", backlog=16, timeout_keep_alive=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening
        finally:
            app.let_go.set()
            server.should_exit = True
            server.force_exit = True
            thread.join()


def connected(listener: Listener) -> socket.socket:
    connection = socket.create_connection(listener.getsockname())
    connection.settimeout(PATIENCE_S)
    return connection


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def status(listener: Listener) -> int:
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
        return client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/small").status_code


def taken(listener: Listener) -> int:
    assert listener.limit is not None
    return listener.limit.taken


def answer(connection: socket.socket) -> bytes:
    """A small answer, whole: it may come in pieces."""
    received = b""
    while not received.endswith(b"xxx"):
        some = connection.recv(1 << 16)
        assert some != b"", received
        received += some
    return received


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while some := connection.recv(1 << 16):
            received += some
    return received


@pytest.mark.parametrize("sent", [b"", b"GET /sma", ASK[:-2]])
def test_a_head_that_does_not_come_is_not_waited_for(listener: Listener, sent: bytes) -> None:
    with connected(listener) as client:
        client.sendall(sent)
        assert rest(client) == b""
    until(lambda: taken(listener) == 0)


def test_a_head_that_dribbles_is_not_waited_for(listener: Listener) -> None:
    with connected(listener) as client:
        with contextlib.suppress(ConnectionError):
            for byte in ASK[:-1] + b"X: " + b"y" * 4000:
                client.sendall(bytes([byte]))
                time.sleep(0.05)
        assert b"200" not in rest(client)


def test_the_next_head_has_as_long_from_its_first_byte(listener: Listener) -> None:
    with connected(listener) as client:
        for _ in range(3):
            client.sendall(ASK[:5])
            client.sendall(ASK[5:])
            assert answer(client).startswith(b"HTTP/1.1 200")
            # Idle for longer than a head may take in all three, and not once for longer than is allowed.
            time.sleep(0.5)
        client.sendall(ASK[:5])
        assert rest(client) == b""


def test_half_heads_give_way_and_who_asks_is_answered(listener: Listener) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * MOST):
            client = stack.enter_context(connected(listener))
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /sma")
        assert status(listener) == 200 and taken(listener) <= MOST


def test_where_all_are_answered_a_new_one_is_turned_away(listener: Listener, app: App) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(listener)) for _ in range(MOST)]
        for client in held:
            client.sendall(ASK.replace(b"small", b"held"))
        assert listener.limit is not None
        until(lambda: sum(map(len, listener.limit._waiting.values())) == 0 and taken(listener) == MOST)
        with connected(listener) as other:
            assert rest(other) == b""
        app.let_go.set()
        for client in held:
            assert answer(client).startswith(b"HTTP/1.1 200")
    assert status(listener) == 200


@pytest.mark.long
def test_an_answer_that_nobody_reads_is_not_kept(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        until(lambda: taken(listener) == 1)
        until(lambda: taken(listener) == 0)


class Reader:
    """Reads so many bytes in a second, and what it is late with."""

    def __init__(self, client: socket.socket, bytes_per_s: float) -> None:
        self._client, self._rate, self._began = client, bytes_per_s, time.monotonic()
        self.read = 0

    def read_on(self) -> None:
        time.sleep(0.05)
        due = int((time.monotonic() - self._began) * self._rate) - self.read
        some = self._client.recv(max(1, due))
        if some == b"":
            raise EOFError
        self.read += len(some)


@pytest.mark.long
def test_an_answer_that_is_read_slowly_is_not_given_up(listener: Listener) -> None:
    """Thrice as fast as it must be, at which a third of a send buffer takes longer than anybody waits for.
    The server's side tells: a client has long to read what was sent before."""
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        reader = Reader(client, 3 * BOUNDS.bytes_per_s)
        end = time.monotonic() + 4 * BOUNDS.idle_s
        while time.monotonic() < end:
            reader.read_on()
            assert taken(listener) == 1, reader.read
        # And who stops is.
        until(lambda: taken(listener) == 0)


def test_answers_that_nobody_reads_give_way(listener: Listener) -> None:
    few = listener.limit = ConnectionLimit(2, 2)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(listener)) for _ in range(2)]
        for client in crowd:
            # The second request has the server stop reading.
            client.sendall(ASK.replace(b"small", b"large") + ASK)
        until(lambda: [len(some) for some in few._waiting.values()] == [0, 0, 2])
        with connected(listener) as other:
            other.sendall(ASK)
            assert answer(other).startswith(b"HTTP/1.1 200")
            # Who gave way is gone at once, and its descriptor with it.
            assert few.taken <= 2 and len(listener._at) <= 2


def test_an_answer_that_is_read_slowly_is_whole(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large").replace(b"x\r\n", b"x\r\nConnection: close\r\n"))
        reader = Reader(client, LARGE / (2 * BOUNDS.idle_s))
        with pytest.raises(EOFError):
            while True:
                reader.read_on()
        assert reader.read > LARGE


def test_a_body_that_was_not_asked_for_is_not_waited_for(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.05)
        assert rest(client).count(b"HTTP/1.1") <= 1
    until(lambda: taken(listener) == 0)


# Bodies and frames of a byte

CHUNKS = b"1\r\nx\r\n" * 43_000
"""What one read of a socket may give."""

MOST_BYTES = 8 << 10
"""Of these, h11 makes events for 7 ms."""

POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Parsed:
    """What protocols are given."""

    def __init__(self, patch: pytest.MonkeyPatch, kind: type) -> None:
        self.pieces: list[int] = []
        take = kind.data_received  # type: ignore[attr-defined]

        def noted(protocol: Any, data: bytes) -> None:
            self.pieces.append(len(data))
            take(protocol, data)

        patch.setattr(kind, "data_received", noted)


def test_a_body_of_one_byte_chunks_is_read_in_pieces(
    listener: Listener, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = Parsed(monkeypatch, H11Protocol)
    with connected(listener) as client:
        client.sendall(POST % b"body" + CHUNKS + b"0\r\n\r\n")
        assert answer(client).startswith(b"HTTP/1.1 200")
    assert app.received == CHUNKS.count(b"x") and max(parsed.pieces) <= MOST_BYTES
    assert sum(parsed.pieces) > len(CHUNKS)


def test_a_body_that_was_not_asked_for_is_not_parsed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of it comes, and its sender reads the answer: nothing resets the connection before."""
    parsed = Parsed(monkeypatch, H11Protocol)
    with connected(listener) as client:
        client.sendall(POST % b"small" + CHUNKS)
        until(lambda: client.recv(1, socket.MSG_PEEK) != b"")
        for _ in range(20):
            client.sendall(CHUNKS)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while some := client.recv(1 << 16):
            received += some
    assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"\r\n\r\nxxx")
    assert b"connection: close" in received.lower()
    # What had come before the answer.
    assert sum(parsed.pieces) <= 4 * MOST_BYTES
    until(lambda: taken(listener) == 0)


def test_what_is_no_http_is_not_parsed_on(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = Parsed(monkeypatch, H11Protocol)
    with connected(listener) as client:
        for _ in range(20):
            client.sendall(b"no http\r\n\r\n" * 20_000)
        client.shutdown(socket.SHUT_WR)
        assert rest(client).startswith(b"HTTP/1.1 400")
    assert len(parsed.pieces) == 1
    until(lambda: taken(listener) == 0)


def test_frames_of_no_byte_are_read_in_pieces(
    listener: Listener, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = Parsed(monkeypatch, WebSocketsSansIOProtocol)
    frames = 20_000
    with connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", proxy=None) as client:
        # Of text, masked with noughts.
        client.socket.sendall(b"\x81\x80\x00\x00\x00\x00" * frames)
        until(lambda: app.received == frames)
    assert max(parsed.pieces) <= MOST_BYTES
