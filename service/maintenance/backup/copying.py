"""Copying: copies files of the store to a pool, and finds damaged ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sqlalchemy import Connection

from service.maintenance.backup.file_places import FilePlace, map_of, places_of
from service.maintenance.backup.manifest import CopiedFile, ItemId, Manifest
from service.maintenance.backup.pool import FileContent, FilePool, UnreadableFile, hashed, reading
from service.maintenance.backup.rows import needed
from service.schemas.result_kinds import ResultKind
from service.storage.database.connection import Database
from service.storage.ownership import LOCK

ALL_IN = 30
"""After this many backups every file has been read again, a share of them each time [U]: a month, with one
backup each night."""


class BackupCopier:
    """Copies files of items to a pool. `files` are those that are in the pool, in the order in which they
    were added.

    A file that is the same as in the backup `before` is not copied again. But files decay although nothing
    about them changes, in the data folder and in the pool: a share of both is read again, or all with
    `reads_all`. `sizes` are the sizes of items when they were stored: the map of a plan that takes less is
    lost. For a damaged or missing file, the copy of the backup before is kept, if that is whole. `mended` are
    the places of files whose copy in the pool was damaged, and was written again.
    """

    def __init__(
        self,
        data_dir: Path,
        pool: FilePool,
        before: Manifest | None,
        sizes: Mapping[tuple[str, str], int],
        reads_all: bool,
    ) -> None:
        self._data_dir, self._pool, self._sizes = data_dir, pool, sizes
        known = () if before is None else before.files
        self._before = {file.place: file for file in known}
        self._known = dict(self._before)
        wrong = set() if before is None else {item.id for item in before.damaged}
        self._wrong_before = {place for place in self._before if _id_in(place) in wrong}
        self._due = set(self._before) if reads_all else self._longest_unread(known) | self._wrong_before
        self.files: list[CopiedFile] = []
        self.mended: list[str] = []
        self._gone: list[ItemId] = []
        self._damaged: list[ItemId] = []

    def copy(self, item: ItemId) -> None:
        """Copy an item's files."""
        if not self._copy_if_there(item, partly=False):
            self._gone.append(item)

    def settle(self, database: Database) -> tuple[list[ItemId], list[ItemId]]:
        """Which items were removed before they were copied; and which are damaged: their files are not what
        was written, cannot be read, or are missing although they are needed. Of those, everything readable is
        copied."""
        copied = len(self.files), len(self._damaged)

        def look_again(connection: Connection) -> list[ItemId]:
            # A transaction whose result was lost runs again.
            del self.files[copied[0] :], self._damaged[copied[1] :]
            still = needed(connection)
            for item in self._gone:
                if (item.kind, item.id) in still:
                    self._copy_if_there(item, partly=True)
            return [item for item in self._gone if (item.kind, item.id) not in still]

        # Under the lock of rows and files nothing is added or removed; items that were added again are copied
        # here.
        removed = database.write(look_again, LOCK) if self._gone else []
        return removed, self._damaged

    def _copy_if_there(self, item: ItemId, *, partly: bool) -> bool:
        """Whether an item's files were there. If so, the readable ones are copied; with `partly`, those that
        were there are copied in any case."""
        files, is_damaged, is_there = [], False, True
        for place in places_of(self._data_dir, item.kind, item.id):
            file: CopiedFile | None = None
            try:
                file = self._copied(place.place)
            except FileNotFoundError:
                is_there = False
            except UnreadableFile:
                is_damaged = True
            if file is None or self._is_wrong(place, file):
                is_damaged = is_damaged or file is not None
                file = self._whole_before(place) or file
            if file is not None:
                files.append(file)
        if not (is_there or partly):
            return False
        if self._lacks_map(item, files):
            is_damaged = True
            files += filter(None, [self._whole_before(map_of(item.id))])
        self.files += files
        if is_damaged or not is_there:
            self._damaged.append(item)
        return is_there

    def _copied(self, place: str) -> CopiedFile:
        """Raises FileNotFoundError for a missing file, UnreadableFile for one that cannot be read, and
        OSError where it cannot be copied."""
        path = self._data_dir / place
        with reading(path):
            status = path.stat()
        before = self._known.get(place)
        state = status.st_size, status.st_mtime_ns, status.st_ino
        is_same = before is not None and (before.bytes, before.mtime_ns, before.inode) == state
        if before is not None and is_same and self._is_as_it_was(path, before):
            return before
        content = self._pool.add(path)
        file = CopiedFile(
            place=place,
            sha256=content.sha256,
            bytes=content.bytes,
            mtime_ns=status.st_mtime_ns,
            inode=status.st_ino,
        )
        if file == before:
            self.mended.append(place)
        self._known[place] = file
        return file

    def _is_as_it_was(self, path: Path, before: CopiedFile) -> bool:
        """Whether a file that looks unchanged has the same content, and so has its copy in the pool. Both are
        read only if that is due."""
        content = FileContent(before.sha256, before.bytes)
        if before.place not in self._due:
            return self._pool.has(content)
        self._due.discard(before.place)
        return self._pool.is_whole(content) and hashed(path) == content

    def _is_wrong(self, place: FilePlace, file: CopiedFile) -> bool:
        """Whether a copied file is not what was written. A file that was found whole before, and is the same,
        is not read again."""
        if place.is_damaged or place.sha256 not in (None, file.sha256):
            return True
        is_known = file == self._before.get(file.place) and file.place not in self._wrong_before
        if place.is_whole is None or is_known:
            return False
        return not place.is_whole(self._pool.path(file.sha256).read_bytes())

    def _whole_before(self, place: FilePlace) -> CopiedFile | None:
        """The file as the backup before has it, if that is what was written."""
        before = self._before.get(place.place)
        if before is None or place.sha256 not in (None, before.sha256):
            return None
        if not self._pool.is_whole(FileContent(before.sha256, before.bytes)):
            return None
        is_whole = place.is_whole is None or place.is_whole(self._pool.path(before.sha256).read_bytes())
        return before if is_whole else None

    def _lacks_map(self, item: ItemId, files: Sequence[CopiedFile]) -> bool:
        known_bytes = self._sizes.get((item.kind, item.id), 0)
        has_map = any(file.place == map_of(item.id).place for file in files)
        return (
            item.kind == ResultKind.PLAN and not has_map and sum(file.bytes for file in files) < known_bytes
        )

    def _longest_unread(self, files: Sequence[CopiedFile]) -> set[str]:
        """Places of a share of the files: those whose copies were not read for longest."""
        due: set[str] = set()
        due_bytes = sum(file.bytes for file in files) / ALL_IN
        for file in sorted(files, key=lambda file: self._pool.read_s(file.sha256)):
            if due_bytes <= 0:
                break
            due.add(file.place)
            due_bytes -= file.bytes
        return due


def _id_in(place: str) -> str:
    """The id of the item to which a file belongs."""
    path = PurePosixPath(place)
    return path.parts[1] if path.parts[0] == "cases" else path.stem
