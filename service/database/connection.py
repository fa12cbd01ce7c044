"""Connection: transactions that are tried again while the database is away, and locks by name.

What runs in a transaction is handed over as a function, so that it can run again from its beginning. It must
do nothing outside the database that may not happen twice.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

T = TypeVar("T")

BUSY_S = 10.0
"""How long one SQLite transaction waits for another to end [U]."""

CONNECT_S = 3
"""How long a connection to a server may take to open [U]."""

POSTGRES = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s",
}
"""A server, or another that holds a lock, that is gone without a word is noticed within these [U]."""

PAUSE_S = 0.2
"""Between two attempts [U]."""


class Unavailable(Exception):
    """The database is away, and stayed so for as long as was waited for it."""


class Database:
    """The records' database, as one process sees it."""

    def __init__(self, url: str, patience_s: float) -> None:
        self.engine = _engine(url)
        self._patience_s = patience_s

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def read(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` finds. Raises Unavailable."""
        return self._patiently(lambda: self._in_transaction(ask, writes=False, lock=None))

    def write(self, change: Callable[[Connection], T], lock: str | None = None) -> T:
        """Do `change` as a whole or not at all; no other with the same `lock` runs at that time, in any
        process. Raises Unavailable, and OSError where the disk is full or cannot be written."""
        return self._patiently(lambda: self._in_transaction(change, writes=True, lock=lock))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _in_transaction(self, run: Callable[[Connection], T], *, writes: bool, lock: str | None) -> T:
        with self.engine.connect().execution_options(writes=writes) as connection, connection.begin():
            # In SQLite there is one writer at a time anyway.
            if lock is not None and not self._is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:n, 0))"), {"n": lock})
            return run(connection)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return attempt()
            except (DBAPIError, NoConnectionFree) as error:
                _refuse_full_disk(error)
                if not _may_pass(error):
                    raise
                if time.monotonic() >= until:
                    raise Unavailable(f"The database does not answer ({type(error).__name__}).") from error
                time.sleep(PAUSE_S)


def _may_pass(error: Exception) -> bool:
    """Whether the same may succeed later: the server is away or starting, or another holds what is needed."""
    if not isinstance(error, DBAPIError):
        return True
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error) in _PASSING
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated


def _refuse_full_disk(error: Exception) -> None:
    """Raises OSError where SQLite says what an operating system would."""
    code = _sqlite_code(error)
    number = None if code is None else _DISK.get(code)
    if number is not None:
        raise OSError(number, os.strerror(number)) from error


_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)

_DISK = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}


def _sqlite_code(error: Exception) -> int | None:
    """SQLite's primary result code, without the details in its upper bytes."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _engine(url: str) -> Engine:
    asked = make_url(url)
    if asked.get_backend_name() == "sqlite":
        engine = create_engine(asked, connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if asked.drivername == "postgresql":
        asked = asked.set(drivername="postgresql+psycopg")
    return create_engine(asked, pool_pre_ping=True, pool_timeout=CONNECT_S, connect_args=POSTGRES)


def _open_sqlite(connection: Any, record: Any) -> None:
    del record
    # Transactions begin where `_begin_sqlite` says so, not where the driver guesses.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then wants to write can be refused at once; one that says so waits.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
