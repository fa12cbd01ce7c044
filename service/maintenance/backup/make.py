"""Make: makes one backup while a server runs."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from planner import SOFTWARE
from service.host.atomic_write import flush
from service.host.timestamp import rfc3339
from service.maintenance.backup.copying import BackupCopier
from service.maintenance.backup.folder import (
    finish,
    is_ahead,
    latest,
    locked_folder,
    new_backup_folder,
    remove_oldest,
)
from service.maintenance.backup.manifest import RECORDS, SCHEMA, BackupError, ItemId, Manifest, write_manifest
from service.maintenance.backup.rows import copy_records, drop_rows, needed, settle
from service.operations.case_files import sha256_of
from service.storage.database.connection import Database
from service.storage.database.migrate import newest
from service.storage.kept_bytes import known_sizes


@dataclass(frozen=True)
class BackupResult:
    """A finished backup: its folder, its content, and what was copied for it.

    `mended` are the places of files whose copies in the folder of backups were damaged, and were written
    again. `is_ahead`: it is named after a later time, because an earlier backup is. `unread` tells of backups
    that should stay but cannot be read, so that no older one was removed.
    """

    folder: Path
    manifest: Manifest
    copied_files: int
    copied_bytes: int
    mended: tuple[str, ...]
    is_ahead: bool
    unread: tuple[BackupError, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing needs attention."""
        return not (self.manifest.damaged or self.mended or self.unread)


def back_up(
    database: Database, data_dir: Path, target: Path, keep: int | None = None, *, reads_all: bool = False
) -> BackupResult:
    """Back up what lies in `data_dir`, and the rows about it, to a folder of backups. Of those, the newest
    `keep` stay, this one among them; all, where it is None. Files that are there already are read again where
    `reads_all`, else a share of them.

    Raises BackupError, OSError, and database.connection.Unavailable. Whatever ends it, earlier backups stay
    as they were.
    """
    with locked_folder(data_dir, target) as (pool, backups):
        making = new_backup_folder(backups)
        started_s = time.time()
        # SQLite would create a file that others can read.
        (making / RECORDS).touch(mode=0o600)
        copy_records(database, making / RECORDS)
        with contextlib.closing(Database(f"sqlite:///{making / RECORDS}", 0.0)) as rows:
            copying = BackupCopier(data_dir, pool, latest(target), rows.read(known_sizes), reads_all)
            for kind, id in sorted(rows.read(needed)):
                copying.copy(ItemId(kind=kind, id=id))
            removed, damaged = copying.settle(database)
            rows.write(lambda connection: drop_rows(connection, removed))
        settle(making / RECORDS)
        manifest = Manifest(
            schema_name=SCHEMA,
            software=SOFTWARE,
            database_revision=newest(),
            started=rfc3339(started_s),
            ended=rfc3339(time.time()),
            records_sha256=sha256_of(making / RECORDS),
            files=tuple(copying.files),
            removed_meanwhile=tuple(removed),
            damaged=tuple(damaged),
        )
        flush(making / RECORDS)
        write_manifest(making, manifest)
        backup = finish(making, started_s)
        unread = [] if keep is None else remove_oldest(backup, keep, pool)
    return BackupResult(
        folder=backup,
        manifest=manifest,
        copied_files=pool.copied_files,
        copied_bytes=pool.copied_bytes,
        mended=tuple(copying.mended),
        is_ahead=is_ahead(backup, started_s),
        unread=tuple(unread),
    )
