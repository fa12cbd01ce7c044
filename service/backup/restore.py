"""Restore: bring one backup back, in an empty data folder and an empty database."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from sqlalchemy import make_url

from anatomy.errors import AnatomyError
from planner.number_text import counted
from service.backup.make import MARK, made_backups
from service.backup.manifest import RECORDS, BackupError, CopiedFile, Manifest, damaged, read_manifest
from service.backup.places import STORE
from service.backup.pool import Pool, copied
from service.backup.records import load_records, refuse_rows, settle
from service.database.connection import Database
from service.database.migrate import migrate
from service.files import flush

_ASIDE = ".restoring"
"""In the data folder: what was not brought back whole. It may go at any time."""


def chosen(source: Path, name: str | None = None) -> Path:
    """The backup of that name in a folder of them, else the newest. Raises BackupError."""
    made = made_backups(source)
    if not (source / MARK).is_file() or not made:
        raise BackupError(
            f"{source}", "it holds no backup", "Name the folder that `seedpath store backup` was given."
        )
    found = [folder for folder in made if name in (None, folder.name)]
    if not found:
        names = ", ".join(folder.name for folder in made[-5:])
        raise BackupError("--backup", f"{source} holds no {name!r}", f"The newest are: {names}.")
    return found[-1]


def verified(source: Path, backup: Path) -> Manifest:
    """What a backup holds, each of its files held against its hash.

    Raises BackupError, which names a file that is damaged or missing, and OSError.
    """
    manifest = read_manifest(backup)
    pool = Pool(source / "files")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for file in manifest.files:
            _copy(pool, file, nowhere)
    finally:
        os.close(nowhere)
    return manifest


def restore(
    source: Path, backup: Path, data_dir: Path, database_url: str, own: Collection[Path] = ()
) -> Manifest:
    """Bring a backup back. `own` are files of whoever runs the service that may be in the data folder
    already, such as that of its keys.

    Raises BackupError where the folder or the database is used or not empty, where a newer version made the
    backup, and for a file of it that is damaged, which is named: then nothing is brought back. Raises
    OSError, and database.connection.Unavailable.
    """
    manifest = read_manifest(backup)
    _refuse_used(data_dir, own)
    sqlite = _sqlite_file(database_url)
    with contextlib.closing(Database(database_url, 0.0)) as database:
        if sqlite is None:
            migrate(database)
            refuse_rows(database)
        elif sqlite.exists():
            raise BackupError(f"{sqlite}", "the database is there already", "Move it away first.")
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = data_dir / _ASIDE
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        placed: list[Path] = []
        try:
            records = aside / RECORDS
            shutil.copyfile(backup / RECORDS, records)
            _bring_up_to_date(records, backup, manifest)
            pool = Pool(source / "files")
            for file in manifest.files:
                _place(pool, file, aside)
            for name in STORE:
                if (aside / name).is_dir():
                    placed.append((aside / name).rename(data_dir / name))
            # The rows come last: files without rows do no harm, rows without files would.
            if sqlite is None:
                load_records(records, database)
            else:
                sqlite.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.move(records, sqlite)
                flush(sqlite.parent)
        except BaseException:
            for folder in placed:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    flush(data_dir)
    return manifest


def _refuse_used(data_dir: Path, own: Collection[Path]) -> None:
    """Raises BackupError for a data folder that a server uses, or that holds anything."""
    if not data_dir.exists():
        return
    with contextlib.suppress(FileNotFoundError), (data_dir / "engine.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"{data_dir}", "a server uses this data folder", "Name an empty one, or end the server first."
            ) from None
    allowed = {path.resolve() for path in own}
    allowed |= {path.with_name(f"{path.name}.lock") for path in allowed}
    held = [
        path.name
        for path in data_dir.iterdir()
        if path.name not in (_ASIDE, "lost+found") and path.resolve() not in allowed
    ]
    if held:
        raise BackupError(
            f"{data_dir}",
            f"it is not empty: it holds {counted(len(held), 'entry', 'entries')}, {min(held)!r} among them",
            "Name an empty folder, or move what is in it away: a backup is never mixed with others.",
        )


def _bring_up_to_date(records: Path, backup: Path, manifest: Manifest) -> None:
    """Have the rows be of this software's version. Raises BackupError for those of a newer one."""
    try:
        with contextlib.closing(Database(f"sqlite:///{records}", 0.0)) as database:
            migrate(database)
    except AnatomyError:
        raise BackupError(
            f"{backup}",
            f"it was made by {manifest.software}, which is newer than this software",
            "Restore it by that version.",
        ) from None
    settle(records)


def _sqlite_file(url: str) -> Path | None:
    asked = make_url(url)
    is_sqlite = asked.get_backend_name() == "sqlite" and asked.database is not None
    return Path(asked.database) if is_sqlite and asked.database is not None else None


def _place(pool: Pool, file: CopiedFile, folder: Path) -> None:
    place = PurePosixPath(file.place)
    if place.is_absolute() or ".." in place.parts or place.parts[0] not in STORE:
        raise BackupError(file.place, "it is no place in a data folder", "Take another backup.")
    to = folder / place
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _copy(pool, file, handle)
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(pool: Pool, file: CopiedFile, handle: int) -> None:
    path = pool.path(file.sha256)
    try:
        content = copied(path, handle)
    except FileNotFoundError:
        raise BackupError(
            f"{path}", f"it is missing, which is {file.place}", "Take another copy of this backup."
        ) from None
    if content.sha256 != file.sha256:
        raise damaged(path)
