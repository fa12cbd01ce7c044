"""The service as a process of its own, so that it can be killed: stand-ins for work, settings from outside.

python service_process.py [--host ...] [--port ...]        as `seedpath serve`
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import slow_work
from checkout import PATHS

from service.cli.main import main
from service.settings import Settings
from service.web import app
from service.web.app import create_app

GENEROUS_S = 90.0


@dataclass
class Service:
    """A server that is started, ended and killed, always with the same settings on the same port.

    `prefix` is a command that becomes the server's, such as one that gives it a view of its own of the disk.
    """

    settings: dict[str, str]
    log: Path
    port: int = 0
    script: Path = Path(__file__)
    prefix: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = self.port or free.getsockname()[1]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, str(self.script), "serve", "--port", str(self.port)],
                env=os.environ | {"PYTHONPATH": PATHS} | self.settings,
                stderr=log,
                stdout=log,
            )

    def kill(self) -> None:
        """Kill -9, of the server alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, most_s: float = GENEROUS_S) -> int:
        """SIGTERM, and what came of it."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(most_s)

    def processes(self, what: str) -> list[psutil.Process]:
        """Its processes of a kind: "spawn_main" are Dask's workers, "sandbox.main" the sandboxes."""
        assert self.process is not None
        matching = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if what in " ".join(child.cmdline()):
                        matching.append(child)
        return matching

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base, trust_env=False, timeout=GENEROUS_S)

    def until_up(self) -> None:
        eventually(lambda: ask(self, "/v1/version") is not None)


def ask(service: Service, address: str) -> Any:
    """The answer's JSON; None while there is no server."""
    try:
        with service.client() as client:
            return client.get(address).json()
    except httpx.TransportError:
        return None


def eventually(holds: Callable[[], bool], most_s: float = GENEROUS_S) -> None:
    end = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """The service, up, and gone at the end with all its processes."""
    service.start()
    try:
        service.until_up()
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            children = psutil.Process(service.process.pid).children(recursive=True)
            service.process.send_signal(signal.SIGKILL)
            service.process.wait()
            end_stopped(children)


def end_stopped(processes: list[psutil.Process]) -> None:
    """End those that a test has stopped: they cannot see that the server is gone. The others do, and end."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_STOPPED:
                process.kill()


def app_of_fakes(settings: Settings) -> Any:
    """The app with stand-ins for its work."""
    return create_app(settings, slow_work.WORK)


if __name__ == "__main__":
    # The command that serves imports it from there.
    app.create_app = app_of_fakes
    sys.exit(main(sys.argv[1:]))
