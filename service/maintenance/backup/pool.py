"""Pool: files by the sha256 of their content, each written once, and complete or not there at all."""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from service.host.atomic_write import flush
from service.host.damaged_file import is_of_the_file
from service.host.digests import opened
from service.settings import MIB

_ASIDE = ".aside-"


@dataclass(frozen=True)
class FileContent:
    """What a file contains."""

    sha256: str
    bytes: int


class UnreadableFile(Exception):
    """A file exists and can never be read: `reason` is the system's message."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class FilePool:
    """Files under one folder. Every method raises OSError as the file system does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.copied_files = self.copied_bytes = 0

    def path(self, sha256: str) -> Path:
        """Where the content with that hash is, if it is there."""
        return self._folder / sha256[:2] / sha256

    def has(self, content: FileContent) -> bool:
        """Whether it is there, by its name and size."""
        try:
            return self.path(content.sha256).stat().st_size == content.bytes
        except FileNotFoundError:
            return False

    def is_whole(self, content: FileContent) -> bool:
        """Whether it is there, and is what was written. The mtime of its file records that it was read."""
        path = self.path(content.sha256)
        try:
            actual = hashed(path)
        except (FileNotFoundError, UnreadableFile):
            return False
        os.utime(path)
        return actual == content

    def read_s(self, sha256: str) -> float:
        """When that content was written, or last read, in seconds since 1970; 0 if it is not there, or a
        clock was ahead."""
        try:
            read_s = self.path(sha256).stat().st_mtime
        except FileNotFoundError:
            return 0.0
        return read_s if read_s <= time.time() else 0.0

    def add(self, source: Path) -> FileContent:
        """Copy a file's content, and return what it is. An existing copy is replaced, because it may be
        damaged.

        Raises FileNotFoundError, and UnreadableFile.
        """
        handle, aside = tempfile.mkstemp(dir=self._folder, prefix=_ASIDE)
        try:
            with os.fdopen(handle, "wb") as copy:
                content = hashed(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            place = self.path(content.sha256)
            if not place.parent.is_dir():
                place.parent.mkdir(mode=0o700)
                flush(self._folder)
            os.replace(aside, place)
            flush(place.parent)
            self.copied_files += 1
            self.copied_bytes += content.bytes
        finally:
            Path(aside).unlink(missing_ok=True)
        return content

    def remove_others(self, needed: Collection[str]) -> int:
        """Remove files with none of these hashes, and incomplete files; returns how many."""
        removed = 0
        for path in list(self._folder.glob("??/*")) + list(self._folder.glob(f"{_ASIDE}*")):
            if path.name not in needed:
                path.unlink()
                removed += 1
        return removed


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raises UnreadableFile for errors of that one file."""
    try:
        yield
    except OSError as error:
        if not is_of_the_file(error):
            raise
        raise UnreadableFile(path, f"{error.strerror}") from None


def hashed(source: Path, copy: BinaryIO | None = None) -> FileContent:
    """What a file contains; it is also written to `copy`. Raises UnreadableFile, and OSError."""
    digest, count = hashlib.sha256(), 0
    with reading(source):
        file = opened(source)
    with file:
        while chunk := _next(file, source):
            digest.update(chunk)
            count += len(chunk)
            if copy is not None:
                copy.write(chunk)
    return FileContent(digest.hexdigest(), count)


def _next(file: BinaryIO, source: Path) -> bytes:
    # Errors of writing the copy are not errors of the source.
    with reading(source):
        return file.read(MIB)
