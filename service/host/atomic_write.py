"""Atomic writes: a file is there completely or not at all. It is written under another name, flushed, then
renamed."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

_log = logging.getLogger("seedpath.store")


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write `data` to `path`, replacing what was there. Neither a reader nor a crash ever sees a part of it.

    `mode` says who may read and write the file, reduced by the process's umask.

    Raises OSError; the folder must exist.
    """
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, mode & ~_MASK)
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    flush(path.parent)


def remove(path: Path) -> None:
    """Remove a file, or whatever is in its place, if it is there. Parts of a folder that cannot be removed
    stay, and are logged. Raises OSError for a file that cannot be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            _log.error("%s cannot be removed completely: look at what is left in it.", path)
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Write a file's content, or a folder's list of names, to the disk, so that it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# Read once, before there are threads: while one thread reads it, files of another would get the wrong mode.
_MASK = _umask()
