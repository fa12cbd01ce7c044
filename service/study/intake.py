"""Intake: a case's files into the study's store, where its workers read them.

A case is known by its files' content, so that one whose file has changed since is another case. It is copied:
a file that changes while the study runs changes nothing of it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anatomy.masks_io import NIFTI_SUFFIXES
from anatomy.surface_io import SURFACE_SUFFIXES
from planner.records import SOFTWARE
from service.case import Case
from service.keeper import Keeper
from service.store import Store, identify, sha256_of
from service.study.asked import OWNER

READ_SUFFIXES = (*NIFTI_SUFFIXES, *SURFACE_SUFFIXES, ".nrrd")
"""Files of a folder that are read; others are let be, and may change."""


def take_in(case: Case, store: Store, keeper: Keeper) -> str:
    """Have the study hold a case; its id. What cannot be read of it is found out when it is planned.

    Raises OSError where a file cannot be read or copied.
    """
    content = _content(case, {place: path for _, place, path in _files(case)})
    case_id = identify(content)
    if keeper.hold_case(OWNER, case_id) is not None:
        return case_id
    with store.aside() as folder:
        copies: dict[str, Path] = {}
        for _, place, path in _files(case):
            copies[place] = folder / place
            copies[place].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copies[place])
        if _is_folder(case):
            (folder / "input").mkdir(exist_ok=True)
        # Of the copies: a file may have changed between two looks.
        content = _content(case, copies)
        case_id = identify(content)
        keeper.add_case(OWNER, folder, {"id": case_id} | content)
    return case_id


def _content(case: Case, paths: dict[str, Path]) -> dict[str, Any]:
    """What a case's id is made of, as for an upload. A built-in belongs to the software that made it."""
    builtin = case.source if isinstance(case.source, str) else None
    return {
        "builtin": builtin,
        "software": None if builtin is None else SOFTWARE,
        "folder": _is_folder(case),
        "files": [
            {"part": part, "place": place, "sha256": sha256_of(paths[place])}
            for part, place, _ in _files(case)
        ],
    }


def _files(case: Case) -> Iterator[tuple[str, str, Path]]:
    """Each file: its part, its place in the store, and where it is."""
    if isinstance(case.source, Path):
        if case.source.is_dir():
            for path in sorted(case.source.iterdir()):
                if path.is_file() and not path.name.startswith(".") and _is_read(path):
                    yield "file", f"input/{path.name}", path
        else:
            yield "file", f"file/{case.source.name}", case.source
    if case.names is not None:
        yield "names", f"names/{case.names.name}", case.names
    for number, path in enumerate(case.targets):
        yield "target", f"target/{number}/{path.name}", path
    if case.ct is not None:
        yield "ct", f"ct/{case.ct.name}", case.ct


def _is_folder(case: Case) -> bool:
    return isinstance(case.source, Path) and case.source.is_dir()


def _is_read(path: Path) -> bool:
    return path.name.lower().endswith(READ_SUFFIXES)
