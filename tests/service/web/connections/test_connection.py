"""ClientTimeouts: how long the server waits for a client, with a small test application."""

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
TIMEOUTS = ClientTimeouts(head_s=1.0, idle_s=2.0, bytes_per_s=100_000.0)
LARGE = 40 << 20
"""More bytes than the buffers between server and client hold."""

PATIENCE_S = 120.0
ASK = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """/small answers at once, /large with many bytes, /held after its release, /body after the whole body.
    WebSockets accept every message."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] != "websocket.disconnect":
                self.received += message["type"] == "websocket.receive"
            return
        if scope["path"] == "/held":
            while not self.released.is_set():
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
        http: Any = functools.partial(HttpConnection, listening, TIMEOUTS)
        ws: Any = functools.partial(SocketConnection, listening, TIMEOUTS)
        config = uvicorn.Config(
            app, http=http, ws=ws, log_config=None, lifespan="off", backlog=16, timeout_keep_alive=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening
        finally:
            app.released.set()
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


def connection_count(listener: Listener) -> int:
    assert listener.limit is not None
    return listener.limit.taken


def read_small_answer(connection: socket.socket) -> bytes:
    """A complete small answer, which may arrive in pieces."""
    received = b""
    while not received.endswith(b"xxx"):
        chunk = connection.recv(1 << 16)
        assert chunk != b"", received
        received += chunk
    return received


def read_to_end(connection: socket.socket) -> bytes:
    """All bytes until the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


@pytest.mark.parametrize("partial_head", [b"", b"GET /sma", ASK[:-2]])
def test_an_incomplete_head_times_out(listener: Listener, partial_head: bytes) -> None:
    with connected(listener) as client:
        client.sendall(partial_head)
        assert read_to_end(client) == b""
    until(lambda: connection_count(listener) == 0)


def test_a_head_sent_byte_by_byte_times_out(listener: Listener) -> None:
    with connected(listener) as client:
        with contextlib.suppress(ConnectionError):
            for byte in ASK[:-1] + b"X: " + b"y" * 4000:
                client.sendall(bytes([byte]))
                time.sleep(0.05)
        assert b"200" not in read_to_end(client)


def test_the_timeout_of_the_next_head_starts_at_its_first_byte(listener: Listener) -> None:
    with connected(listener) as client:
        for _ in range(3):
            client.sendall(ASK[:5])
            client.sendall(ASK[5:])
            assert read_small_answer(client).startswith(b"HTTP/1.1 200")
            # The three pauses together exceed the timeout of a head; none exceeds the timeout of idling.
            time.sleep(0.5)
        client.sendall(ASK[:5])
        assert read_to_end(client) == b""


def test_connections_with_incomplete_heads_are_displaced(listener: Listener) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * MOST):
            client = stack.enter_context(connected(listener))
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /sma")
        assert status(listener) == 200 and connection_count(listener) <= MOST


def test_with_all_connections_busy_a_new_one_is_closed(listener: Listener, app: App) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(listener)) for _ in range(MOST)]
        for client in clients:
            client.sendall(ASK.replace(b"small", b"held"))
        assert listener.limit is not None
        until(
            lambda: (
                sum(map(len, listener.limit._waiting.values())) == 0 and connection_count(listener) == MOST
            )
        )
        with connected(listener) as other:
            assert read_to_end(other) == b""
        app.released.set()
        for client in clients:
            assert read_small_answer(client).startswith(b"HTTP/1.1 200")
    assert status(listener) == 200


@pytest.mark.long
def test_an_unread_answer_is_dropped(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        until(lambda: connection_count(listener) == 1)
        until(lambda: connection_count(listener) == 0)


class Reader:
    """Reads at a given rate, and catches up when it is late."""

    def __init__(self, client: socket.socket, bytes_per_s: float) -> None:
        self._client, self._rate, self._start_s = client, bytes_per_s, time.monotonic()
        self.bytes_read = 0

    def read_due_bytes(self) -> None:
        time.sleep(0.05)
        due = int((time.monotonic() - self._start_s) * self._rate) - self.bytes_read
        chunk = self._client.recv(max(1, due))
        if chunk == b"":
            raise EOFError
        self.bytes_read += len(chunk)


@pytest.mark.long
def test_a_slowly_read_answer_is_not_dropped(listener: Listener) -> None:
    """Three times the least rate, at which a third of a send buffer takes longer than the timeout of idling.
    The server's connections are counted, because the client still reads bytes that were sent before."""
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large"))
        reader = Reader(client, 3 * TIMEOUTS.bytes_per_s)
        end = time.monotonic() + 4 * TIMEOUTS.idle_s
        while time.monotonic() < end:
            reader.read_due_bytes()
            assert connection_count(listener) == 1, reader.bytes_read
        # A client that stops reading is dropped.
        until(lambda: connection_count(listener) == 0)


def test_connections_with_unread_answers_are_displaced(listener: Listener) -> None:
    small_limit = listener.limit = ConnectionLimit(2, 2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(listener)) for _ in range(2)]
        for client in clients:
            # With a second request the server stops reading.
            client.sendall(ASK.replace(b"small", b"large") + ASK)
        until(lambda: [len(connections) for connections in small_limit._waiting.values()] == [0, 0, 2])
        with connected(listener) as other:
            other.sendall(ASK)
            assert read_small_answer(other).startswith(b"HTTP/1.1 200")
            # A displaced connection is closed at once, with its descriptor.
            assert small_limit.taken <= 2 and len(listener._at) <= 2


def test_a_slowly_read_answer_is_complete(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(ASK.replace(b"small", b"large").replace(b"x\r\n", b"x\r\nConnection: close\r\n"))
        reader = Reader(client, LARGE / (2 * TIMEOUTS.idle_s))
        with pytest.raises(EOFError):
            while True:
                reader.read_due_bytes()
        assert reader.bytes_read > LARGE


def test_a_body_that_the_route_does_not_read_is_not_awaited(listener: Listener) -> None:
    with connected(listener) as client:
        client.sendall(b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.05)
        assert read_to_end(client).count(b"HTTP/1.1") <= 1
    until(lambda: connection_count(listener) == 0)


# Bodies and frames in very small pieces

CHUNKS = b"1\r\nx\r\n" * 43_000
"""As many bytes as one read of a socket may return."""

MOST_BYTES = 8 << 10
"""h11 needs 7 ms to make the events of this many bytes."""

POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class RecordedPieces:
    """Records the sizes of the pieces that a protocol receives."""

    def __init__(self, patch: pytest.MonkeyPatch, kind: type) -> None:
        self.pieces: list[int] = []
        data_received = kind.data_received  # type: ignore[attr-defined]

        def record(protocol: Any, data: bytes) -> None:
            self.pieces.append(len(data))
            data_received(protocol, data)

        patch.setattr(kind, "data_received", record)


def test_a_body_of_one_byte_chunks_is_read_in_pieces(
    listener: Listener, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = RecordedPieces(monkeypatch, H11Protocol)
    with connected(listener) as client:
        client.sendall(POST % b"body" + CHUNKS + b"0\r\n\r\n")
        assert read_small_answer(client).startswith(b"HTTP/1.1 200")
    assert app.received == CHUNKS.count(b"x") and max(recorded.pieces) <= MOST_BYTES
    assert sum(recorded.pieces) > len(CHUNKS)


def test_a_body_that_the_route_does_not_read_is_not_parsed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a body of any length its sender can read the answer: the connection is not reset before."""
    recorded = RecordedPieces(monkeypatch, H11Protocol)
    with connected(listener) as client:
        client.sendall(POST % b"small" + CHUNKS)
        until(lambda: client.recv(1, socket.MSG_PEEK) != b"")
        for _ in range(20):
            client.sendall(CHUNKS)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(1 << 16):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"\r\n\r\nxxx")
    assert b"connection: close" in received.lower()
    # Only what had arrived before the answer was parsed.
    assert sum(recorded.pieces) <= 4 * MOST_BYTES
    until(lambda: connection_count(listener) == 0)


def test_parsing_stops_at_invalid_http(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = RecordedPieces(monkeypatch, H11Protocol)
    with connected(listener) as client:
        for _ in range(20):
            client.sendall(b"no http\r\n\r\n" * 20_000)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client).startswith(b"HTTP/1.1 400")
    assert len(recorded.pieces) == 1
    until(lambda: connection_count(listener) == 0)


def test_empty_frames_are_read_in_pieces(
    listener: Listener, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = RecordedPieces(monkeypatch, WebSocketsSansIOProtocol)
    frames = 20_000
    with connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", proxy=None) as client:
        # Empty text frames, masked with zeros.
        client.socket.sendall(b"\x81\x80\x00\x00\x00\x00" * frames)
        until(lambda: app.received == frames)
    assert max(recorded.pieces) <= MOST_BYTES
