"""Server: the app on a socket, in the foreground or in a background thread."""

import contextlib
import functools
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from anatomy.errors import AnatomyError
from service.host.descriptors import raise_limit
from service.jobs.event_notifier import EventNotifier
from service.settings import Settings
from service.web.connections.connection import HttpConnection, SocketConnection
from service.web.connections.connection_limit import ConnectionLimit
from service.web.connections.listener import Listener
from service.web.connections.slow_reader import ClientTimeouts
from service.web.services import state_of_app

MAX_MESSAGE_BYTES = 1 << 20
"""A thousand entries and tips in one message of a WebSocket are shorter [U]."""

KEEP_ALIVE_S = 60
"""Seconds that a connection may be idle between two requests: a user pauses for longer than five [U]."""

GRACE_S = 5
"""Seconds that open connections get when the service ends [U]."""


PING_S = 20
"""Seconds within which a WebSocket's client must answer a ping, if its answer is read at once [U]."""

BACKLOG = 128
"""Connections that the system keeps waiting until they are accepted; also the most that one turn of the event
loop accepts [U]."""

MOST_OF_ADDRESS = 0.75
"""Share of all connections that one address may have: the rest is for others [U]."""

_log = logging.getLogger("seedpath.server")


def listen(host: str, port: int) -> Listener:
    """A listening socket; port 0 takes a free one. Settings have refused an unsafe host.

    Raises AnatomyError for a host that is not this machine's, or a port that is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
        # Connections inherit this. Without it each answer, sent as head and body, waits for an
        # acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Listener(listening)
    except OSError as error:
        where = f"{host} port {port}"
        raise AnatomyError(
            "--port", f"{where} cannot be used ({error.strerror})", "Give another host or port."
        ) from None


def address(listening: socket.socket, scheme: str = "http") -> str:
    """The base address of a service on this socket."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def serve(app: FastAPI, listening: Listener) -> None:
    """Serve until a signal ends it."""
    _server(app, listening).run(sockets=[listening])


@contextlib.contextmanager
def serve_in_background(app: FastAPI) -> Iterator[str]:
    """Serve on a free loopback port in a thread, as long as the context lasts. Yields the address."""
    with listen("127.0.0.1", 0) as listening:
        server = _server(app, listening)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="seedpath-server")
        thread.start()
        try:
            # The socket already listens: a request sent before the server is ready waits in its queue.
            yield address(listening)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Wakes clients that wait for jobs when the service ends, before it waits for their connections to
    close."""

    def __init__(self, config: uvicorn.Config, notifier: EventNotifier) -> None:
        super().__init__(config)
        self._notifier = notifier

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down gracefully."""
        self._notifier.close()
        await super().shutdown(sockets)


def _connection_limit(settings: Settings) -> ConnectionLimit:
    """As many connections as there are file descriptors for."""
    most = raise_limit(settings.max_connections)
    if most < settings.max_connections:
        _log.warning("%d connections at most: the system allows no more open files", most)
    # Requests through a proxy come from its address, and without keys all come from this machine.
    tells_apart = settings.keys_file is not None and (
        bool(settings.trusted_proxies) or not settings.behind_tls_proxy
    )
    of_address = min(settings.max_connections_of_address, max(1, int(MOST_OF_ADDRESS * most)))
    return ConnectionLimit(most, of_address if tells_apart else most, frozenset(settings.trusted_proxies))


def _server(app: FastAPI, listener: Listener) -> uvicorn.Server:
    state = state_of_app(app)
    settings = state.settings
    listener.limit = _connection_limit(settings)
    timeouts = ClientTimeouts(settings.head_s, settings.body_idle_s, settings.body_bytes_per_s)
    http: Any = functools.partial(HttpConnection, listener, timeouts)
    ws: Any = functools.partial(SocketConnection, listener, timeouts)
    config = uvicorn.Config(
        app,
        http=http,
        ws=ws,
        backlog=BACKLOG,
        # A proxy states for whom it forwards: only trusted proxies are believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        # Logging is set up by `service.logs.json_lines`, and the middleware writes it.
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
        lifespan="on",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ws_max_size=MAX_MESSAGE_BYTES,
        # While a message waits for its turn, the answer to a ping is not read.
        ws_ping_timeout=settings.appraisal_time_s + PING_S,
        # One kilobyte may unpack to a megabyte, and one read may contain a thousand of them.
        ws_per_message_deflate=False,
    )
    return _Server(config, state.notifier)
