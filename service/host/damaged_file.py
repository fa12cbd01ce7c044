"""Damaged files: a stored file that is not what was written, with its place and the remedy."""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from anatomy.errors import AnatomyError
from anatomy.structures import InputDigest
from service.host.digests import DIGESTS

T = TypeVar("T")

OTHER = "it is not what was written: its sha256 is another"
MISSING = "it is missing"

CASE_REMEDY = (
    "POST the case to /v1/cases again, with the same files, which writes it again; or bring the file back "
    "from a backup."
)
RESULT_REMEDY = (
    "POST the request that it was made by again, which writes it again; or bring the file back from a backup."
)

_OF_THE_FILE = (
    *(errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM),
    # A block that the disk cannot read, and what file systems say of their own damage.
    *(errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)),
)
"""Errors of one file that will not go away by trying again. Errors of the system itself, such as too many
open files, do not mean damage."""


class DamagedFile(AnatomyError):
    """A stored file that is not what was written: its place in the data folder, what is wrong, and the
    remedy."""


@dataclass(frozen=True)
class KeptFile:
    """A stored file: its path, its place in the data folder, and the sha256 of its content."""

    path: Path
    place: str
    sha256: str


def refuse_damaged(files: Iterable[KeptFile]) -> None:
    """Raises DamagedFile for the first file of a case that is not what was written, and OSError."""
    for file in files:
        if _tried(partial(DIGESTS.sha256, file.path), file.place, CASE_REMEDY) != file.sha256:
            raise DamagedFile(file.place, OTHER, CASE_REMEDY)


def refuse_others(files: Sequence[KeptFile], read: Iterable[InputDigest]) -> None:
    """Raises DamagedFile if something was read that is not one of the case's files: a file that changed after
    it was checked, or one that was added to the folder."""
    kept_names = {(file.path.name, file.sha256) for file in files}
    for other in read:
        if (other.name, other.sha256) not in kept_names:
            places = [file.place for file in files if file.path.name == other.name]
            place = f"{PurePosixPath(files[0].place).parent}/{other.name}"
            raise DamagedFile(next(iter(places), place), OTHER, CASE_REMEDY)


def whole_text(
    path: Path, place: str, remedy: str, is_whole: Callable[[bytes], bool], most_bytes: int
) -> bytes:
    """The text of a stored file; `is_whole` tells whether it is what was written, as in `Digests.text`.

    Raises DamagedFile, and OSError.
    """
    text = _tried(partial(DIGESTS.text, path, is_whole, most_bytes), place, remedy)
    if text is None:
        raise DamagedFile(place, OTHER, remedy)
    return text


def is_of_the_file(error: OSError) -> bool:
    """Whether this one file exists but can never be read."""
    return error.errno in _OF_THE_FILE


def _tried(read: Callable[[], T], place: str, remedy: str) -> T:
    try:
        return read()
    except FileNotFoundError:
        raise DamagedFile(place, MISSING, remedy) from None
    except OSError as error:
        if not is_of_the_file(error):
            raise
        raise DamagedFile(place, f"it cannot be read ({error.strerror})", remedy) from None
