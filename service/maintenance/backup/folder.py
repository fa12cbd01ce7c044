"""Folder of backups: who may write to it, which backups it contains, and their names."""

import contextlib
import fcntl
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from service.host.atomic_write import flush, remove, write_atomically
from service.maintenance.backup.manifest import MANIFEST, BackupError, Manifest, read_manifest
from service.maintenance.backup.pool import FilePool

MARK = "seedpath-backup.txt"
ABOUT = """Backups, made by `seedpath store backup`. `seedpath store restore` brings one back.
Files lie under files/ by their sha256, once for all backups: copy or remove the folder as a whole.
"""

_ASIDE = ".making-"
"""Beginning of a folder's name until the backup is complete, and again when it is removed."""

_STAMP, _LENGTH = "%Y%m%dT%H%M%S-%f", len("20260301T093000-000")

_TICK_S = 0.001
"""Smallest difference between two names: their last digit."""


@contextlib.contextmanager
def locked_folder(data_dir: Path, target: Path) -> Iterator[tuple[FilePool, Path]]:
    """Lock a folder of backups for this process: yields its pool, and the folder of its backups. Incomplete
    backups are removed. Raises BackupError for another folder, or one that another process uses."""
    _refuse_bad_target(data_dir, target)
    make_folder(target)
    if not (target / MARK).exists():
        write_atomically(target / MARK, ABOUT.encode(), mode=0o600)
    files, backups = target / "files", target / "backups"
    make_folder(files)
    make_folder(backups)
    with (target / MARK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"{target}", "another backup is being written there", "Wait for its end."
            ) from None
        for remnant in backups.glob(f"{_ASIDE}*"):
            # A folder that cannot be removed is logged, and prevents no backup.
            remove(remnant)
        yield FilePool(files), backups


def make_folder(folder: Path) -> None:
    """Create a folder if needed, readable by its owner alone, and flush its name. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        flush(folder.parent)


def new_backup_folder(backups: Path) -> Path:
    """An empty folder for a new backup."""
    return Path(tempfile.mkdtemp(dir=backups, prefix=_ASIDE))


def finish(making: Path, at_s: float) -> Path:
    """Rename a folder, which makes it a backup. The name is a time in seconds since 1970, or a later one that
    sorts after all existing names. A clock may have been ahead once, and the newest backup is known by its
    name."""
    times_s = [time_s for time_s in map(_time_s, complete_backups(making.parents[1])) if time_s is not None]
    name = _name(max([at_s, *(time_s + _TICK_S for time_s in times_s)]))
    finished = making.rename(making.with_name(name))
    flush(finished.parent)
    return finished


def is_ahead(backup: Path, at_s: float) -> bool:
    """Whether a backup made at that time had to be named after a later time."""
    return backup.name != _name(at_s)


def complete_backups(target: Path) -> list[Path]:
    """The backups in a folder, oldest first."""
    return sorted(path for path in (target / "backups").glob("[0-9]*Z*") if (path / MANIFEST).is_file())


def latest(target: Path) -> Manifest | None:
    """The newest manifest that can be read: its files need not be copied again."""
    for folder in reversed(complete_backups(target)):
        with contextlib.suppress(BackupError, OSError):
            return read_manifest(folder)
    return None


def remove_oldest(backup: Path, keep: int, pool: FilePool) -> list[BackupError]:
    """Remove all but the newest `keep` backups, `backup` among them, and the files that only the removed ones
    needed.

    If one of the newest cannot be read, its files are not known: nothing is removed, and that is reported.
    """
    others = [folder for folder in complete_backups(backup.parents[1]) if folder != backup]
    split = max(0, len(others) - (keep - 1))
    needed: set[str] = set()
    unread: list[BackupError] = []
    for folder in (*others[split:], backup):
        try:
            needed |= {file.sha256 for file in read_manifest(folder).files}
        except (BackupError, OSError) as error:
            reason = error.value if isinstance(error, BackupError) else f"{error.strerror}"
            unread.append(
                BackupError(
                    f"{folder}",
                    f"it cannot be read ({reason}), so that no older backup was removed",
                    "Bring it back from another copy of this folder, or remove it.",
                )
            )
    if unread:
        return unread
    try:
        for folder in others[:split]:
            # The rename makes it no backup in one step; if this process ends here, the next backup removes
            # it.
            remove(folder.rename(folder.with_name(f"{_ASIDE}{folder.name}")))
        pool.remove_others(needed)
    except OSError as error:
        reason = f"older backups cannot be removed ({error.strerror})"
        return [BackupError(f"{error.filename}", reason, "Remove what is there by hand.")]
    return []


def _name(at_s: float) -> str:
    at = datetime.fromtimestamp(at_s + _TICK_S / 2, UTC)
    return f"{at.strftime(_STAMP)[:_LENGTH]}Z"


def _time_s(backup: Path) -> float | None:
    """The time in a backup's name; None if somebody renamed it."""
    stamp = re.match(r"\d{8}T\d{6}-\d{3}(?=Z)", backup.name)
    if stamp is None:
        return None
    try:
        return datetime.strptime(stamp[0], _STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _refuse_bad_target(data_dir: Path, target: Path) -> None:
    inside, outside = target.resolve(), data_dir.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise BackupError(
            f"{target}", f"it lies in the data folder {data_dir}, or around it", "Name a folder beside it."
        )
    names = _names_in(target)
    if names and MARK not in names:
        raise BackupError(
            f"{target}", "it holds other things than backups", "Name an empty folder, or one of backups."
        )


def _names_in(target: Path) -> Sequence[str]:
    paths = target.iterdir() if target.is_dir() else ()
    return [path.name for path in paths if not path.name.startswith(".") and path.name != "lost+found"]
