"""Make: one backup, beside a server that goes on."""

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from planner.records import SOFTWARE
from service.backup.manifest import (
    MANIFEST,
    RECORDS,
    SCHEMA,
    BackupError,
    CopiedFile,
    Manifest,
    Thing,
    read_manifest,
    write_manifest,
)
from service.backup.places import Place, places_of
from service.backup.pool import Content, Pool
from service.backup.records import copy_records, drop_rows, needed, settle
from service.case_content import sha256_of
from service.database.connection import Database
from service.database.migrate import newest
from service.files import flush, write_atomically
from service.holdings import LOCK
from service.stamp import stamp

MARK = "seedpath-backup.txt"
ABOUT = """Backups, made by `seedpath store backup`. `seedpath store restore` brings one back.
Files lie under files/ by their sha256, once for all backups: copy or remove the folder as a whole.
"""

_ASIDE = ".making-"


@dataclass(frozen=True)
class BackedUp:
    """A backup that was made: its folder, what it holds, and what had to be copied for it."""

    folder: Path
    manifest: Manifest
    copied_files: int
    copied_bytes: int


def back_up(database: Database, data_dir: Path, target: Path, keep: int | None = None) -> BackedUp:
    """Back up what lies in `data_dir`, and the rows about it, to a folder of backups. Of those, the newest
    `keep` stay, this one among them; all, where it is None.

    Raises BackupError, OSError, and database.connection.Unavailable. Whatever ends it, earlier backups stay
    as they were.
    """
    with _alone(data_dir, target):
        pool, backups = Pool(target / "files"), target / "backups"
        for left in backups.glob(f"{_ASIDE}*"):
            shutil.rmtree(left)
        making = Path(tempfile.mkdtemp(dir=backups, prefix=_ASIDE))
        started_s = time.time()
        # SQLite would make it for others to read as well.
        (making / RECORDS).touch(mode=0o600)
        copy_records(database, making / RECORDS)
        copying = _Copying(data_dir, pool, _latest(backups))
        with contextlib.closing(Database(f"sqlite:///{making / RECORDS}", 0.0)) as rows:
            for kind, id in sorted(rows.read(needed)):
                copying.copy(Thing(kind=kind, id=id))
            removed, damaged = copying.settle(database)
            rows.write(lambda connection: drop_rows(connection, removed))
        settle(making / RECORDS)
        manifest = Manifest(
            schema_name=SCHEMA,
            software=SOFTWARE,
            database_revision=newest(),
            started=stamp(started_s),
            ended=stamp(time.time()),
            records_sha256=sha256_of(making / RECORDS),
            files=tuple(copying.files),
            removed_meanwhile=tuple(removed),
            damaged=tuple(damaged),
        )
        flush(making / RECORDS)
        write_manifest(making, manifest)
        made = making.rename(backups / _free_name(backups, started_s))
        flush(backups)
        if keep is not None:
            _remove_oldest(backups, keep, pool)
    return BackedUp(made, manifest, pool.copied_files, pool.copied_bytes)


def made_backups(target: Path) -> list[Path]:
    """The backups in a folder of them, oldest first."""
    return sorted(path for path in (target / "backups").glob("[0-9]*Z*") if (path / MANIFEST).is_file())


class _Copying:
    """Files of things to a pool. `files` are those that are there, in the order in which they came."""

    def __init__(self, data_dir: Path, pool: Pool, before: Manifest | None) -> None:
        self._data_dir, self._pool = data_dir, pool
        self._before = {} if before is None else {file.place: file for file in before.files}
        wrong = set() if before is None else {thing.id for thing in before.damaged}
        self._wrong_before = {place for place in self._before if Path(place).stem in wrong}
        self.files: list[CopiedFile] = []
        self._gone: list[Thing] = []
        self._damaged: list[Thing] = []

    def copy(self, thing: Thing) -> None:
        """Copy a thing's files, all of them or none."""
        if not self._is_copied(thing):
            self._gone.append(thing)

    def settle(self, database: Database) -> tuple[list[Thing], list[Thing]]:
        """What was removed before it was copied; and what is damaged: whose files are not what was written,
        or not there, though they are needed."""
        copied = len(self.files), len(self._damaged)

        def look_again(connection: Connection) -> list[Thing]:
            # A transaction whose end was not heard of runs again.
            del self.files[copied[0] :], self._damaged[copied[1] :]
            still = needed(connection)
            removed = [thing for thing in self._gone if (thing.kind, thing.id) not in still]
            missing = [t for t in self._gone if t not in removed and not self._is_copied(t)]
            self._damaged += missing
            return removed

        # Under the lock of rows and files nothing comes or goes; what has come again is copied under it.
        removed = database.write(look_again, LOCK) if self._gone else []
        return removed, self._damaged

    def _is_copied(self, thing: Thing) -> bool:
        """Whether a thing's files were there, and are copied."""
        try:
            places = places_of(self._data_dir, thing.kind, thing.id)
            files = [self._copied(one.place) for one in places]
        except FileNotFoundError:
            return False
        self.files += files
        if any(self._is_wrong(one, file) for one, file in zip(places, files, strict=True)):
            self._damaged.append(thing)
        return True

    def _copied(self, place: str) -> CopiedFile:
        path = self._data_dir / place
        found = path.stat()
        known = self._before.get(place)
        state = found.st_size, found.st_mtime_ns, found.st_ino
        if known is not None and (known.bytes, known.mtime_ns, known.inode) == state:
            content = Content(known.sha256, known.bytes)
            if self._pool.has(content):
                return known
        content = self._pool.add(path)
        return CopiedFile(
            place=place,
            sha256=content.sha256,
            bytes=content.bytes,
            mtime_ns=found.st_mtime_ns,
            inode=found.st_ino,
        )

    def _is_wrong(self, one: Place, file: CopiedFile) -> bool:
        """Whether what was copied is not what was written. What was found whole before, and is the same, is
        not read again."""
        if one.is_damaged or one.sha256 not in (None, file.sha256):
            return True
        is_known = file == self._before.get(file.place) and file.place not in self._wrong_before
        if one.is_whole is None or is_known:
            return False
        return not one.is_whole(self._pool.path(file.sha256).read_bytes())


def _latest(backups: Path) -> Manifest | None:
    """The last one that can be read: what it holds need not be copied again."""
    for folder in reversed(made_backups(backups.parent)):
        with contextlib.suppress(BackupError, OSError, ValueError):
            return read_manifest(folder)
    return None


def _free_name(backups: Path, started_s: float) -> str:
    """Names sort by time, and none is taken twice."""
    while True:
        name = stamp(started_s).replace("-", "").replace(":", "").replace(".", "-")
        if not (backups / name).exists():
            return name
        started_s += 0.001


def _remove_oldest(backups: Path, keep: int, pool: Pool) -> None:
    """Remove all but the newest, and the files that only they needed. Where one of the newest cannot be read,
    nothing is removed: its files are not known."""
    made = made_backups(backups.parent)
    needed_by = [read_manifest(folder) for folder in made[-keep:]]
    for folder in made[:-keep]:
        # Without its manifest it is none, whatever ends this.
        (folder / MANIFEST).unlink()
        shutil.rmtree(folder)
    pool.remove_others({file.sha256 for manifest in needed_by for file in manifest.files})


@contextlib.contextmanager
def _alone(data_dir: Path, target: Path) -> Iterator[None]:
    """Have a folder of backups to oneself. Raises BackupError for one that is none, or that another uses."""
    _refuse_bad_target(data_dir, target)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (target / MARK).exists():
        write_atomically(target / MARK, ABOUT.encode(), mode=0o600)
    for folder in ("files", "backups"):
        (target / folder).mkdir(mode=0o700, exist_ok=True)
    with (target / MARK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"{target}", "another backup is being written there", "Wait for its end."
            ) from None
        yield


def _refuse_bad_target(data_dir: Path, target: Path) -> None:
    inside, outside = target.resolve(), data_dir.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise BackupError(
            f"{target}", f"it lies in the data folder {data_dir}, or around it", "Name a folder beside it."
        )
    held = _names_in(target)
    if held and MARK not in held:
        raise BackupError(
            f"{target}", "it holds other things than backups", "Name an empty folder, or one of backups."
        )


def _names_in(target: Path) -> Sequence[str]:
    found = target.iterdir() if target.is_dir() else ()
    return [path.name for path in found if not path.name.startswith(".") and path.name != "lost+found"]
