"""Mesh axes: the patient axes of the coordinates in a mesh file. STL, OBJ and PLY have no field for them.

    file's own statement   "SPACE=RAS" in the format's free text, as 3D Slicer writes it
    requested axes         for files without a statement; they must not contradict a statement
    neither                LPS, unless another file of the case states RAS

3D Slicer writes the statement into STL's 80 bytes of header or its `solid` line, into OBJ comments and into
PLY `comment` lines (vtkMRMLModelStorageNode).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from anatomy.errors import Companion, FrameMismatch, ReadError
from anatomy.remarks import listed

STL_HEADER_BYTES = 80

_STATEMENT = re.compile(
    rb"(?<![a-z0-9])(?:space|coordinate[ _]?system)[ \t]*[=:][ \t]*[\"']?([a-z]+(?:-[a-z]+)*)", re.IGNORECASE
)

_LONG_NAMES = {"left-posterior-superior": "lps", "right-anterior-superior": "ras"}
"""As NRRD spells them."""

_PAIRS = (frozenset("lr"), frozenset("ap"), frozenset("si"))


SEND_AXES = "Send lps or ras."
"""The remedy for a text that names no axes."""


class MeshAxes(StrEnum):
    """Patient axes of a mesh file's coordinates, by the directions in which they increase."""

    LPS = "lps"
    RAS = "ras"


def parse_axes(text: str) -> MeshAxes | None:
    """The axes that a user's text names, in upper or lower case, with spaces around it ignored; None if it
    names none."""
    name = text.strip().lower()
    return MeshAxes(name) if name in tuple(MeshAxes) else None


def stated_axes(file: str, kind: str, content: bytes) -> MeshAxes | None:
    """The axes that a mesh file states in its free text; None if it states none.

    `kind` is "stl", "obj" or "ply". Raises ReadError for a file that states two, or unsupported axes.
    """
    stated: set[MeshAxes] = set()
    for text in _free_text(kind, content):
        for match in _STATEMENT.finditer(text):
            name = match[1].decode().lower()
            name = _LONG_NAMES.get(name, name)
            if name in tuple(MeshAxes):
                stated.add(MeshAxes(name))
            elif _is_axes(name):
                raise ReadError(
                    file, f"it says that its axes are {name.upper()}", "Export it in LPS or in RAS."
                )
    if len(stated) > 1:
        raise ReadError(file, "it says both SPACE=LPS and SPACE=RAS", "Export it again, or remove one.")
    return next(iter(stated), None)


def is_ascii_stl(content: bytes) -> bool:
    """Whether an STL file is text rather than binary."""
    return content.lstrip()[:5].lower() == b"solid" and b"\0" not in content[:4096]


def resolve_axes(
    stated: Mapping[Path, MeshAxes | None], requested: MeshAxes | None
) -> tuple[dict[Path, MeshAxes], tuple[str, ...]]:
    """The axes of each mesh file of a case, and notes on the reasons.

    Each file is read by its own statement, whatever the others state. Raises FrameMismatch if a file's
    statement contradicts the requested axes; and if a file states nothing, no axes are requested, and another
    file states RAS: the files of a case mostly come from one export, so LPS would be a guess against the
    evidence.
    """
    for path, own in stated.items():
        if own is not None and requested is not None and own is not requested:
            raise FrameMismatch(
                path.name,
                f"it says SPACE={_shown(own)}, but {_shown(requested)} is requested",
                (
                    "Leave ",
                    Companion.MESH_AXES,
                    " out, which is for files that state nothing, or correct the file's header.",
                ),
            )
    silent = [path for path, own in stated.items() if own is None]
    ras = [path for path, own in stated.items() if own is MeshAxes.RAS]
    if silent and ras and requested is None:
        raise FrameMismatch(
            silent[0].name,
            f"it does not say whether it is in LPS or RAS, and {ras[0].name} says RAS",
            (
                "Give ",
                Companion.MESH_AXES,
                " ras if both are in RAS; otherwise write SPACE=LPS into this file's header.",
            ),
        )
    return {path: own or requested or MeshAxes.LPS for path, own in stated.items()}, _notes(stated, requested)


def _notes(stated: Mapping[Path, MeshAxes | None], requested: MeshAxes | None) -> tuple[str, ...]:
    notes = []
    for axes in MeshAxes:
        files = [path.name for path, own in stated.items() if own is axes]
        if files:
            notes.append(f"Surfaces read as {_shown(axes)}, as their files say: {listed(files)}.")
    silent = [path.name for path, own in stated.items() if own is None]
    if silent and requested is not None:
        notes.append(f"Surfaces read as {_shown(requested)}, as requested: {listed(silent)}.")
    elif silent:
        notes.append(
            f"Surfaces read as LPS, because nothing says otherwise: {listed(silent)}. If they are in RAS, "
            "this rotates the patient by 180 degrees: then give them with mesh axes ras."
        )
    return tuple(notes)


def _free_text(kind: str, content: bytes) -> list[bytes]:
    """The parts of a mesh file that hold free text."""
    if kind == "stl" and not is_ascii_stl(content):
        return [content[:STL_HEADER_BYTES]]
    if kind == "stl":
        return re.findall(rb"(?mi)^[ \t]*(?:end)?solid[^\r\n]*", content)
    if kind == "obj":
        return re.findall(rb"#[^\r\n]*", content)
    header, _, _ = content.partition(b"end_header")
    return re.findall(rb"(?mi)^[ \t]*(?:comment|obj_info)[^\r\n]*", header.replace(b"\r", b"\n"))


def _is_axes(name: str) -> bool:
    """Whether a name is a code of three letters such as LAS: one direction for each patient axis."""
    return len(name) == len(_PAIRS) and all(len(pair & set(name)) == 1 for pair in _PAIRS)


def _shown(axes: MeshAxes) -> str:
    return str(axes).upper()
