"""File places: where the files of a case or a result are in a data folder (`service.storage.file_store`)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from service.host.damaged_file import is_of_the_file
from service.host.digests import opened
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import is_text_of
from service.schemas.skin_access import is_map_of
from service.storage.case_record import read_record
from service.storage.file_store import RECORD

FOLDERS = {
    ResultKind.PLAN: "plans",
    ResultKind.EVALUATION: "results/evaluations",
    ResultKind.REPLAN: "results/replans",
}
ACCESS = "access"

STORE = ("cases", "plans", "access", "results")
"""The folders that contain all of it."""


@dataclass(frozen=True)
class FilePlace:
    """A file's place in the data folder, and how to know whether it is what was written: by the sha256 of its
    content, or by a function of its text; `is_damaged` if it was found damaged."""

    place: str
    sha256: str | None = None
    is_whole: Callable[[bytes], bool] | None = None
    is_damaged: bool = False


def places_of(data_dir: Path, kind: str, id: str) -> list[FilePlace]:
    """The files of a case or a result, whether they exist or not. Raises OSError."""
    if kind == CASE:
        return _of_case(data_dir, id)
    own = FilePlace(
        f"{FOLDERS[ResultKind(kind)]}/{id}.json", is_whole=partial(is_text_of, ResultKind(kind), id)
    )
    has_map = kind == ResultKind.PLAN and os.path.lexists(data_dir / map_of(id).place)
    return [own, map_of(id)] if has_map else [own]


def map_of(plan_id: str) -> FilePlace:
    """The skin access map of a plan."""
    return FilePlace(f"{ACCESS}/{plan_id}.json", is_whole=partial(is_map_of, plan_id))


def _of_case(data_dir: Path, id: str) -> list[FilePlace]:
    folder, at = data_dir / "cases" / id, f"cases/{id}"
    record = _record(folder / RECORD, id)
    if record is None:
        # Any file that is there may help to repair the case.
        names = (Path(inside) / name for inside, _, names in os.walk(folder) for name in names)
        paths = sorted(path for path in names if path != folder / RECORD)
        others = [FilePlace(f"{at}/{path.relative_to(folder).as_posix()}") for path in paths]
        return [FilePlace(f"{at}/{RECORD}", is_whole=partial(_is_record, id), is_damaged=True), *others]
    # From the record, not from the folder: a folder that is being removed contains fewer files.
    return [
        FilePlace(f"{at}/{RECORD}"),
        *(FilePlace(f"{at}/{f['place']}", f["sha256"]) for f in record["files"]),
    ]


def _is_record(id: str, text: bytes) -> bool:
    return read_record(text, id) is not None


def _record(path: Path, id: str) -> dict[str, Any] | None:
    """The record of a case; None if it is missing, damaged, or cannot be read."""
    try:
        with opened(path) as file:
            return read_record(file.read(), id)
    except OSError as error:
        if not (isinstance(error, FileNotFoundError) or is_of_the_file(error)):
            raise
        return None
