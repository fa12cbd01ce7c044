"""Privacy: what the service keeps is for the eyes of the user that it runs as, whoever made the folder."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomy.errors import AnatomyError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""What a group and all others may do."""

_log = logging.getLogger("seedpath.store")


@contextmanager
def private_files() -> Iterator[None]:
    """Have all that this process and its children make meanwhile be its user's alone."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_private(folder: Path) -> None:
    """Take from others what they may do with a folder that is there already.

    Raises AnatomyError where that is not this user's to say, or the file system does not heed it.
    """
    if not folder.is_dir() or not folder.stat().st_mode & OTHERS:
        return
    before = stat.S_IMODE(folder.stat().st_mode)
    try:
        folder.chmod(before & ~OTHERS)
    except PermissionError:
        raise _refusal(folder, before, "which is another user's") from None
    if folder.stat().st_mode & OTHERS:
        raise _refusal(folder, before, "on a file system that keeps no modes")
    _log.warning("%s could be read by others (mode %03o): now by its user alone", folder, before)


def _refusal(folder: Path, mode: int, why: str) -> AnatomyError:
    return AnatomyError(
        "SEEDPATH_DATA_DIR",
        f"others may read {folder} (mode {mode:03o}), {why}",
        "Make it 700, mount it so, or name another.",
    )
