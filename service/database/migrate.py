"""Migrate: bring a database's tables up to date, from whichever version it has."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from anatomy.errors import AnatomyError
from service.database.connection import Database

_LOCK = "migrations"


def migrate(database: Database) -> None:
    """Make the tables, or change them to what this software needs. Servers that start together take turns.

    Raises AnatomyError for a database of a newer version, and connection.Unavailable.
    """
    database.write(_upgrade, _LOCK)


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
    except (CommandError, ResolutionError) as error:
        raise AnatomyError(
            "SEEDPATH_DATABASE_URL",
            f"the database was written by a newer version of this software ({error})",
            "Use that version, or another database.",
        ) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
