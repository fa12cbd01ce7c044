"""Connection: transactions that are repeated while the database is unreachable, and locks by name.

A transaction is passed as a function, so that it can run again from its beginning. Outside the database, the
function must do nothing that may not happen twice.
"""

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from service.storage.database.address import address_of, file_of
from service.storage.errors import DamagedDatabase, Unavailable

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
"""With these settings, a server that disappeared, or another client that holds a lock, is noticed in time
[U]."""

PAUSE_S = 0.2
"""Between two attempts [U]."""


class Database:
    """The records' database, as one process sees it.

    `make_room` frees reserved disk space for records, and returns whether there was some. Raises AnatomyError
    for a URL that names no database.
    """

    def __init__(self, url: str, patience_s: float, make_room: Callable[[], bool] = lambda: False) -> None:
        self.address = address_of(url)
        self.engine = _engine(self.address)
        self._patience_s, self._make_room = patience_s, make_room
        self._turn = threading.Lock()

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def read(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` returns. Raises Unavailable."""
        return self._patiently(lambda: self._in_transaction(ask, writes=False, lock=None), True)

    def write(self, change: Callable[[Connection], T], lock: str | None = None, *, needed: bool = True) -> T:
        """Do `change` as a whole or not at all; no other with the same `lock` runs at that time, in any
        process. On a full disk what is `needed` takes from the room that is kept back for records.

        Raises Unavailable, and OSError where the disk is full or cannot be written.
        """
        return self._patiently(lambda: self._in_transaction(change, writes=True, lock=lock), needed)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _in_transaction(self, run: Callable[[Connection], T], *, writes: bool, lock: str | None) -> T:
        turn = self._own_turn() if writes and self._is_sqlite else contextlib.nullcontext()
        with turn, self.engine.connect().execution_options(writes=writes) as connection, connection.begin():
            # In SQLite there is one writer at a time anyway.
            if lock is not None and not self._is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:n, 0))"), {"n": lock})
            return run(connection)

    @contextlib.contextmanager
    def _own_turn(self) -> Iterator[None]:
        """One writer of this process at a time. SQLite lets waiting writers try again after longer and longer
        pauses, so that with many writers some wait for seconds."""
        if not self._turn.acquire(timeout=BUSY_S):
            raise Unavailable(_SAID[sqlite3.SQLITE_BUSY])
        try:
            yield
        finally:
            self._turn.release()

    def _patiently(self, attempt: Callable[[], T], needed: bool) -> T:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return attempt()
            except (DBAPIError, NoConnectionFree) as error:
                if needed and _may_lack_room(error) and self._make_room():
                    continue
                self._refuse_full_disk(error)
                self._refuse_damage(error)
                if not _may_pass(error):
                    raise
                if time.monotonic() >= until:
                    raise Unavailable(_driver_text(error)) from error
                time.sleep(PAUSE_S)

    def _refuse_full_disk(self, error: Exception) -> None:
        """Raises OSError where SQLite says what an operating system would."""
        code = _sqlite_code(error)
        number = None if code is None else _DISK.get(code & PRIMARY)
        if number is not None:
            raise OSError(number, os.strerror(number), str(file_of(self.address))) from error

    def _refuse_damage(self, error: Exception) -> None:
        """Raises DamagedDatabase where SQLite cannot read what is there."""
        code = _sqlite_code(error)
        if code is not None and code & PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedDatabase(
                "The file of the service's records is damaged, or is no SQLite database. Whoever runs the "
                "service must bring it back from a backup."
            ) from error


def _may_pass(error: Exception) -> bool:
    """Whether a retry may succeed: the server is unreachable or starting, or another client holds a lock."""
    if not isinstance(error, DBAPIError):
        return True
    if isinstance(error.orig, sqlite3.Error):
        return (_sqlite_code(error) or 0) & PRIMARY in _PASSING
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated


_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)

_DISK = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}


_LACK_ROOM = (
    sqlite3.SQLITE_FULL,
    # These report a quota, and disks that notice late that they are full.
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)

PRIMARY = 0xFF
"""Of SQLite's result codes: the details are in the bits above."""


def _sqlite_code(error: Exception) -> int | None:
    """SQLite's result code, with its details."""
    code: int | None = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code


def _may_lack_room(error: Exception) -> bool:
    """Whether the disk may be full."""
    return _sqlite_code(error) in _LACK_ROOM


_SAID = {
    sqlite3.SQLITE_BUSY: "Another program holds the database.",
    sqlite3.SQLITE_LOCKED: "Another program holds the database.",
    sqlite3.SQLITE_CANTOPEN: "The database's file cannot be opened.",
    sqlite3.SQLITE_IOERR: "The disk that the database is on fails.",
}


def _driver_text(error: Exception) -> str:
    """What is wrong, without an address or a path."""
    otherwise = f"The database does not answer ({type(error).__name__})."
    return _SAID.get((_sqlite_code(error) or 0) & PRIMARY, otherwise)


def _engine(address: URL) -> Engine:
    if file_of(address) is not None:
        engine = create_engine(address, connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(address, pool_pre_ping=True, pool_timeout=CONNECT_S, connect_args=POSTGRES)


def _open_sqlite(connection: Any, record: Any) -> None:
    del record
    # The write-ahead log is reused in place and not truncated: its disk space stays reserved when the disk
    # fills. `_begin_sqlite` starts transactions, not the driver by its own rules.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at once; one that starts as a writer waits.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
