"""Restore: restores one backup into an empty data folder and an empty database."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlalchemy import make_url

from anatomy.errors import AnatomyError
from planner.records.wording.number_text import counted
from service.host.atomic_write import flush
from service.maintenance.backup.file_places import STORE
from service.maintenance.backup.folder import MARK, complete_backups, make_folder
from service.maintenance.backup.manifest import RECORDS, BackupError, CopiedFile, Manifest, read_manifest
from service.maintenance.backup.pool import FilePool, UnreadableFile, hashed
from service.maintenance.backup.rows import load_records, refuse_rows, settle
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate

MEND = (
    "`seedpath store backup --verify` writes again what is still complete in the store; or take another copy "
    "of the folder, or a backup without that file; `restore --damaged` brings back the rest."
)

_ASIDE = ".restoring"
"""In the data folder: an incomplete restore. It may be removed at any time."""


def chosen(source: Path, name: str | None = None) -> Path:
    """The backup of that name in a folder, or the newest. Raises BackupError."""
    backups = complete_backups(source)
    if not (source / MARK).is_file() or not backups:
        raise BackupError(
            f"{source}", "it holds no backup", "Name the folder that `seedpath store backup` was given."
        )
    matching = [folder for folder in backups if name in (None, folder.name)]
    if not matching:
        names = ", ".join(folder.name for folder in backups[-5:])
        raise BackupError("--backup", f"{source} holds no {name!r}", f"The newest are: {names}.")
    return matching[-1]


def verified(source: Path, backup: Path) -> tuple[Manifest, list[BackupError]]:
    """What a backup contains, and each of its files that is damaged or missing, by its hash.

    Raises BackupError for a damaged manifest or damaged rows, and OSError.
    """
    manifest = read_manifest(backup)
    pool = FilePool(source / "files")
    return manifest, [fault for file in manifest.files if (fault := _copied(pool, file)) is not None]


def restore(
    source: Path,
    backup: Path,
    data_dir: Path,
    database_url: str,
    own: Collection[Path] = (),
    *,
    partly: bool = False,
) -> tuple[Manifest, list[BackupError]]:
    """Restore a backup. `own` are files of the operator that may be in the data folder already, such as the
    keys. Returns its content, and which of its files are damaged or missing; with `partly` these are left
    out.

    Raises BackupError if the folder or the database is in use or not empty, if a newer version made the
    backup, and otherwise for a damaged or missing file: then nothing is restored. Raises OSError, and
    database.connection.Unavailable.
    """
    manifest = read_manifest(backup)
    _refuse_used(data_dir, own)
    sqlite = _sqlite_file(database_url)
    with contextlib.closing(Database(database_url, 0.0)) as database:
        if sqlite is None:
            migrate(database)
            refuse_rows(database)
        else:
            _refuse_beside(sqlite)
        make_folder(data_dir)
        aside = data_dir / _ASIDE
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        placed: list[Path] = []
        try:
            records = aside / RECORDS
            shutil.copyfile(backup / RECORDS, records)
            _bring_up_to_date(records, backup, manifest)
            pool = FilePool(source / "files")
            faults = []
            for file in manifest.files:
                fault = _placed(pool, file, aside)
                if fault is not None and not partly:
                    raise fault
                faults += [] if fault is None else [fault]
            for inside, _, _ in os.walk(aside):
                flush(Path(inside))
            for name in STORE:
                if (aside / name).is_dir():
                    placed.append((aside / name).rename(data_dir / name))
            flush(data_dir)
            # Rows last: files without rows do no harm, rows without files would.
            if sqlite is None:
                load_records(records, database)
            else:
                _place_records(records, sqlite)
        except BaseException:
            for folder in placed:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return manifest, faults


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
    names = [
        path.name
        for path in data_dir.iterdir()
        if path.name not in (_ASIDE, "lost+found") and path.resolve() not in allowed
    ]
    if names:
        raise BackupError(
            f"{data_dir}",
            f"it is not empty: it holds {counted(len(names), 'entry', 'entries')}, {min(names)!r} among them",
            "Name an empty folder, or move what is in it away: a backup is never mixed with others.",
        )


def _bring_up_to_date(records: Path, backup: Path, manifest: Manifest) -> None:
    """Migrate the rows to this software's version. Raises BackupError for those of a newer one."""
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
    address = make_url(url)
    is_sqlite = address.get_backend_name() == "sqlite" and address.database is not None
    return Path(address.database) if is_sqlite and address.database is not None else None


def _refuse_beside(sqlite: Path) -> None:
    """Raises BackupError if a database exists, or a file that SQLite keeps next to one: SQLite would write
    the changes of the old one into the restored one."""
    for end in ("", "-wal", "-shm", "-journal"):
        file = sqlite.with_name(f"{sqlite.name}{end}")
        if file.exists():
            noun = "of another database" if end else "the database"
            raise BackupError(
                f"{file}",
                f"{noun} is there already",
                f"Move {sqlite.name} away first, with {sqlite.name}-wal, -shm and -journal.",
            )


def _place_records(records: Path, sqlite: Path) -> None:
    """Put the database in place completely or not at all, on whichever disk."""
    make_folder(sqlite.parent)
    aside = sqlite.with_name(f"{sqlite.name}{_ASIDE}")
    try:
        shutil.copyfile(records, aside)
        flush(aside)
        aside.rename(sqlite)
    finally:
        aside.unlink(missing_ok=True)
    flush(sqlite.parent)


def _placed(pool: FilePool, file: CopiedFile, folder: Path) -> BackupError | None:
    """Write a file to its place, with its date; return an error if it is damaged or missing."""
    place = PurePosixPath(file.place)
    if place.is_absolute() or ".." in place.parts or place.parts[0] not in STORE:
        raise BackupError(file.place, "it is not a place in a data folder", "Take another backup.")
    to = folder / place
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as copy:
        fault = _copied(pool, file, copy)
        copy.flush()
        os.utime(copy.fileno(), ns=(file.mtime_ns, file.mtime_ns))
        os.fsync(copy.fileno())
    if fault is not None:
        to.unlink()
    return fault


def _copied(pool: FilePool, file: CopiedFile, copy: BinaryIO | None = None) -> BackupError | None:
    """Copy a file of a backup; return an error if it is damaged or missing."""
    path = pool.path(file.sha256)
    try:
        if hashed(path, copy).sha256 == file.sha256:
            return None
        reason = "it is damaged: its sha256 is another than when it was written"
    except FileNotFoundError:
        reason = "it is missing"
    except UnreadableFile as error:
        reason = f"it cannot be read ({error.reason})"
    return BackupError(f"{path}", f"{reason}; it holds {file.place}", MEND)
