"""Intake: copies a case's files into the study's store, where its workers read them.

A case is identified by its files' content, so a case with a changed file is another case. Because files are
copied, a change during the study has no effect.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anatomy.errors import ReadError
from anatomy.readers.file_names import NIFTI_SUFFIXES, SURFACE_SUFFIXES
from service.host.atomic_write import flush
from service.operations.case import Case
from service.operations.case_files import StoredFile, content_of, identify, sha256_of
from service.storage.file_store import Store
from service.storage.library import Library
from service.study.plan_order import OWNER

READ_SUFFIXES = (*NIFTI_SUFFIXES, *SURFACE_SUFFIXES, ".nrrd")
"""Files of a folder that are read, if it has any; others are ignored, and may change."""


@dataclass(frozen=True)
class _File:
    """A file of a case: its part, its place in the store, and its path."""

    part: str
    place: str
    path: Path


def take_in(case: Case, store: Store, library: Library) -> str:
    """Let the study hold a case; returns its id. Unreadable input is found when the case is planned.

    Raises ReadError for a file with an unprintable name, OSError for one that cannot be read or copied.
    """
    files = _files(case)
    content = _content(case, files)
    case_id = identify(content)
    if library.grant_case(OWNER, case_id) is not None:
        return case_id
    with store.aside() as folder:
        copies = [_copied(file, folder) for file in files]
        if _is_folder(case):
            (folder / "input").mkdir(exist_ok=True)
        # From the copies, because a file may have changed meanwhile.
        content = _content(case, copies)
        case_id = identify(content)
        library.add_case(OWNER, folder, {"id": case_id} | content)
    return case_id


def _copied(file: _File, folder: Path) -> _File:
    """A flushed copy of it at its place in a folder."""
    copy = folder / file.place
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.path, copy)
    flush(copy)
    return replace(file, path=copy)


def _content(case: Case, files: Sequence[_File]) -> dict[str, Any]:
    """What a case's id covers: the same as for an upload of these files."""
    builtin = case.source if isinstance(case.source, str) else None
    stored = [StoredFile(file.part, file.place, sha256_of(file.path)) for file in files]
    return content_of(builtin, stored, _is_folder(case), case.mesh_axes)


def _files(case: Case) -> list[_File]:
    """All files of a case, at their present place. Raises ReadError for an unprintable name."""
    files = [_File(part, f"{folder}/{path.name}", path) for part, folder, path in _parts(case)]
    for file in files:
        if not file.path.name.isprintable():
            raise ReadError(ascii(file.path.name), "its name cannot be written down", "Rename the file.")
    return files


def _parts(case: Case) -> Iterator[tuple[str, str, Path]]:
    if isinstance(case.source, Path):
        if _is_folder(case):
            yield from (("file", "input", path) for path in _read_in(case.source))
        else:
            yield "file", "file", case.source
    if case.names is not None:
        yield "names", "names", case.names
    # In an upload form the file comes first, and names before targets.
    for number, path in enumerate(case.targets, 1 if case.names is None else 2):
        yield "target", f"target/{number}", path
    if case.ct is not None:
        yield "ct", "ct", case.ct


def _read_in(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [path for path in files if path.name.lower().endswith(READ_SUFFIXES)] or files


def _is_folder(case: Case) -> bool:
    return isinstance(case.source, Path) and case.source.is_dir()
