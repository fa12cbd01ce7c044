"""A full disk: what is kept back for records, removing and cancelling, and lines of the audit log."""

import contextlib
import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import plan_work as fakes
import pytest
from mount_namespace import may_mount  # noqa: F401
from rest_calls import client_of, healthy, problem, until, upload
from service_process import Service, eventually, running
from sqlalchemy import Connection, text

from service.logs import audit
from service.logs.append_file import AppendFile
from service.logs.audit import FOR_REMOVALS, AuditHandler, audit_to
from service.logs.json_lines import AUDIT
from service.logs.rotation import NEVER, Rotation
from service.operations.job_tasks import Work
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.database.tables import holdings
from service.storage.errors import NoRoom
from service.storage.reserved_space import (
    SLICES,
    ReservedSpace,
    audit_room,
    records_room,
    reserve_of,
    without_reserve,
)
from service.web.app import create_app
from service.web.server import serve_in_background

RESERVE_BYTES = 4 << 20
DISK_BYTES = 32 << 20
CASES = 12


# With a disk


class SmallDisk:
    """A disk of its own for one folder, as processes started with `prefix` see it. It outlives them."""

    def __init__(self, holder: int, folder: Path) -> None:
        self.prefix = ("nsenter", "-t", str(holder), "-m")
        self._folder = folder

    def fill(self) -> None:
        """As another program would: until there is not a byte left."""
        self._run(f'cat /dev/zero > "{self._folder}/filling"; test -s "{self._folder}/filling"')

    def empty(self) -> None:
        """The other program is gone."""
        self._run(f'rm "{self._folder}/filling"')

    def read(self, name: str) -> str:
        """A file on it."""
        return self._run(f'cat "{self._folder / name}"')

    def size(self, name: str) -> int:
        """The size of a file on it."""
        return int(self._run(f'stat -c %s "{self._folder / name}"'))

    def _run(self, script: str) -> str:
        completed = subprocess.run(
            [*self.prefix, "sh", "-c", script], check=True, capture_output=True, text=True
        )
        return completed.stdout


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    folder.mkdir()
    script = 'mount -t tmpfs -o size="$1" none "$0" && echo up && exec sleep 600'
    holder = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script, str(folder), str(DISK_BYTES)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"up\n"
        yield SmallDisk(holder.pid, folder)
    finally:
        holder.kill()
        holder.communicate()


def addresses(disk: SmallDisk) -> list[str]:
    """What the audit log tells, by method and address. Each line is whole."""
    return [json.loads(line)["message"] for line in disk.read("audit.jsonl").splitlines()]


@pytest.mark.long
@pytest.mark.usefixtures("may_mount")
def test_on_a_full_disk_jobs_are_cancelled_and_things_removed_and_every_line_is_noted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with small_disk(data) as disk:
        settings = {"SEEDPATH_DATA_DIR": str(data), "SEEDPATH_RESERVE_BYTES": str(RESERVE_BYTES)}
        settings |= {"SEEDPATH_NICE": "0"}
        apart = Service(settings, tmp_path / "log", prefix=disk.prefix)
        requests = []
        with running(apart) as service, service.client() as client:

            def ask(method: str, address: str, expected: int, **sent: object) -> httpx.Response:
                answer = client.request(method, address, **sent)  # type: ignore[arg-type]
                requests.append(f"{method} {address}")
                assert answer.status_code == expected, answer.text
                return answer

            healthy(client)
            sent = [upload(("file", f"{n}.nii", b"a" * 50_000)) for n in range(CASES)]
            cases = [ask("POST", "/v1/cases", 201, **form).headers["location"] for form in sent]
            job = ask("POST", f"{cases[0]}/plans", 202, json={}).headers["location"]
            plan = until(client, job, "done")["plan"]
            slow = ask("POST", f"{cases[0]}/plans", 202, json={"random_seed": 1}).headers["location"]
            disk.fill()
            # Nothing is taken in, and health says why.
            full = upload(("file", "full.nii", b"a"))
            assert "Cancelling jobs" in problem(client.post("/v1/cases", **full), "no-room")["detail"]
            problem(client.post(f"{cases[1]}/plans", json={}), "no-room")
            # Health is what was found out last.
            eventually(lambda: client.get("/v1/health").status_code == 507)
            problem(client.get("/v1/health"), "no-room")
            # What is there is read, cancelled and removed.
            ask("GET", plan, 200)
            ask("DELETE", slow, 200)
            # Or it had come to its end before.
            ended = until(client, slow, "cancelled", "done", "failed")
            assert ended["state"] != "failed" or ended["problem"]["type"].endswith("no-room")
            ask("DELETE", plan, 204)
            for case in cases[: CASES // 2]:
                ask("DELETE", case, 204)
                ask("GET", case, 404)
                # Another program takes what became free.
                disk.fill()
            assert 0 < disk.size("reserve") <= RESERVE_BYTES
        # Killed, and started on the full disk.
        with running(apart) as service, service.client() as client:
            for case in cases[CASES // 2 :]:
                ask("DELETE", case, 204)
            problem(client.post("/v1/cases", **full), "no-room")
            assert "seedpath_reserve_whole 0.0" in client.get("/metrics").text
            disk.empty()
            # With room, the reserve is made again, and all goes on.
            assert client.post("/v1/cases", **full).status_code == 201
            assert disk.size("reserve") == RESERVE_BYTES
            assert "seedpath_reserve_whole 1.0" in client.get("/metrics").text
            eventually(lambda: client.get("/v1/health").status_code == 200)
            noted = addresses(disk)
        assert [line for line in requests if line not in noted] == []
        assert "Traceback" not in apart.log.read_text(encoding="utf-8")


# The reserve


class Disk:
    """What `statvfs` and `posix_fallocate` say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.error = 1 << 40, 0
        allocate = os.posix_fallocate

        def statvfs(path: object) -> object:
            return type("Told", (), {"f_bavail": self.free, "f_frsize": 1})()

        def fallocate(handle: int, offset: int, bytes: int) -> None:
            if self.error:
                os.ftruncate(handle, bytes // 2)
                raise OSError(self.error, os.strerror(self.error))
            allocate(handle, offset, bytes)

        monkeypatch.setattr(os, "statvfs", statvfs)
        monkeypatch.setattr(os, "posix_fallocate", fallocate)


def test_a_reserve_is_given_up_by_slices_and_made_again_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, reserve = Disk(monkeypatch), ReservedSpace(tmp_path, 80_000)
    assert not reserve.is_whole and not reserve.give_up()
    assert reserve.make() and reserve.is_whole
    # Blocks, not a length alone.
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 80_000
    # For lines of the audit log half of it.
    assert [reserve.give_up(0.5) for _ in range(SLICES)] == [True] * 4 + [False] * 4
    assert [reserve.give_up() for _ in range(SLICES)] == [True] * 4 + [False] * 4
    for disk.free, disk.error in ((159_999, 0), (1 << 40, errno.EDQUOT), (1 << 40, errno.ENOSPC)):
        assert not reserve.make() and (tmp_path / "reserve").stat().st_size == 0
    disk.free, disk.error = 160_000, 0
    assert reserve.make()
    disk.free = 79_999
    assert reserve.make() and not reserve.has_room


def test_a_reserve_that_cannot_be_written_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch).error = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        ReservedSpace(tmp_path, 80_000).make()


def test_without_a_reserve_nothing_is_refused_for_it(tmp_path: Path) -> None:
    reserve = reserve_of(Settings(data_dir=tmp_path, reserve_bytes=0))
    reserve.refuse_use()
    assert reserve.is_whole and not list(tmp_path.iterdir())
    assert not ReservedSpace(tmp_path, 0).give_up()


def test_what_was_kept_back_by_a_larger_setting_is_given_up_too(tmp_path: Path) -> None:
    assert ReservedSpace(tmp_path, 80_000).make()
    for bytes in (40_000, 0):
        released = 0
        while ReservedSpace(tmp_path, bytes).give_up():
            released += 1
            assert released <= 2 * SLICES
        assert (tmp_path / "reserve").stat().st_size == 0
        assert ReservedSpace(tmp_path, 80_000).make()


def test_files_in_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    """Records and the audit log may be in a home, or in /var/log."""
    (tmp_path / "data").mkdir()
    own = tmp_path / "reserve"
    own.write_text("of whoever has the folder\n")
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{tmp_path}/x.sqlite",
        audit_file=tmp_path / "audit.jsonl",
        reserve_bytes=80_000,
    )
    reserve_of(settings).refuse_use()
    assert without_reserve(settings) == []
    lines, rows = audit_room(settings), records_room(settings)
    released = [sum(1 for _ in iter(room, False)) for room in (lines, rows)]
    assert released == [SLICES // 2, SLICES // 2]
    with pytest.raises(NoRoom), pytest.MonkeyPatch.context() as patched:
        Disk(patched).free = 0
        reserve_of(settings).refuse_use()
    assert own.read_text() == "of whoever has the folder\n"
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["reserve"]


def test_what_is_on_another_disk_has_no_reserve_and_takes_none(tmp_path: Path) -> None:
    elsewhere = Path("/dev/full")
    settings = Settings(data_dir=tmp_path, audit_file=elsewhere, reserve_bytes=80_000)
    reserve_of(settings).refuse_use()
    assert without_reserve(settings) == [elsewhere]
    assert not audit_room(settings)() and reserve_of(settings).is_whole
    server = Settings(data_dir=tmp_path, database_url="postgresql://u@db/x", reserve_bytes=80_000)
    assert without_reserve(server) == []
    assert not records_room(server)() and reserve_of(server).is_whole


# Records


def test_what_is_needed_takes_from_the_reserve_and_nothing_else_does(tmp_path: Path) -> None:
    released: list[int] = []

    def make_room() -> bool:
        released.append(1)
        return len(released) <= 3

    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", 30.0, make_room)
    migrate(database)

    def fill(connection: Connection, slices: int) -> None:
        """It fits once so many slices are given up."""
        connection.execute(text(f"PRAGMA max_page_count = {1000 if len(released) >= slices else 40}"))
        about = {"owner": "o", "kind": f"k{slices}", "case_id": "c", "created_s": 1.0}
        connection.execute(holdings.insert(), [about | {"id": str(n)} for n in range(1000)])

    with pytest.raises(OSError, match="No space"):
        database.write(lambda c: fill(c, 2), needed=False)
    assert len(released) == 0
    database.write(lambda c: fill(c, 2))
    assert len(released) == 2
    # There are no more than three.
    with pytest.raises(OSError, match="No space"):
        database.write(lambda c: fill(c, 9))
    assert len(released) == 4
    database.close()


SCRIPT = """
import os, sys
from pathlib import Path
from sqlalchemy import delete, func, select
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.database.tables import holdings
from service.storage.reserved_space import ReservedSpace

folder, url = Path(sys.argv[1]), f"sqlite:///{sys.argv[1]}/records.sqlite"
reserve = ReservedSpace(folder, 2 << 20)
assert reserve.make()

def fill():
    try:
        with (folder / "filling").open("ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        pass

def rows(kind):
    about = {"owner": "o", "kind": kind, "case_id": "c", "created_s": 1.0}
    return lambda c: c.execute(holdings.insert(), [about | {"id": str(n)} for n in range(3000)])

def refused(database, kind):
    try:
        database.write(rows(kind), needed=False)
    except OSError as error:
        return f"{kind} {error.errno}"

first = Database(url, 1.0, reserve.give_up)
migrate(first)
first.write(rows("a"))
fill()
print(refused(first, "b"), reserve.is_whole)
first.write(rows("c"))
fill()
first.close()
# As after a start: SQLite has its journal's files to make.
second = Database(url, 1.0, reserve.give_up)
migrate(second)
fill()
second.write(lambda c: c.execute(delete(holdings).where(holdings.c.kind == "a")))
kinds = select(holdings.c.kind, func.count()).group_by(holdings.c.kind)
print(second.read(lambda c: c.execute(kinds).all()), reserve.is_whole)
"""


@pytest.mark.usefixtures("may_mount")
def test_sqlite_on_a_full_disk_writes_what_is_needed(tmp_path: Path, repository: Path) -> None:
    script = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'
    completed = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(tmp_path), sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.splitlines() == ["b 28 True", "[('c', 3000)] False"]


# LineSink of the audit log


class Failing:
    """A file that cannot be written while `error` is set."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.error = 0

    def append(self, data: bytes) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.lines += data.decode().splitlines()

    def unsettled(self) -> None:
        pass

    def close(self) -> None:
        pass

    @property
    def messages(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.lines]


def lines(path: Path) -> AppendFile:
    return AppendFile(path, Rotation(path, NEVER))


def note(log: AuditHandler, message: str) -> None:
    log.handle(logging.LogRecord("seedpath.audit", logging.INFO, "", 0, message, None, None))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES])
def test_lines_that_cannot_be_written_are_reported_kept_and_written_in_order(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    file = Failing()
    log = AuditHandler(file)
    note(log, "before")
    file.error = number
    for n in range(1000):
        note(log, f"GET /v1/{n}")
    assert log.waiting == 1000 and file.messages == ["before"]
    # Each is told, in case the service is killed.
    assert len(caplog.records) == 1000 and "GET /v1/999" in caplog.records[-1].getMessage()
    file.error = 0
    note(log, "after")
    assert log.waiting == 0
    assert file.messages == ["before", *(f"GET /v1/{n}" for n in range(1000)), "after"]


def test_a_line_takes_from_the_reserve_where_the_disk_is_full_alone() -> None:
    file, released = Failing(), []

    def make_room() -> bool:
        released.append(1)
        file.error = 0
        return True

    log = AuditHandler(file, make_room)
    file.error = errno.EIO
    note(log, "one")
    assert not released and log.waiting == 1
    file.error = errno.ENOSPC
    note(log, "two")
    assert len(released) == 1 and file.messages == ["one", "two"]


def test_what_waits_is_written_when_the_service_ends() -> None:
    file = Failing()
    log = AuditHandler(file)
    file.error = errno.ENOSPC
    note(log, "one")
    file.error = 0
    log.close()
    assert file.messages == ["one"]


def test_a_line_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that becomes full takes the first part of what is written."""
    file, write = lines(tmp_path / "lines"), os.write
    file.append(b"one\n")
    left = [2]

    def part(handle: int, data: bytes) -> int:
        taken = bytes(data[: left[0]])
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= len(taken)
        return write(handle, taken)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", part)
        with pytest.raises(OSError):
            file.append(b"two\n")
    assert (tmp_path / "lines").read_bytes() == b"one\n"
    # Moved away meanwhile, as by logrotate.
    (tmp_path / "lines").rename(tmp_path / "moved")
    file.append(b"two\n")
    assert (tmp_path / "lines").read_bytes() == b"two\n" and (tmp_path / "moved").read_bytes() == b"one\n"
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600
    file.close()


def test_lines_of_several_processes_are_whole(tmp_path: Path) -> None:
    path, count = tmp_path / "lines", 200
    script = (
        "import sys; from pathlib import Path; from service.logs.append_file import AppendFile\n"
        "from service.logs.rotation import NEVER, Rotation\n"
        "path = Path(sys.argv[1]); file = AppendFile(path, Rotation(path, NEVER))\n"
        f"for n in range({count}): file.append(sys.argv[2].encode() * 5000 + b'\\n')"
    )
    started = [subprocess.Popen([sys.executable, "-c", script, str(path), letter]) for letter in "ab"]
    assert [process.wait(60) for process in started] == [0, 0]
    assert sorted(path.read_text().splitlines()) == ["a" * 5000] * count + ["b" * 5000] * count


@pytest.fixture
def auditing(tmp_path: Path) -> Iterator[Callable[[Path], AuditHandler]]:
    handlers: list[AuditHandler] = []

    def begin(path: Path) -> AuditHandler:
        handlers.append(audit_to(path))
        return handlers[-1]

    yield begin
    for log in handlers:
        AUDIT.removeHandler(log)
        log.close()


def test_what_cannot_be_noted_is_not_answered_and_removing_works_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auditing: Callable[[Path], AuditHandler]
) -> None:
    app = create_app(Settings(data_dir=tmp_path / "data"), Work(fakes.describe, fakes.plan))
    with serve_in_background(app) as base, client_of(base, None) as client:
        sent = [upload(("file", f"{n}.nii", b"a")) for n in range(3)]
        cases = [client.post("/v1/cases", **form).headers["location"] for form in sent]
        # A device that says of every write that the disk is full.
        log = auditing(Path("/dev/full"))
        log._most_waiting = FOR_REMOVALS + 20

        def noted(method: str, address: str, status: int) -> None:
            before = log.waiting
            assert client.request(method, address).status_code == status
            assert log.waiting == before + 1

        for _ in range(20):
            noted("GET", cases[0], 200)
        # What is refused, or tells of no patient, takes no place from removals.
        for _ in range(30):
            assert "audit log" in problem(client.get(cases[0]), "no-room")["detail"]
            assert client.get("/v1/version").status_code == 200
        metrics = client.get("/metrics").text
        assert log.waiting == 20 and log.unnoted == 61
        assert (
            "seedpath_audit_unnoted_total 61.0" in metrics and "seedpath_audit_lines_waiting 20.0" in metrics
        )
        noted("DELETE", cases[0], 204)
        log._most_waiting = log.waiting
        problem(client.delete(cases[1]), "no-room")
        # With room all is written, and all goes on.
        monkeypatch.setattr(log, "_file", lines(tmp_path / "audit.jsonl"))
        log._most_waiting = FOR_REMOVALS + 20
        assert client.get(cases[1]).status_code == 200
        eventually(lambda: log.waiting == 0)
        audit_lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        assert [line["message"] for line in audit_lines][:21] == [f"GET {cases[0]}"] * 20 + [
            f"DELETE {cases[0]}"
        ]


def test_places_are_kept_for_removals(auditing: Callable[[Path], AuditHandler]) -> None:
    log = auditing(Path("/dev/full"))
    log._most_waiting = FOR_REMOVALS + 1
    assert audit.has_place("GET")
    note(log, "one")
    assert not audit.has_place("GET") and audit.has_place("DELETE")
