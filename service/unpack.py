"""Unpack: a zip of masks or surfaces into a folder, within limits, and nothing outside that folder."""

import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomy.kinds import is_document, is_of_desktops
from service.names import refuse_bad_name
from service.problems import Problem, of_part
from service.settings import MIB, Settings

CHUNK_BYTES = MIB

MOST_SHOWN = 100
"""Characters of a name that a message repeats."""

_DRIVE = re.compile(r"[A-Za-z]:")

SMALL_ZIP_BYTES = 64 * 1024
"""Below this, growth is counted as if the zip were this large: tiny masks of zeros shrink a lot, honestly."""

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


def unpack(archive: Path, folder: Path, settings: Settings, take: Callable[[int], None]) -> None:
    """Unpack the files of `archive` into `folder`, which must be empty.

    The folders around all files are taken off, and `take` counts the bytes. Raises Problem for a damaged,
    encrypted, empty, oversized or hostile archive; what was unpacked by then is the caller's to remove.
    """
    with _damage_told():
        opened = zipfile.ZipFile(archive)
    with opened:
        growth = settings.max_expansion * max(archive.stat().st_size, SMALL_ZIP_BYTES)
        room = min(settings.max_unpacked_bytes, int(growth))
        for entry, name in _checked(opened, settings):
            room = _copy(opened, entry, folder / name, room, take)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Raise Problem where what is read within is damaged."""
    try:
        yield
    except _DAMAGED:
        raise _damaged() from None
    except OSError as error:
        # A place before the file's beginning. Anything else is the disk's own.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged() from None


def _damaged() -> Problem:
    detail = "the zip is damaged, or of a kind not read here. Pack it again."
    return of_part("malformed-upload", "file", detail)


def _checked(opened: zipfile.ZipFile, settings: Settings) -> list[tuple[zipfile.ZipInfo, str]]:
    """Entries to unpack and the names to give them. Of documents of one name, the first is taken."""
    entries = [
        (entry, parts)
        for entry in opened.infolist()
        if not entry.filename.endswith(("/", "\\")) and not _ignored(parts := _parts(entry.filename))
    ]
    if not entries:
        raise of_part("malformed-upload", "file", "the zip holds no file. Pack the masks or surfaces.")
    if len(entries) > settings.max_zip_entries:
        raise of_part("too-large", "file", f"the zip holds more than {settings.max_zip_entries} files.")
    for entry, parts in entries:
        _refuse_hostile(entry, parts)
    # Documents may lie elsewhere: statistics above the masks, a README beside their folder.
    inputs = [(entry, parts) for entry, parts in entries if not is_document(parts[-1])]
    if len({parts[:-1] for _, parts in inputs or entries}) > 1:
        raise of_part(
            "malformed-upload", "file", "the zip holds several folders. Pack the files of one folder."
        )
    for _, parts in entries:
        refuse_bad_name("file", parts[-1])
    named = {parts[-1]: entry for entry, parts in reversed(entries)}
    if len({parts[-1] for _, parts in inputs}) < len(inputs):
        raise of_part("malformed-upload", "file", "the zip holds two files of one name. Keep one of them.")
    return [(entry, name) for name, entry in named.items()]


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file name. Some packers of Windows write backslashes, others put ./ in front."""
    parts = name.replace("\\", "/").split("/")
    return (*(part for part in parts[:-1] if part != "."), parts[-1])


def _ignored(parts: tuple[str, ...]) -> bool:
    """Whether a folder's reader would pass the file over, or a folder that it lies in."""
    return any(is_of_desktops(part) for part in parts if part not in ("", ".."))


def _refuse_hostile(entry: zipfile.ZipInfo, parts: tuple[str, ...]) -> None:
    name = entry.filename[:MOST_SHOWN]
    if parts[0] == "" or ".." in parts or _DRIVE.fullmatch(parts[0]):
        what = "leads out of its folder. Remove it." if entry.filename else "has no name. Pack it again."
        raise of_part("malformed-upload", "file", f"{name!a} in the zip {what}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise of_part("malformed-upload", "file", f"{name!a} in the zip is a link. Pack the file itself.")
    if entry.flag_bits & 0x1:
        raise of_part("malformed-upload", "file", f"{name!a} in the zip is encrypted. Pack it in the clear.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise of_part("malformed-upload", "file", f"{name!a} is packed by a rare method. Use deflate.")


def _copy(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int, take: Callable[[int], None]
) -> int:
    """Unpack one file; return the room left. What the entry says of its size is not trusted."""
    with _damage_told():
        packed = opened.open(entry)
    with packed, path.open("xb") as file:
        while True:
            with _damage_told():
                chunk = packed.read(CHUNK_BYTES)
            if not chunk:
                break
            room -= len(chunk)
            if room < 0:
                raise of_part("too-large", "file", "the zip unpacks to more than this service takes.")
            take(len(chunk))
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return room
