"""A disk whose power is cut: what of a folder it would keep, by what was flushed of it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Disk:
    """Knows of each file and folder, by its inode, how it was when it was flushed last: a file's content,
    the names in a folder. What was never flushed may be lost, and so may names that came later."""

    _files: dict[int, bytes] = field(default_factory=dict)
    _folders: dict[int, frozenset[tuple[str, int]]] = field(default_factory=dict)

    def note(self, handle: int) -> None:
        """That an open file or folder was flushed."""
        status = os.fstat(handle)
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            names = frozenset((entry.name, entry.inode()) for entry in os.scandir(handle))
            self._folders[status.st_ino] = names
        else:
            self._files[status.st_ino] = Path(f"/proc/self/fd/{handle}").read_bytes()

    def lost(self, folder: Path) -> list[Path]:
        """What may be lost of a folder: content that was not flushed, and names that came after it was."""
        entries = self._folders.get(folder.stat().st_ino, frozenset())
        lost_paths: list[Path] = []
        for path in sorted(folder.iterdir()):
            status = path.stat()
            if (path.name, status.st_ino) not in entries:
                lost_paths.append(path)
            elif path.is_dir():
                lost_paths += self.lost(path)
            elif not self.is_flushed(path):
                lost_paths.append(path)
        return lost_paths

    def is_flushed(self, file: Path) -> bool:
        """Whether the disk has a file's content."""
        return self._files.get(file.stat().st_ino) == file.read_bytes()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that this process flushes to. What SQLite flushes by itself is not seen."""
    disk_, fsync = Disk(), os.fsync

    def noting(handle: int) -> None:
        fsync(handle)
        disk_.note(handle)

    monkeypatch.setattr(os, "fsync", noting)
    return disk_
