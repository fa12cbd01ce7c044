"""Private files: only the user that runs the service may read what it stores, whoever created the folder."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomy.errors import AnatomyError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Permissions of the group and of all others."""

_log = logging.getLogger("seedpath.store")


@contextmanager
def private_files() -> Iterator[None]:
    """Within the context, this process and its children create files that only their user may read."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_private(folder: Path) -> None:
    """Remove the permissions of others from an existing folder.

    Raises AnatomyError if this user may not do that, or if the file system ignores it.
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
