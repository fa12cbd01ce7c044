"""Unpack: a zip of masks or surfaces into a folder, within limits, and nothing outside that folder.

Each step is bounded by the one before:

    end          bytes of the directory, and how many entries it says to have
    directory    entries, names, and bytes that files are said to unpack to
    files        no file unpacks to more than it is said to
"""

import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anatomy.readers.input_kinds import is_desktop_file, is_document
from service.host.errors import UnusableUpload
from service.interactive.unzip.file_names import refuse_bad_name
from service.interactive.unzip.zip_end import zip_end
from service.settings import MIB, Settings

CHUNK_BYTES = MIB

MOST_SHOWN = 100
"""Characters of a name that a message repeats."""

_DRIVE = re.compile(r"[A-Za-z]:")

SMALL_ZIP_BYTES = 64 * 1024
"""Below this, growth is counted as if the zip were this large: tiny masks of zeros shrink a lot, honestly."""

ENTRIES_PER_FILE, OTHER_ENTRIES = 3, 1000
"""A mask, its folder and what a desktop system adds; and what else lies beside [U]."""

ENTRY_BYTES = 512
"""Of a directory for each entry: 46, a name or path, and times and owners [U]."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""What zipfile raises on bytes that are no zip, or name versions and places that there are not."""


def is_zip(path: Path) -> bool:
    """Whether the file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class ZipLimits:
    """The most files that a zip may hold, bytes that it may unpack to, and times that it may grow."""

    files: int
    bytes: int
    growth: float

    @staticmethod
    def of(settings: Settings) -> "ZipLimits":
        """As the settings say."""
        return ZipLimits(settings.max_zip_entries, settings.max_unpacked_bytes, settings.max_expansion)

    @property
    def entries(self) -> int:
        """Entries of a directory: folders are some, and desktop systems add one for each file."""
        return ENTRIES_PER_FILE * self.files + OTHER_ENTRIES

    @property
    def directory_bytes(self) -> int:
        """Bytes of a directory."""
        return ENTRY_BYTES * self.entries


def stated_bytes(archive: Path, limits: ZipLimits) -> int:
    """The bytes that the files of `archive` are said to unpack to; they unpack to no more.

    Raises UnusableUpload for a damaged, encrypted, empty, oversized or hostile archive.
    """
    with _opened(archive, limits) as opened:
        return sum(entry.file_size for entry, _ in _checked(opened, limits, archive))


def unpack(archive: Path, folder: Path, limits: ZipLimits) -> int:
    """Unpack the files of `archive` into `folder`, which must be empty. Returns their bytes.

    The folders around all files are taken off. Raises UnusableUpload as `stated_bytes` does, and for damaged
    files; the caller must remove what was unpacked before.
    """
    with _opened(archive, limits) as opened:
        return sum(_copy(opened, entry, folder / name) for entry, name in _checked(opened, limits, archive))


def _opened(archive: Path, limits: ZipLimits) -> zipfile.ZipFile:
    """The archive, whose directory is read where its end says that it is not too large."""
    with archive.open("rb") as file:
        end = zip_end(file)
    if end is None:
        raise _damaged()
    if end.entries > limits.entries or end.directory_bytes > limits.directory_bytes:
        raise _too_many(limits)
    with _damage_as_unusable():
        opened = zipfile.ZipFile(archive)
    if len(opened.filelist) > limits.entries:
        opened.close()
        raise _too_many(limits)
    return opened


def _too_many(limits: ZipLimits) -> UnusableUpload:
    return UnusableUpload("file", f"the zip holds more than {limits.files} files.", is_too_large=True)


@contextmanager
def _damage_as_unusable() -> Iterator[None]:
    """Raise UnusableUpload where what is read within is damaged."""
    try:
        yield
    except _DAMAGED:
        raise _damaged() from None
    except OSError as error:
        # A place before the file's beginning. Anything else is the disk's own.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged() from None


def _damaged() -> UnusableUpload:
    detail = "the zip is damaged, or of a kind not read here. Pack it again."
    return UnusableUpload("file", detail)


def _checked(opened: zipfile.ZipFile, limits: ZipLimits, archive: Path) -> list[tuple[zipfile.ZipInfo, str]]:
    """Entries to unpack and the names to give them. Of documents of one name, the first is taken."""
    entries = [
        (entry, parts)
        for entry in opened.infolist()
        if not entry.filename.endswith(("/", "\\")) and not _ignored(parts := _parts(entry.filename))
    ]
    if not entries:
        raise UnusableUpload("file", "the zip holds no file. Pack the masks or surfaces.")
    if len(entries) > limits.files:
        raise _too_many(limits)
    for entry, parts in entries:
        _refuse_hostile(entry, parts)
    # Documents may lie elsewhere: statistics above the masks, a README beside their folder.
    inputs = [(entry, parts) for entry, parts in entries if not is_document(parts[-1])]
    if len({parts[:-1] for _, parts in inputs or entries}) > 1:
        raise UnusableUpload("file", "the zip holds several folders. Pack the files of one folder.")
    for _, parts in entries:
        refuse_bad_name("file", parts[-1])
    entry_of_name = {parts[-1]: entry for entry, parts in reversed(entries)}
    if len({parts[-1] for _, parts in inputs}) < len(inputs):
        raise UnusableUpload("file", "the zip holds two files of one name. Keep one of them.")
    growth = int(limits.growth * max(archive.stat().st_size, SMALL_ZIP_BYTES))
    if sum(entry.file_size for entry in entry_of_name.values()) > min(limits.bytes, growth):
        raise UnusableUpload("file", "the zip unpacks to more than this service takes.", is_too_large=True)
    return [(entry, name) for name, entry in entry_of_name.items()]


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file name. Some packers of Windows write backslashes, others put ./ in front."""
    parts = name.replace("\\", "/").split("/")
    return (*(part for part in parts[:-1] if part != "."), parts[-1])


def _ignored(parts: tuple[str, ...]) -> bool:
    """Whether a folder's reader would pass the file over, or a folder that it lies in."""
    return any(is_desktop_file(part) for part in parts if part not in ("", ".."))


def _refuse_hostile(entry: zipfile.ZipInfo, parts: tuple[str, ...]) -> None:
    name = entry.filename[:MOST_SHOWN]
    if parts[0] == "" or ".." in parts or _DRIVE.fullmatch(parts[0]):
        problem = "leads out of its folder. Remove it." if entry.filename else "has no name. Pack it again."
        raise UnusableUpload("file", f"{name!a} in the zip {problem}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UnusableUpload("file", f"{name!a} in the zip is a link. Pack the file itself.")
    if entry.flag_bits & 0x1:
        raise UnusableUpload("file", f"{name!a} in the zip is encrypted. Pack it in the clear.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnusableUpload("file", f"{name!a} is packed by a rare method. Use deflate.")


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> int:
    """Unpack one file; return its bytes. `zipfile` gives no more of it than the entry says, and an entry that
    says less than there is fails by its check sum."""
    count = 0
    with _damage_as_unusable():
        packed = opened.open(entry)
    with packed, path.open("xb") as file:
        while True:
            with _damage_as_unusable():
                chunk = packed.read(CHUNK_BYTES)
            if not chunk:
                break
            count += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return count
