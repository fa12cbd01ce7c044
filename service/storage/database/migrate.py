"""Migrate: bring a database's tables up to date, whichever version they have."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from anatomy.errors import AnatomyError
from service.storage.database.address import SETTING, file_of, refuse_unusable
from service.storage.database.connection import Database
from service.storage.database.shape import refuse_other_shape
from service.storage.errors import DamagedDatabase, driver_text

_LOCK = "migrations"

LOST_REMEDY = (
    "Bring it back from a backup, or make it again by `seedpath store rebuild`; "
    "files in the data folder stay."
)

NONE_REMEDY = f"Name the one that the service uses, if it is another. {LOST_REMEDY}"


def migrate(database: Database) -> None:
    """Make the tables, or change them to what this software needs. Servers that start together take turns.

    Raises AnatomyError for a URL, a file or tables that cannot be used, or of a newer version; OSError; and
    connection.Unavailable.
    """
    refuse_unusable(database.address)
    with _unusable_as_anatomy_error(database):
        database.read(_refuse_damaged_pages)
        database.write(_upgrade, _LOCK)


def refuse_unfit(database: Database) -> None:
    """Raises AnatomyError for a database that is not there, is damaged, or has tables of another version or
    shape, of which nothing is changed; OSError; and connection.Unavailable."""
    refuse_unusable(database.address)
    file = file_of(database.address)
    if file is not None and not file.exists():
        raise AnatomyError(SETTING, f"{file} is not there", NONE_REMEDY)
    if file is not None and file.stat().st_size == 0:
        # Where it is opened, SQLite makes a database of it.
        raise AnatomyError(SETTING, f"{file} has no tables", NONE_REMEDY)
    with _unusable_as_anatomy_error(database):
        database.read(_refuse_damaged_pages)
        version = revision(database)
        if version is None:
            raise AnatomyError(SETTING, "the database has no tables", NONE_REMEDY)
        if version != newest():
            raise AnatomyError(
                SETTING,
                f"its tables are of version {version}, and this software's are of {newest()}",
                "Use the version that serves it, or start this one's server, which brings it up to date.",
            )
        database.read(refuse_other_shape)


@contextmanager
def _unusable_as_anatomy_error(database: Database) -> Iterator[None]:
    """What a driver says of a database that cannot be used, as AnatomyError."""
    try:
        yield
    except DamagedDatabase:
        file = file_of(database.address)
        raise AnatomyError(
            SETTING, f"{file} is damaged, or is no SQLite database", f"Move it away. {LOST_REMEDY}"
        ) from None
    except DBAPIError as error:
        reason = driver_text(error)
        raise AnatomyError(
            SETTING, f"the database cannot be used ({reason})", "Mend it, or name another database."
        ) from None


def _refuse_damaged_pages(connection: Connection) -> None:
    """Raises DamagedDatabase if SQLite finds a damaged page, or an index that does not match its table: with
    such an index, an existing row would not be found, and files that somebody holds would be removed."""
    if connection.dialect.name == "sqlite":
        verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if verdict != "ok":
            raise DamagedDatabase(str(verdict))


def revision(database: Database) -> str | None:
    """The version of the tables; None where there are none. Raises connection.Unavailable."""
    return database.read(lambda connection: MigrationContext.configure(connection).get_current_revision())


def newest() -> str:
    """The version that this software needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
        refuse_other_shape(connection)
    except (CommandError, ResolutionError) as error:
        raise AnatomyError(
            SETTING,
            f"the database was written by a newer version of this software ({error})",
            "Use that version, or another database.",
        ) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
