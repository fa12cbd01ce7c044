"""Files that are whole or not there: written aside, flushed, then renamed into place."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`, replacing what was there. A reader, or a crash, never sees half of it.

    Raises OSError as the file system says it; the folder must exist.
    """
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o666 & ~_umask())
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's mask. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
