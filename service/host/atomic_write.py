"""Files that are whole or not there: written aside, flushed, then renamed into place."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

_log = logging.getLogger("seedpath.store")


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write `data` to `path`, replacing what was there. A reader, or a crash, never sees half of it.

    `mode` says who may read and write it, less what the process's mask takes away.

    Raises OSError as the file system says it; the folder must exist.
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
    """Remove a file, or whatever stands in its place, if it is there. Of a folder, what cannot be removed is
    left, which the log tells. Raises OSError for a file that cannot be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            _log.error("%s cannot be removed as a whole: look after what is left in it.", path)
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have the disk keep what is in a file, or what names are in a folder: a power cut spares no other."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's mask. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# Once, before there are threads: while one reads it, files of another would get the wrong mode.
_MASK = _umask()
