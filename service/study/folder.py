"""Study folder: for one study at a time.

study.lock      locked while a study runs here; marks the folder as a study's
study.json      what the study is about: cases with their files' sha256, rankings, this software
study.parquet   the table
study.png       the picture
plans/          every plan, by its plan_sha256
cases/ seedpath.sqlite ...   files of service.storage.file_store and the job table
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from service.operations.output_files import OutputError, refuse_bad_outputs

LOCK, ABOUT, TABLE, PICTURE = "study.lock", "study.json", "study.parquet", "study.png"


def is_study(folder: Path) -> bool:
    """Whether a study runs or has run in that folder."""
    return (folder / LOCK).exists() or (folder / ABOUT).exists()


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[None]:
    """The folder, created if needed, for this process alone.

    Raises OutputError if it contains something else, cannot be written, or another study runs in it.
    """
    refuse_bad_outputs(None, folder, ())
    if folder.exists() and not (folder / LOCK).exists() and any(folder.iterdir()):
        raise OutputError(str(folder), "it holds other things than a study", "Name a new or an empty folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                str(folder), "another study works in it", "Wait for its end, or name another folder."
            ) from None
        yield
    finally:
        os.close(handle)
