"""Server: the app on a socket, in the foreground or beside the caller."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from anatomy.errors import AnatomyError
from service.parts import parts_of_app
from service.watch import Watch

MAX_MESSAGE_BYTES = 1 << 20
"""A thousand entries and tips in one message of a WebSocket are shorter [U]."""

KEEP_ALIVE_S = 60
"""Seconds that a connection may stand idle between two requests: a hand rests for longer than five [U]."""

GRACE_S = 5
"""Seconds that open connections are given when the service ends [U]."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Settings have refused a host that is not safe.

    Raises AnatomyError for a host that is not this machine's, or a port that is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
        # Connections inherit it. Without it each answer, sent as head and body, waits for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        where = f"{host} port {port}"
        raise AnatomyError(
            "--port", f"{where} cannot be used ({error.strerror})", "Give another host or port."
        ) from None


def address(listening: socket.socket, scheme: str = "http") -> str:
    """The base address of a service on this socket."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until a signal ends it."""
    _server(app).run(sockets=[listening])


@contextlib.contextmanager
def beside(app: FastAPI) -> Iterator[str]:
    """Serve on a free loopback port in a thread, for as long as the context lasts. Yields the address."""
    with listen("127.0.0.1", 0) as listening:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="seedpath-server")
        thread.start()
        try:
            # The socket listens already: a request sent before the server is up waits in its queue.
            yield address(listening)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Tells those who wait for jobs that the service ends, before it waits for their connections to close."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End gracefully."""
        self._watch.close()
        await super().shutdown(sockets)


def _server(app: FastAPI) -> uvicorn.Server:
    parts = parts_of_app(app)
    settings = parts.settings
    config = uvicorn.Config(
        app,
        # `service.logs` says how it is logged, and the gate what.
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
        lifespan="on",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ws_max_size=MAX_MESSAGE_BYTES,
    )
    return _Server(config, parts.watch)
