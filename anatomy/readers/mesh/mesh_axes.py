"""Mesh axes: in which patient axes the numbers of a mesh file are. STL, OBJ and PLY have no field for it.

    file's own statement   "SPACE=RAS" where the format keeps free text, as 3D Slicer writes it
    what is asked          for files that say nothing; it must not contradict one that does
    neither                LPS, unless another file of the case says RAS

3D Slicer writes the statement into STL's 80 bytes of header or its `solid` line, into OBJ comments and into
PLY `comment` lines (vtkMRMLModelStorageNode).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from anatomy.errors import FrameMismatch, ReadError
from anatomy.remarks import listed

STL_HEADER_BYTES = 80

_STATEMENT = re.compile(
    rb"(?<![a-z0-9])(?:space|coordinate[ _]?system)[ \t]*[=:][ \t]*[\"']?([a-z]+(?:-[a-z]+)*)", re.IGNORECASE
)

_LONG_NAMES = {"left-posterior-superior": "lps", "right-anterior-superior": "ras"}
"""As NRRD spells them."""

_PAIRS = (frozenset("lr"), frozenset("ap"), frozenset("si"))


SEND_AXES = "Send lps or ras."
"""What to do about a text that names no axes."""


class MeshAxes(StrEnum):
    """Patient axes of a mesh file's numbers, by the ends that they point to."""

    LPS = "lps"
    RAS = "ras"


def parse_axes(text: str) -> MeshAxes | None:
    """The axes that a user's text names, in any case and with spaces around; None where it names none."""
    said = text.strip().lower()
    return MeshAxes(said) if said in tuple(MeshAxes) else None


def stated_axes(file: str, kind: str, content: bytes) -> MeshAxes | None:
    """The axes that a mesh file states in its free text; None where it states none.

    `kind` is "stl", "obj" or "ply". Raises ReadError for a file that states two, or axes not read here.
    """
    stated: set[MeshAxes] = set()
    for text in _free_text(kind, content):
        for match in _STATEMENT.finditer(text):
            said = match[1].decode().lower()
            said = _LONG_NAMES.get(said, said)
            if said in tuple(MeshAxes):
                stated.add(MeshAxes(said))
            elif _is_axes(said):
                raise ReadError(
                    file, f"it says that its axes are {said.upper()}", "Export it in LPS or in RAS."
                )
    if len(stated) > 1:
        raise ReadError(file, "it says both SPACE=LPS and SPACE=RAS", "Export it again, or remove one.")
    return next(iter(stated), None)


def is_ascii_stl(content: bytes) -> bool:
    """Whether an STL file is text rather than binary."""
    return content.lstrip()[:5].lower() == b"solid" and b"\0" not in content[:4096]


def resolve_axes(
    stated: Mapping[Path, MeshAxes | None], asked: MeshAxes | None
) -> tuple[dict[Path, MeshAxes], tuple[str, ...]]:
    """The axes of each mesh file of a case, and notes on why they were taken.

    Each file is read by its own statement, whatever others say. Raises FrameMismatch where a file's statement
    contradicts what is asked, and where a file says nothing, nothing is asked, and another file says RAS:
    files of one case mostly come from one export, so that LPS would be a guess against the evidence.
    """
    for path, own in stated.items():
        if own is not None and asked is not None and own is not asked:
            raise FrameMismatch(
                path.name,
                f"it says SPACE={_shown(own)}, and {_shown(asked)} is asked for",
                "Leave --mesh-axes out, which is for files that say nothing, or mend the file's header.",
            )
    silent = [path for path, own in stated.items() if own is None]
    ras = [path for path, own in stated.items() if own is MeshAxes.RAS]
    if silent and ras and asked is None:
        raise FrameMismatch(
            silent[0].name,
            f"it does not say whether it is in LPS or RAS, and {ras[0].name} says RAS",
            "Give --mesh-axes ras if both are in RAS; otherwise write SPACE=LPS into this file's header.",
        )
    return {path: own or asked or MeshAxes.LPS for path, own in stated.items()}, _notes(stated, asked)


def _notes(stated: Mapping[Path, MeshAxes | None], asked: MeshAxes | None) -> tuple[str, ...]:
    notes = []
    for axes in MeshAxes:
        files = [path.name for path, own in stated.items() if own is axes]
        if files:
            notes.append(f"Surfaces read as {_shown(axes)}, as their files say: {listed(files)}.")
    silent = [path.name for path, own in stated.items() if own is None]
    if silent and asked is not None:
        notes.append(f"Surfaces read as {_shown(asked)}, as asked: {listed(silent)}.")
    elif silent:
        notes.append(
            f"Surfaces read as LPS, because nothing says otherwise: {listed(silent)}. If they are in RAS, "
            "this turns the patient by 180 degrees: then give them with mesh axes ras."
        )
    return tuple(notes)


def _free_text(kind: str, content: bytes) -> list[bytes]:
    """The parts of a mesh file that its format leaves to whoever writes it."""
    if kind == "stl" and not is_ascii_stl(content):
        return [content[:STL_HEADER_BYTES]]
    if kind == "stl":
        return re.findall(rb"(?mi)^[ \t]*(?:end)?solid[^\r\n]*", content)
    if kind == "obj":
        return re.findall(rb"#[^\r\n]*", content)
    header, _, _ = content.partition(b"end_header")
    return re.findall(rb"(?mi)^[ \t]*(?:comment|obj_info)[^\r\n]*", header.replace(b"\r", b"\n"))


def _is_axes(said: str) -> bool:
    """Whether it is a code of three letters such as LAS, one end of each patient axis."""
    return len(said) == len(_PAIRS) and all(len(pair & set(said)) == 1 for pair in _PAIRS)


def _shown(axes: MeshAxes) -> str:
    return str(axes).upper()
