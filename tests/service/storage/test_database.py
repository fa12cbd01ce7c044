"""The database of the records: migrations, waiting transactions, locks, both kinds of database."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgres import Postgres
from sqlalchemy import Connection, event, func, inspect, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from anatomy.errors import AnatomyError
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate, newest, revision
from service.storage.database.tables import holdings, metadata
from service.storage.errors import Unavailable

LONG_S = 30.0
SHORT_S = 0.5

OpenDatabase = Callable[[str, float], Database]


@pytest.fixture
def database(database_url: str, open_database: OpenDatabase) -> Database:
    database = open_database(database_url, LONG_S)
    migrate(database)
    return database


def row(id: str) -> dict[str, object]:
    return {"owner": "o", "kind": "plans", "id": id, "case_id": "c", "created_s": 1.0}


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(holdings)) or 0


def test_migrations_create_the_tables_of_the_metadata(database: Database) -> None:
    assert revision(database) == newest()
    differences = database.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert differences == []
    names = database.read(lambda c: set(inspect(c).get_table_names()))
    assert names == {*metadata.tables, "alembic_version"}


def test_a_second_migration_changes_nothing(database: Database) -> None:
    database.write(lambda c: c.execute(holdings.insert(), row("a")))
    migrate(database)
    assert database.read(count) == 1


def test_servers_that_start_together_migrate_once(database_url: str, open_database: OpenDatabase) -> None:
    databases = [open_database(database_url, LONG_S) for _ in range(4)]
    errors: list[BaseException] = []

    def start(database: Database) -> None:
        try:
            migrate(database)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and {revision(database) for database in databases} == {newest()}


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(AnatomyError, match="newer version"):
        migrate(database)


def test_a_failed_transaction_is_rolled_back(database: Database) -> None:
    def change(connection: Connection) -> None:
        connection.execute(holdings.insert(), row("a"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(change)
    assert database.read(count) == 0


def test_a_wrong_statement_fails_without_retries(database: Database) -> None:
    started_s = time.monotonic()
    with pytest.raises((ProgrammingError, OperationalError)):
        database.read(lambda c: c.execute(text("SELECT nothing FROM nowhere")).all())
    assert time.monotonic() - started_s < LONG_S / 2


def test_the_second_writer_with_a_lock_sees_the_change_of_the_first(database: Database) -> None:
    entered, counts = threading.Event(), []

    def write_row(connection: Connection) -> None:
        assert count(connection) == 0
        entered.set()
        time.sleep(0.3)
        connection.execute(holdings.insert(), row("a"))

    def count_rows(connection: Connection) -> None:
        counts.append(count(connection))

    thread = threading.Thread(target=database.write, args=(write_row, "store"))
    thread.start()
    assert entered.wait(LONG_S)
    database.write(count_rows, "store")
    thread.join()
    assert counts == [1]


def test_writers_of_one_process_take_turns_in_sqlite(
    tmp_path: Path, open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread begins a transaction while another's is open: waiting inside SQLite may starve it."""
    database = open_database(f"sqlite:///{tmp_path / 'turns.sqlite'}", 5.0)
    migrate(database)
    transactions: list[int] = []
    event.listen(database.engine, "begin", lambda _: transactions.append(1))
    transactions_at_once: list[int] = []

    def change(connection: Connection) -> None:
        time.sleep(0.02)
        transactions_at_once.append(len(transactions))
        transactions.clear()

    threads = [threading.Thread(target=database.write, args=(change,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert transactions_at_once == [1] * 8
    # Others are told of a writer that never ends.
    monkeypatch.setattr("service.storage.database.connection.BUSY_S", 0.05)
    with pytest.raises(Unavailable, match="Another program"):
        database.write(lambda c: database.write(lambda c: None))


def test_sqlite_that_cannot_be_opened_is_unavailable(tmp_path: Path, open_database: OpenDatabase) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'no-such-folder' / 'x.sqlite'}", SHORT_S)
    with pytest.raises(Unavailable, match="cannot be opened"):
        database.read(count)


def test_a_full_disk_is_reported_as_such(tmp_path: Path, open_database: OpenDatabase) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'x.sqlite'}", LONG_S)
    migrate(database)

    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count = 30"))
        connection.execute(holdings.insert(), [row(str(n)) for n in range(20_000)])

    with pytest.raises(OSError) as caught:
        database.write(fill)
    assert caught.value.errno == errno.ENOSPC
    assert database.read(count) == 0


def test_postgresql_that_is_stopped_is_unavailable_until_it_is_started(
    postgres: Postgres, open_database: OpenDatabase
) -> None:
    database, patient = open_database(postgres.url, SHORT_S), open_database(postgres.url, LONG_S)
    migrate(database)
    assert patient.read(count) == 0
    postgres.stop()
    writer = threading.Timer(0.0, lambda: patient.write(lambda c: c.execute(holdings.insert(), row("a"))))
    try:
        with pytest.raises(Unavailable):
            database.read(count)
        writer.start()
        time.sleep(SHORT_S)
    finally:
        postgres.start()
    writer.join()
    assert database.read(count) == 1
