"""Unpack: a zip of masks or surfaces into a folder, within limits, and nothing outside that folder."""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from service.names import refuse_bad_name
from service.problems import of_part
from service.settings import MIB, Settings

CHUNK_BYTES = MIB

SMALL_ZIP_BYTES = 64 * 1024
"""Below this, growth is counted as if the zip were this large: tiny masks of zeros shrink a lot, honestly."""

IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db")
"""What desktop systems add to zips of their own accord."""


def is_zip(path: Path) -> bool:
    """Whether the file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def unpack(archive: Path, folder: Path, settings: Settings, take: Callable[[int], None]) -> None:
    """Unpack the files of `archive` into `folder`, which must be empty.

    One folder around all files is taken off, and `take` counts the bytes. Raises Problem for a damaged,
    encrypted, empty, oversized or hostile archive; what was unpacked by then is the caller's to remove.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            growth = settings.max_expansion * max(archive.stat().st_size, SMALL_ZIP_BYTES)
            room = min(settings.max_unpacked_bytes, int(growth))
            for entry, name in _checked(opened, settings):
                room = _copy(opened, entry, folder / name, room, take)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise of_part("malformed-upload", "file", f"the zip is damaged ({error}). Pack it again.") from None


def _checked(opened: zipfile.ZipFile, settings: Settings) -> list[tuple[zipfile.ZipInfo, str]]:
    """Entries to unpack and the names to give them."""
    entries = [e for e in opened.infolist() if not e.is_dir() and not _ignored(e.filename)]
    if not entries:
        raise of_part("malformed-upload", "file", "the zip holds no file. Pack the masks or surfaces.")
    if len(entries) > settings.max_zip_entries:
        raise of_part("too-large", "file", f"the zip holds more than {settings.max_zip_entries} files.")
    for entry in entries:
        _refuse_hostile(entry)
    folders = {entry.filename.rpartition("/")[0] for entry in entries}
    if len(folders) > 1 or "/" in next(iter(folders)):
        raise of_part(
            "malformed-upload", "file", "the zip holds nested folders. Pack the files of one folder."
        )
    named = [(entry, entry.filename.rpartition("/")[2]) for entry in entries]
    for _, name in named:
        refuse_bad_name("file", name)
    if len({name for _, name in named}) < len(named):
        raise of_part("malformed-upload", "file", "the zip holds two files of one name. Keep one of them.")
    return named


def _ignored(name: str) -> bool:
    return name.startswith(IGNORED[0]) or name.rpartition("/")[2] in IGNORED


def _refuse_hostile(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name.partition("/")[0]:
        raise of_part("malformed-upload", "file", f"{name!r} in the zip leads out of its folder. Remove it.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise of_part("malformed-upload", "file", f"{name!r} in the zip is a link. Pack the file itself.")
    if entry.flag_bits & 0x1:
        raise of_part("malformed-upload", "file", f"{name!r} in the zip is encrypted. Pack it in the clear.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise of_part("malformed-upload", "file", f"{name!r} is packed by a rare method. Use deflate.")


def _copy(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int, take: Callable[[int], None]
) -> int:
    """Unpack one file; return the room left. What the entry says of its size is not trusted."""
    with opened.open(entry) as packed, path.open("xb") as file:
        while chunk := packed.read(CHUNK_BYTES):
            room -= len(chunk)
            if room < 0:
                raise of_part("too-large", "file", "the zip unpacks to more than this service takes.")
            take(len(chunk))
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return room
