"""Rows of a backup: all rows at one moment, in an SQLite file, whichever database they came from."""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select, text

from service.maintenance.backup.manifest import BackupError, ItemId
from service.schemas.result_kinds import CASE, ResultKind
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate, newest, revision
from service.storage.database.tables import holdings, jobs, metadata
from service.storage.job_states import OPEN
from service.storage.ownership import everything

AT_ONCE = 1000
"""Rows that are copied together [U]."""

URL = "SEEDPATH_DATABASE_URL"

REBUILD = "`seedpath store rebuild` makes a damaged database again from the files."


def copy_records(database: Database, file: Path) -> None:
    """Write all rows, as of one moment, to a new SQLite file, while others read and write.

    Raises BackupError for a database of another version, or a damaged one; OSError, and
    database.connection.Unavailable.
    """
    version = revision(database)
    if version != newest():
        raise BackupError(
            URL,
            f"its tables are of version {version or 'none'}, and this software's are of {newest()}",
            "Use the version that serves it, or start this one's server, which brings it up to date.",
        )
    if database.engine.dialect.name == "sqlite":
        _copy_sqlite(database, file)
    else:
        with contextlib.closing(Database(f"sqlite:///{file}", 0.0)) as copy:
            migrate(copy)
            with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source:
                # The disk of the copy may be slower than the server waits for its clients.
                source.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                _copy_rows(source, copy)


def settle(file: Path) -> None:
    """Put everything of a database that nobody has open into one file, which can then be copied and
    hashed."""
    with contextlib.closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise BackupError(URL, f"the database is damaged ({verdict})", REBUILD)


def load_records(file: Path, database: Database) -> None:
    """Load the rows of such a file into an empty database. Raises BackupError if it has rows already."""
    migrate(database)
    with contextlib.closing(Database(f"sqlite:///{file}", 0.0)) as source:
        migrate(source)
        refuse_rows(database)
        with source.engine.connect() as connection:
            _copy_rows(connection, database)
    if database.engine.dialect.name == "postgresql":
        database.write(_count_on)


def refuse_rows(database: Database) -> None:
    """Raises BackupError where a database, which has tables, has rows."""

    def has_rows(connection: Connection) -> bool:
        return any(connection.scalar(select(func.count()).select_from(t)) for t in (holdings, jobs))

    if database.read(has_rows):
        raise BackupError(
            URL, "the database has rows already", "Name an empty one: a backup is never mixed with others."
        )


def needed(connection: Connection) -> set[tuple[str, str]]:
    """Kind and id of all items whose files the rows need: held items, and those that open jobs use."""
    working = connection.execute(select(jobs.c.case_id, jobs.c.plan_id).where(jobs.c.state.in_(OPEN))).all()
    cases = {(CASE, case_id) for case_id, _ in working}
    plans = {(str(ResultKind.PLAN), plan_id) for _, plan_id in working if plan_id is not None}
    return everything(connection) | cases | plans


def drop_rows(connection: Connection, things: Iterable[ItemId]) -> None:
    """Remove the rows that need these items: they were given up, and the jobs on them have ended."""
    for item in things:
        is_open = jobs.c.state.in_(OPEN)
        if item.kind == CASE:
            connection.execute(delete(holdings).where(holdings.c.case_id == item.id))
            connection.execute(delete(jobs).where(is_open, jobs.c.case_id == item.id))
            continue
        conditions = holdings.c.kind == item.kind, holdings.c.id == item.id
        connection.execute(delete(holdings).where(*conditions))
        if item.kind == ResultKind.PLAN:
            connection.execute(delete(jobs).where(is_open, jobs.c.plan_id == item.id))


def _copy_sqlite(database: Database, file: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(file)) as copy, database.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            # In one step: otherwise a write in between would restart it.
            driver.backup(copy)
    except sqlite3.DatabaseError as error:
        raise BackupError(URL, f"the database cannot be copied ({error})", REBUILD) from None
    settle(file)


def _copy_rows(source: Connection, target: Database) -> None:
    """Copy all rows of all tables, in the order of their references; all of them or none."""

    def change(connection: Connection) -> None:
        for table in metadata.sorted_tables:
            rows = source.execution_options(yield_per=AT_ONCE).execute(select(table)).mappings()
            for some in rows.partitions():
                values = [{str(name): value for name, value in row.items()} for row in some]
                connection.execute(insert(table), values)

    target.write(change)


def _count_on(connection: Connection) -> None:
    """Let PostgreSQL number new rows after the loaded ones."""
    for table in (holdings, jobs):
        last = select(func.coalesce(func.max(table.c.number), 0) + 1).scalar_subquery()
        counter = func.pg_get_serial_sequence(table.name, "number")
        connection.execute(select(func.setval(counter, last, False)))
