"""Output files: check before the work whether its results can be written.

Nothing is left behind: test files are removed at once.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from anatomy.errors import AnatomyError


class OutputError(AnatomyError):
    """A place that cannot be written, or must not be."""


def refuse_bad_outputs(file: Path | None, folder: Path | None, inputs: Iterable[Path]) -> None:
    """Raise OutputError if the plan's `file` or the figures' `folder` cannot be written, or would replace one
    of `inputs` or each other. A folder that does not exist yet may be created."""
    if file is not None:
        _refuse_bad_file(file, inputs)
    if folder is not None:
        _refuse_bad_folder(folder)
    if file is not None and folder is not None and file.resolve() in _with_parents(folder.resolve()):
        raise OutputError(str(folder), "the plan is to be written there, as a file", "Name two places.")


def _refuse_bad_file(file: Path, inputs: Iterable[Path]) -> None:
    _refuse_bad_name(file)
    if not file.parent.is_dir():
        raise OutputError(str(file), "its folder does not exist", "Make it, or write elsewhere.")
    if file.is_dir():
        raise OutputError(str(file), "it is a folder", "Name a file in it.")
    if file.exists():
        if not file.is_file():
            raise OutputError(
                str(file), "it is not a plain file", "Name one, or leave it out to write to stdout."
            )
        for input_path in inputs:
            if input_path.exists() and input_path.samefile(file):
                raise OutputError(str(file), "it is an input of this plan", "Name another file.")
    _try(file.parent, file.name, file)


def _refuse_bad_folder(folder: Path) -> None:
    _refuse_bad_name(folder)
    # The last existing folder on the way to it; the rest would be created.
    existing = next(place for place in _with_parents(folder.absolute()) if os.path.lexists(place))
    if not existing.is_dir():
        raise OutputError(str(existing), "it is a file, and pictures need a folder", "Name another folder.")
    _try(existing, "picture", folder)


def _with_parents(place: Path) -> tuple[Path, ...]:
    return (place, *place.parents)


def _refuse_bad_name(place: Path) -> None:
    """Raise OutputError for a name that the file system does not accept; checking its folder does not show
    that."""
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unwritable(place, error) from None


def _try(folder: Path, name: str, requested: Path) -> None:
    try:
        handle, trial = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    except OSError as error:
        raise _unwritable(requested, error) from None
    os.close(handle)
    Path(trial).unlink()


def _unwritable(requested: Path, error: OSError) -> OutputError:
    return OutputError(
        str(requested), f"it cannot be written ({error.strerror})", "Allow it, or write elsewhere."
    )
