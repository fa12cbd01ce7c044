"""The service on a Dask cluster: scheduler and PostgreSQL beside the server, two workers on their own hosts.

A host is a network namespace, joined to the others by a pair of virtual Ethernet devices and a bridge. All
lie in one that ends with the run. Where this user may make none, they are plain processes on loopback.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import sleep

from benchmarks.service import measured, serving
from benchmarks.table import Row
from service.client import Client, ProblemError

NAME = "cluster"
WORKERS = 2
NETWORK = "10.77.0."
HUB, LOOPBACK = f"{NETWORK}1", "127.0.0.1"
SCHEDULER_PORT, DATABASE_PORT = 18786, 15432

MOST_S = 1800
"""Far longer than it takes; a run that hangs must end."""

APART = ["unshare", "-n"]
"""Runs a command in a network of its own."""


def run() -> list[Row]:
    """Measure in a network of its own, or on loopback where there is none; nothing without PostgreSQL."""
    if not _postgres_programs():
        print("no PostgreSQL on this machine (Debian: postgresql): no cluster measured", file=sys.stderr)
        return []
    may = subprocess.run(
        [*APART, "ip", "link", "add", "br0", "type", "bridge"], capture_output=True, check=False
    )
    prefix, hub = (APART, HUB) if may.returncode == 0 else ([], LOOPBACK)
    inside = [*prefix, sys.executable, "-m", "benchmarks.cluster", hub]
    completed = subprocess.run(inside, stdout=subprocess.PIPE, timeout=MOST_S, check=True)
    return [Row(**fields) for fields in json.loads(completed.stdout)]


def main(hub: str) -> None:
    """Start everything on `hub` and on its workers' hosts, measure, and print the rows as JSON."""
    where = "two hosts of their own" if hub == HUB else "loopback"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seedpath-sandbox-")))
        if hub == HUB:
            _do("ip", "link", "set", "lo", "up")
            _do("ip", "link", "add", "br0", "type", "bridge")
            _do("ip", "addr", "add", f"{HUB}/24", "dev", "br0")
            _do("ip", "link", "set", "br0", "up")
        database = stack.enter_context(_postgres(hub))
        scheduler = f"tcp://{hub}:{SCHEDULER_PORT}"
        command = ["distributed.cli.dask_scheduler", "--host", hub, "--port", str(SCHEDULER_PORT)]
        stack.enter_context(_process([*command, "--no-dashboard"], folder / "scheduler.log"))
        for number in range(WORKERS):
            prefix, address = stack.enter_context(_host(number)) if hub == HUB else ([], hub)
            worker = ["distributed.cli.dask_worker", scheduler, "--host", address, "--nthreads", "1"]
            worker += ["--no-dashboard", "--local-directory", str(folder)]
            stack.enter_context(_process(worker, folder / f"worker-{number}.log", prefix))
        settings = {
            "SEEDPATH_DATABASE_URL": database,
            "SEEDPATH_SCHEDULER": scheduler,
            "SEEDPATH_SCHEDULER_IS_PRIVATE": "true",
        }
        base = stack.enter_context(serving(folder, settings))
        _until_there_are_workers(base)
        rows = [
            replace(row, benchmark=NAME, what=f"{row.what}, workers on {where}") for row in measured(base)
        ]
    print(json.dumps([asdict(row) for row in rows]))


def _until_there_are_workers(base: str) -> None:
    with Client(base) as client:
        for _ in range(600):
            # No worker yet is a problem, not an answer.
            with contextlib.suppress(ProblemError):
                if client.health()["workers"] == WORKERS:
                    return
            sleep(0.2)
    raise SystemExit(f"the cluster never had {WORKERS} workers")


@contextlib.contextmanager
def _host(number: int) -> Iterator[tuple[list[str], str]]:
    """A network namespace on the bridge: what runs a command in it, and its address."""
    with subprocess.Popen([*APART, "sleep", str(MOST_S)]) as library:
        try:
            # It has its own network once it is no longer in ours.
            while os.readlink(f"/proc/{library.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                sleep(0.01)
            near, far, address = f"near{number}", f"far{number}", f"{NETWORK}{10 + number}"
            _do("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(library.pid))
            _do("ip", "link", "set", near, "master", "br0", "up")
            enter = ["nsenter", "-t", str(library.pid), "-n"]
            _do(*enter, "ip", "link", "set", "lo", "up")
            _do(*enter, "ip", "addr", "add", f"{address}/24", "dev", far)
            _do(*enter, "ip", "link", "set", far, "up")
            yield enter, address
        finally:
            library.kill()


@contextlib.contextmanager
def _process(module: Sequence[str], log: Path, prefix: Sequence[str] = ()) -> Iterator[None]:
    with log.open("wb") as written:
        command = [*prefix, sys.executable, "-m", *module]
        process = subprocess.Popen(command, stdout=written, stderr=written, cwd=Path(__file__).parents[1])
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _postgres_programs() -> Path | None:
    program = shutil.which("initdb")
    if program is not None:
        return Path(program).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None


@contextlib.contextmanager
def _postgres(hub: str) -> Iterator[str]:
    """A new server that listens on `hub`, whose network nobody else is on. Yields its URL."""
    programs = _postgres_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="seedpath-pg-"))
    # It refuses to run as root, who runs it as the user that Debian's package made.
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-U", "seedpath", "--auth=trust", "--no-sync", "-E", "UTF8")
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {hub}/24 trust\n")
        options = f"-c listen_addresses={hub} -c port={DATABASE_PORT} -c unix_socket_directories={folder}"
        run("pg_ctl", "start", "-w", "-o", options, "-l", str(folder / "log"))
        try:
            yield f"postgresql://seedpath@{hub}:{DATABASE_PORT}/postgres"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1])
