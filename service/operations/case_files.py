"""Case files: which files a case consists of, its id, and where its input is."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from anatomy.readers.mesh.mesh_axes import MeshAxes
from planner import SOFTWARE
from service.host.damaged_file import KeptFile
from service.operations.case import Case

PARTS = ("file", "names", "target", "ct")
"""The parts of an upload that are files."""

MESH_AXES = "mesh_axes"
"""The part of an upload, and the field of a case's record, that says in which axes surfaces are."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a case: its part of the upload, its place, and the sha256 of its content."""

    part: str
    place: str
    sha256: str


def kept_case_in(folder: Path, place: str, record: dict[str, Any]) -> Case:
    """As `case_in`, for a case that is stored at that place in the data folder: opening it checks its
    files."""
    files = (KeptFile(folder / f["place"], f"{place}/{f['place']}", f["sha256"]) for f in record["files"])
    return replace(case_in(folder, record), kept=tuple(files))


def case_in(folder: Path, record: dict[str, Any]) -> Case:
    """Where the input of a case in `folder` is, from its record."""
    if record["builtin"] is not None:
        return Case(record["builtin"])
    axes = record.get(MESH_AXES)
    places = {part: [folder / f["place"] for f in record["files"] if f["part"] == part] for part in PARTS}
    source = folder / "input" if record["folder"] else places["file"][0]
    names, ct = (next(iter(places[part]), None) for part in ("names", "ct"))
    return Case(source, names, tuple(places["target"]), ct, None if axes is None else MeshAxes(axes))


def parts_by_name(record: dict[str, Any]) -> dict[str, str]:
    """The part of the upload to which each file name belongs, and the other fields of the form."""
    return {MESH_AXES: MESH_AXES} | {PurePosixPath(f["place"]).name: f["part"] for f in record["files"]}


def content_of(
    builtin: str | None,
    files: Sequence[StoredFile],
    is_folder: bool,
    mesh_axes: MeshAxes | None = None,
) -> dict[str, Any]:
    """What a case's id covers. A built-in belongs to the software that made it. Surfaces that are read in
    other axes are another case."""
    content = {
        "builtin": builtin,
        "software": None if builtin is None else SOFTWARE,
        "folder": is_folder,
        "files": [{"part": f.part, "place": f.place, "sha256": f.sha256} for f in files],
    }
    return content if mesh_axes is None else content | {MESH_AXES: str(mesh_axes)}


def identify(content: dict[str, Any]) -> str:
    """A case's id: the sha256 of its content as sorted JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
