"""Open store: a service's data folder and its database, for commands on them. Creates nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from anatomy.errors import AnatomyError
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.database.migrate import refuse_unfit
from service.storage.reserved_space import records_room
from service.study.folder import is_study


def refuse_other_folder(settings: Settings) -> None:
    """Raises AnatomyError for a folder that is not a service's data folder."""
    if not (settings.data_dir / "cases").is_dir() or is_study(settings.data_dir):
        raise AnatomyError(
            "SEEDPATH_DATA_DIR",
            f"{settings.data_dir} is not a data folder of a service",
            "Name the one that the service uses, by this or by --data-dir.",
        )


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of a service's data folder, which is there and whole.

    Raises AnatomyError for another folder, and for a database that is not there, damaged, or has other
    tables; OSError, and database.connection.Unavailable.
    """
    refuse_other_folder(settings)
    with closing(database_of(settings)) as database:
        refuse_unfit(database)
        yield database


def database_of(settings: Settings) -> Database:
    """The database, whatever is in it. Raises AnatomyError for a URL that names none."""
    return Database(settings.database, settings.database_patience_s, records_room(settings))
