"""Unusable databases: malformed addresses, damaged files, other tables. Each has its own message."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import plan_work as fakes
import pytest
from alembic import command
from rest_calls import client_of, problem, upload
from sqlalchemy import Connection, func, inspect, select, text

from anatomy.errors import AnatomyError
from service.cli import exit_status
from service.cli import main as cli
from service.operations.job_tasks import Work
from service.settings import Settings
from service.storage.database import migrate as migrating
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate, newest, revision
from service.storage.database.shape import differences
from service.storage.database.tables import holdings
from service.storage.errors import DamagedDatabase, Unavailable
from service.web.app import create_app
from service.web.server import serve_in_background
from service.web.services import state_of_app

OpenDatabase = Callable[[str, float], Database]

SHORT_S = 0.3

# Addresses

SECRET = "s3cret"

BAD_ADDRESSES = {
    "": "no URL",
    "records": "no URL",
    f"{SECRET}": "no URL",
    f"//user:{SECRET}@host/name": "no URL",
    f"mysql://user:{SECRET}@host/name": "'mysql' is not a supported database",
    f"nothing://user:{SECRET}@host/name": "'nothing' is not a supported database",
    f"postgresql+psycopg2://user:{SECRET}@host/name": "'postgresql+psycopg2' is not a supported database",
    f"postgres://user:{SECRET}@host/name": "'postgres' is not a supported database",
    f"postgresql://user:{SECRET}@host:port/name": "port is not a number",
    f"postgresql://user:{SECRET}@host:99999/name": "99999 is not a port",
    f"postgresql://user:half@{SECRET}@host/name": "second @",
    "sqlite://": "in memory",
    "sqlite:///": "in memory",
    "sqlite:///:memory:": "in memory",
    "sqlite:///file:x?mode=memory&uri=true": "options",
    "sqlite:///x.sqlite?timeout=1": "options",
    "sqlite://folder/x.sqlite": "slash is missing",
}


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_a_malformed_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(AnatomyError) as caught:
        Database(url, SHORT_S)
    text = str(caught.value)
    assert BAD_ADDRESSES[url] in text and "SEEDPATH_DATABASE_URL" in text and "Write postgresql://" in text
    assert SECRET not in text and "\n" not in text


def exit_status_of_server(monkeypatch: pytest.MonkeyPatch, data: Path, url: str | None = None) -> int:
    """The exit status of a server that fails at its start."""
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(data))
    monkeypatch.setenv("SEEDPATH_PORT", "0")
    monkeypatch.setenv("SEEDPATH_DATABASE_PATIENCE_S", str(SHORT_S))
    if url is not None:
        monkeypatch.setenv("SEEDPATH_DATABASE_URL", url)
    return cli.main(["serve"])


@pytest.mark.parametrize(
    "url, told",
    [
        ("mysql://user:s3cret@host/name", "'mysql' is not a supported database"),
        ("sqlite:////{folder}/nowhere/x.sqlite", "nowhere is not a folder"),
        ("sqlite:////{folder}", "is a folder"),
        # A local port on which no program listens.
        ("postgresql://user:s3cret@127.0.0.1:9/name", "does not answer"),
        ("postgresql://user:s3cret@127.0.0.1:9/name?no_option=1", "no_option"),
    ],
)
def test_a_server_without_a_usable_database_reports_it_and_ends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    told: str,
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    assert (
        exit_status_of_server(monkeypatch, tmp_path / "data", url.format(folder=folder))
        == exit_status.BAD_INPUT
    )
    stderr = capsys.readouterr().err
    assert told in stderr and stderr.startswith("seedpath: error: ") and stderr.count("\n") == 1
    assert SECRET not in stderr and "Traceback" not in stderr


# Files

PAGE_BYTES = 4096

INTERIOR_OF_INDEX = 2
"""The type byte of a SQLite page."""


def with_noise_in_page(data: bytes, number: int) -> bytes:
    """The data with noise in the page of that number, counted from 1."""
    start = (number - 1) * PAGE_BYTES
    return data[:start] + os.urandom(PAGE_BYTES) + data[start + PAGE_BYTES :]


def database_of_another_program(data: bytes) -> bytes:
    """A database of another program, in which a table has the name of one of this service."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE jobs (wage REAL)")
        return connection.serialize()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"These are no records.\n" * 1000,
    "cut in a page": lambda data: data[: len(data) // 2 + 100],
    "cut to a few bytes": lambda data: data[:10],
    "cut in its head": lambda data: data[:50],
    "noise in its first page": lambda data: with_noise_in_page(data, 1),
    "noise in a page": lambda data: with_noise_in_page(data, 5),
    "noise everywhere": lambda data: os.urandom(len(data)),
    "another program's": database_of_another_program,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with rows, closed properly."""
    made = tmp_path / "data" / "seedpath.sqlite"
    made.parent.mkdir(mode=0o700)
    database = Database(f"sqlite:///{made}", SHORT_S)
    migrate(database)
    database.write(lambda c: c.execute(holdings.insert(), [row(str(n)) for n in range(500)]))
    database.close()
    return made


def row(id: str) -> dict[str, object]:
    return {"owner": "o", "kind": "plans", "id": id, "case_id": "c", "created_s": 1.0}


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(holdings)) or 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_reported_at_the_start_and_left_unchanged(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    bytes_before = file.read_bytes()
    assert exit_status_of_server(monkeypatch, file.parent) == exit_status.BAD_INPUT
    stderr = capsys.readouterr().err
    assert stderr.startswith("seedpath: error: SEEDPATH_DATABASE_URL: ") and stderr.count("\n") == 1
    assert ("table jobs already exists" if damage == "another program's" else f"{file} is damaged") in stderr
    assert "backup" in stderr or "another database" in stderr
    # In a foreign file only the journal mode changes: SQLite stores it in the file header.
    assert file.read_bytes()[100:] == bytes_before[100:]


def last_byte_of_entry(data: bytes, page: int) -> int:
    """Offset of the last byte of an index entry, in the first leaf below a page: a byte of its row number
    (sqlite.org/fileformat2.html, 1.6)."""
    start = (page - 1) * PAGE_BYTES
    if data[start] == INTERIOR_OF_INDEX:
        cell = start + int.from_bytes(data[start + 12 : start + 14])
        return last_byte_of_entry(data, int.from_bytes(data[cell : cell + 4]))
    cells = int.from_bytes(data[start + 3 : start + 5])
    cell = start + int.from_bytes(data[start + 6 + 2 * cells : start + 8 + 2 * cells])
    # The length is a single byte, since these entries are short.
    return cell + data[cell]


def test_one_changed_bit_in_an_index_is_found_as_damage(file: Path, open_database: OpenDatabase) -> None:
    """With such an index an existing row is not found, and a file that an owner holds would be removed."""
    data = file.read_bytes()
    with sqlite3.connect(file) as connection:
        query = "SELECT name, rootpage FROM sqlite_master WHERE tbl_name = 'holdings' AND type = 'index'"
        indexes = connection.execute(query).fetchall()
    connection.close()
    assert len(indexes) >= 4
    for name, page in indexes:
        changed = bytearray(data)
        changed[last_byte_of_entry(data, page)] ^= 1
        file.write_bytes(changed)
        with pytest.raises(AnatomyError, match="is damaged"):
            migrate(open_database(f"sqlite:///{file}", SHORT_S))
        assert file.read_bytes()[PAGE_BYTES:] == changed[PAGE_BYTES:], name


def test_an_empty_file_becomes_an_empty_database(file: Path, open_database: OpenDatabase) -> None:
    file.write_bytes(b"")
    database = open_database(f"sqlite:///{file}", SHORT_S)
    migrate(database)
    assert revision(database) == newest() and database.read(count) == 0


@pytest.mark.parametrize("offset", [40, 3000, 20_000])
def test_a_damaged_write_ahead_log_keeps_only_complete_transactions(
    file: Path, tmp_path: Path, open_database: OpenDatabase, offset: int
) -> None:
    """As after a power cut: transactions after the damage are lost, and none is applied in part."""
    running_database = open_database(f"sqlite:///{file}", SHORT_S)
    for number in range(20):
        rows = [row(f"{number}-{n}") for n in range(10)]
        running_database.write(lambda c, rows=rows: c.execute(holdings.insert(), rows))
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(file.read_bytes())
    log = bytearray(file.with_name(f"{file.name}-wal").read_bytes())
    assert len(log) > 30_000
    log[offset] ^= 0xFF
    copy.with_name(f"{copy.name}-wal").write_bytes(log)
    database = open_database(f"sqlite:///{copy}", SHORT_S)
    migrate(database)
    row_count = database.read(count)
    assert row_count % 10 == 0 and 500 <= row_count < 700


def test_a_file_damaged_while_the_server_runs_is_answered_as_a_problem(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_patience_s=SHORT_S)
    app = create_app(settings, Work(fakes.describe, fakes.plan))
    with serve_in_background(app) as base_url, client_of(base_url, None) as client:
        case = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]
        file = settings.data_dir / "seedpath.sqlite"
        noise = os.urandom(1 << 20)
        for database_file in (file, file.with_name(f"{file.name}-wal")):
            with database_file.open("r+b") as stream:
                stream.write(noise)
        # Open connections would keep using the pages that they have read, and write them.
        state_of_app(app).database.close()
        for response in (client.get(case), client.get("/v1/jobs"), client.delete(case)):
            detail = problem(response, "unavailable")["detail"]
            assert "damaged" in detail and "backup" in detail and str(tmp_path) not in detail


def test_a_locked_file_is_reported_as_such(
    file: Path, monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase
) -> None:
    monkeypatch.setattr("service.storage.database.connection.BUSY_S", SHORT_S)
    database = open_database(f"sqlite:///{file}", SHORT_S)
    with sqlite3.connect(file, isolation_level=None) as other_connection:
        other_connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="Another program holds the database"):
            migrate(database)
        other_connection.execute("ROLLBACK")
    other_connection.close()
    migrate(database)


def test_an_unreadable_file_is_reported_with_its_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real_open = Path.open

    def refuse(path: Path, *arguments: object, **keywords: object) -> object:
        # Patched, because root may read every file.
        if path == file:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real_open(path, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", refuse)
    assert exit_status_of_server(monkeypatch, file.parent) == exit_status.BAD_INPUT
    assert capsys.readouterr().err == f"seedpath: error: {file}: Permission denied.\n"


def test_a_damaged_database_is_not_retried(file: Path, open_database: OpenDatabase) -> None:
    file.write_bytes(bytes(8192))
    database = open_database(f"sqlite:///{file}", 1e6)
    with pytest.raises(DamagedDatabase):
        database.read(count)


# Shapes

CHANGES = {
    "DROP TABLE requests": "table requests is missing",
    "ALTER TABLE jobs DROP COLUMN losses": "column jobs.losses is missing",
    "ALTER TABLE jobs ADD COLUMN wage FLOAT": "column jobs.wage is too many",
    "DROP INDEX ix_holdings_kind_id": "index ix_holdings_kind_id of holdings is missing",
    "CREATE UNIQUE INDEX one ON jobs (case_id)": "one of jobs is too many",
}


@dataclass(frozen=True)
class ChangedTable:
    """A table with another definition: changed by a statement in PostgreSQL; in SQLite, which cannot alter
    it so, created again with other words."""

    postgresql: str
    table: str
    words: tuple[str, str]

    def __call__(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(self.postgresql))
            return
        statements = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE tbl_name = :t AND sql IS NOT NULL ORDER BY type DESC"),
            {"t": self.table},
        )
        table, *indexes = statements.scalars().all()
        assert self.words[0] in table
        connection.execute(text(f"DROP TABLE {self.table}"))
        for statement in (table.replace(*self.words), *indexes):
            connection.execute(text(statement))


CHANGED_TABLES = {
    "column jobs.attempt is of another type": ChangedTable(
        "ALTER TABLE jobs ALTER COLUMN attempt TYPE TEXT", "jobs", ("attempt INTEGER", "attempt TEXT")
    ),
    "jobs.attempt is null or not": ChangedTable(
        "ALTER TABLE jobs ALTER COLUMN attempt DROP NOT NULL",
        "jobs",
        ("attempt INTEGER NOT NULL", "attempt INTEGER"),
    ),
    "fk_job_events_job_id of job_events": ChangedTable(
        "ALTER TABLE job_events DROP CONSTRAINT fk_job_events_job_id",
        "job_events",
        ("FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE", "CHECK (number >= 0)"),
    ),
    "constraint uq_jobs_id of jobs is missing": ChangedTable(
        "ALTER TABLE jobs DROP CONSTRAINT uq_jobs_id CASCADE", "jobs", ("UNIQUE (id)", "CHECK (number >= 0)")
    ),
    "table sizes has another primary key": ChangedTable(
        "ALTER TABLE sizes DROP CONSTRAINT pk_sizes",
        "sizes",
        ("PRIMARY KEY (kind, id)", "CHECK (bytes >= 0)"),
    ),
}

HARMLESS = ("CREATE TABLE theirs (a INTEGER)", "CREATE INDEX quick ON jobs (created_s)")


@pytest.mark.parametrize("change", CHANGES)
def test_tables_that_do_not_match_their_version_number_are_refused(
    database_url: str, open_database: OpenDatabase, change: str
) -> None:
    check_refused_after(
        open_database(database_url, SHORT_S), lambda c: c.execute(text(change)), CHANGES[change]
    )


@pytest.mark.parametrize("message", CHANGED_TABLES)
def test_columns_and_keys_with_another_definition_are_refused(
    database_url: str, open_database: OpenDatabase, message: str
) -> None:
    check_refused_after(open_database(database_url, SHORT_S), CHANGED_TABLES[message], message)


def check_refused_after(database: Database, change: Callable[[Connection], object], message: str) -> None:
    migrate(database)
    database.write(change)
    with pytest.raises(AnatomyError) as caught:
        migrate(database)
    text = str(caught.value)
    assert message in text and "Bring back a backup" in text and "SEEDPATH_DATABASE_URL" in text
    assert revision(database) == newest()


def test_foreign_tables_and_additional_indexes_are_ignored(
    database_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(database_url, SHORT_S)
    migrate(database)
    for change in HARMLESS:
        database.write(lambda c, change=change: c.execute(text(change)))
    migrate(database)
    assert database.read(differences) == []


def test_tables_of_the_unreleased_first_migration_are_refused_and_left_unchanged(
    database_url: str, open_database: OpenDatabase
) -> None:
    """The first migration was changed before its release: its earlier tables lack two columns."""
    database = open_database(database_url, SHORT_S)

    def create_old_tables(connection: Connection) -> None:
        config = migrating._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for column in ("losses", "begun_by"):
            connection.execute(text(f"ALTER TABLE jobs DROP COLUMN {column}"))

    database.write(create_old_tables)
    with pytest.raises(AnatomyError) as caught:
        migrate(database)
    assert "column jobs.begun_by is missing, column jobs.losses is missing" in str(caught.value)
    # No later migration is applied in part.
    assert revision(database) == "0001"
    assert "sizes" not in database.read(lambda c: inspect(c).get_table_names())


# Migrations

SHA256 = {
    "v0001_first": "e1efcb91e3865c2bdd52cba8604e9a866aa2edc14544e7d3959957586b2ddd48",
    "v0002_summaries": "28253d0a67f1b4d09b9fa3bec469c28806c2ecb3ccf30e7937cb36328c2a5654",
    "v0003_sizes": "16563ad2c49e5bf0d1529691f03ea378d33ff458994e5567d5d37a4550bd2a49",
    "v0004_uses": "32b58df7352e2514df5c248f9faf688fe7e4d7e7d1fbf6b8b6f3898012093844",
}
"""Digest of each released migration, which databases were made by. Any change needs a new migration."""


def test_released_migrations_are_unchanged() -> None:
    folder = Path(migrating.__file__).parent / "migrations" / "versions"
    digests = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("v*.py")}
    assert digests == SHA256
