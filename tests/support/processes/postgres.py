"""A real PostgreSQL server for tests: a cluster of its own, reached by a Unix socket in its folder."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUPERUSER = "seedpath"


def programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them off the PATH."""
    program = shutil.which("initdb")
    if program is not None:
        return Path(program).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    return debian[-1].parent if debian else None


@dataclass
class Postgres:
    """A server that can be stopped and started again."""

    bin: Path
    folder: Path
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql://{SUPERUSER}@/postgres?host={self.folder}"

    @property
    def pid(self) -> int:
        """Of its first process, whose children are all others."""
        return int((self.folder / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def server(bin: Path) -> Iterator[Postgres]:
    """A new server. It refuses to run as root, who runs it as the user that Debian's package made."""
    # Not in pytest's folder, which only its own user may enter; and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="seedpath-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    postgres = Postgres(bin, folder, user)
    try:
        postgres._run("initdb", "-U", SUPERUSER, "--auth=trust", "--no-sync", "-E", "UTF8")
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
