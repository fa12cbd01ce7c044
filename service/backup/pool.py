"""Pool: files by the sha256 of their content, each written once, and whole or not there."""

import hashlib
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from service.files import flush
from service.settings import MIB

_ASIDE = ".aside-"


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    sha256: str
    bytes: int


class Pool:
    """Files under one folder. Every method raises OSError as the file system says it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.copied_files = self.copied_bytes = 0

    def path(self, sha256: str) -> Path:
        """Where the content with that hash lies, if it is there."""
        return self._folder / sha256[:2] / sha256

    def has(self, content: Content) -> bool:
        """Whether it is there, by its name and size."""
        try:
            return self.path(content.sha256).stat().st_size == content.bytes
        except FileNotFoundError:
            return False

    def add(self, source: Path) -> Content:
        """Copy a file's content, unless it is there already, and tell what it is."""
        handle, aside = tempfile.mkstemp(dir=self._folder, prefix=_ASIDE)
        try:
            with os.fdopen(handle, "wb") as copy:
                content = copied(source, copy.fileno())
                os.fsync(copy.fileno())
            if not self.has(content):
                place = self.path(content.sha256)
                place.parent.mkdir(mode=0o700, exist_ok=True)
                os.replace(aside, place)
                flush(place.parent)
                self.copied_files += 1
                self.copied_bytes += content.bytes
        finally:
            Path(aside).unlink(missing_ok=True)
        return content

    def remove_others(self, needed: Collection[str]) -> int:
        """Remove what has none of these hashes, and what was left by half; returns how many files."""
        removed = 0
        for path in list(self._folder.glob("??/*")) + list(self._folder.glob(f"{_ASIDE}*")):
            if path.name not in needed:
                path.unlink()
                removed += 1
        return removed


def copied(source: Path, handle: int) -> Content:
    """Copy a file to an open one, and tell what it held. Raises OSError."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
            count += len(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(handle, rest) :]
    return Content(digest.hexdigest(), count)
