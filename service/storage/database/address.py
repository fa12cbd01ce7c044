"""Address: what a database's URL must be. Error messages never repeat the URL, because it contains a
password."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from anatomy.errors import AnatomyError

SETTING = "SEEDPATH_DATABASE_URL"

_REMEDY = (
    "Write postgresql://USER:PASSWORD@HOST/NAME, with %40 for an @ in a password, or "
    "sqlite:////FOLDER/FILE, or leave it out for a SQLite file in the data folder."
)

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def address_of(url: str) -> URL:
    """The address that a URL names, with the driver that this software has.

    Raises AnatomyError for one that names none, or a database that processes cannot share.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise AnatomyError(SETTING, "it is no URL of a database", _REMEDY) from None
    except ValueError:
        raise AnatomyError(SETTING, "its port is not a number", _REMEDY) from None
    driver = _DRIVERS.get(address.drivername)
    if driver is None:
        raise AnatomyError(SETTING, f"{address.drivername[:40]!a} is not a supported database", _REMEDY)
    address = address.set(drivername=driver)
    if driver == "sqlite":
        _refuse_bad_file(address)
    elif address.host is not None and "@" in address.host:
        raise AnatomyError(SETTING, "it has a second @", _REMEDY)
    elif address.port is not None and not 0 < address.port < 1 << 16:
        raise AnatomyError(SETTING, f"{address.port} is not a port", _REMEDY)
    return address


def _refuse_bad_file(address: URL) -> None:
    if address.host is not None:
        raise AnatomyError(SETTING, "a SQLite file is on no host: one slash is missing", _REMEDY)
    if not address.database or address.database == ":memory:":
        raise AnatomyError(SETTING, "records in memory would be each process's own, and lost", _REMEDY)
    if address.database.startswith("file:") or address.query:
        raise AnatomyError(SETTING, "options of SQLite are not taken", _REMEDY)


def file_of(address: URL) -> Path | None:
    """The SQLite file at an address; None where it is a server's."""
    return Path(address.database or "") if address.drivername == "sqlite" else None


def refuse_unusable(address: URL) -> None:
    """Raises AnatomyError for a SQLite file that cannot be there, or is something else; OSError, which names
    it, for one that may not be read or written."""
    file = file_of(address)
    if file is None:
        return
    if not file.parent.is_dir():
        raise AnatomyError(SETTING, f"{file.parent} is not a folder", "Make it, or name another file.")
    if file.is_dir():
        raise AnatomyError(SETTING, f"{file} is a folder", "Name a file in it.")
    if file.exists():
        file.open("r+b").close()
