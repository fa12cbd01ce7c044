"""Kinds: what a file or a folder is taken for, and which of a folder's files are the input.

masks, or surfaces                              the input, of one kind
.name, ._name, __MACOSX, Thumbs.db, ...         passed over: desktop systems add them of their own accord
documents: .json, .csv, .txt, .pdf, ...         passed over: they hold no voxels, and plans may lie there
a link that leads nowhere                       refused: a structure that is missing is not kept clear of
a folder that is called as a mask is            refused
an unfinished download of a mask                refused
any other file, a folder                        passed over, with a note
"""

import re
from pathlib import Path

from anatomy.errors import ReadError
from anatomy.readers.file_names import NIFTI_SUFFIXES, is_surface
from anatomy.remarks import listed

KINDS = "a NIfTI label map with names, a folder of NIfTI masks, .seg.nrrd, or STL/OBJ/PLY surfaces"

UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".opdownload", ".tmp")
"""What browsers and copy programs append to a file's name until it is whole."""

_DOCUMENT = re.compile(
    r"\.(csv|html?|ini|jpe?g|json|log|md|pdf|png|toml|tsv|txt|xlsx|xml|ya?ml)", re.IGNORECASE
)
"""What holds neither voxels nor surfaces: TotalSegmentator's statistics, a plan written beside its masks."""

_OF_DESKTOPS = frozenset(("__macosx", "thumbs.db", "desktop.ini"))

MAX_IGNORED_LISTED = 10
"""Names that the note lists."""


def has_nifti_name(name: str) -> bool:
    """Whether a file's name is that of a NIfTI file."""
    return name.lower().endswith(NIFTI_SUFFIXES)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM, or is a zip."""
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:132] == b"DICM" or (start[:2] == b"PK" and path.suffix.lower() == ".zip")


def dicom_error(path: Path) -> ReadError:
    """The error for DICOM and zips."""
    return ReadError(
        path.name,
        "it is DICOM or a zip, which is not read here",
        f"Convert or unpack it first. Give {KINDS}.",
    )


def input_files(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The folder's own files of the one kind it holds, sorted, and a note on what else lies there.

    Raises ReadError for a folder of no kind or of several, and for what looks like a structure that is
    missing.
    """
    entries = sorted(entry for entry in folder.iterdir() if not is_desktop_file(entry.name))
    for entry in entries:
        _refuse_missing(entry)
    files = tuple(entry for entry in entries if entry.is_file())
    kinds = {
        "NIfTI masks": tuple(f for f in files if has_nifti_name(f.name)),
        "surfaces": tuple(f for f in files if is_surface(f)),
        ".seg.nrrd files": tuple(f for f in files if f.name.lower().endswith(".nrrd")),
    }
    found = [kind for kind, members in kinds.items() if members]
    if len(found) > 1:
        raise ReadError(
            folder.name, f"the folder holds {' and '.join(found)}", "Keep one kind in it, or name one file."
        )
    if kinds[".seg.nrrd files"]:
        raise ReadError(folder.name, "the folder holds .seg.nrrd", "Give the file itself, not its folder.")
    if found:
        return kinds[found[0]], _note_on_others(entries, kinds[found[0]], found[0])
    if any(is_dicom(file) for file in files):
        raise dicom_error(folder)
    others = [entry.name for entry in entries]
    held = f" (but {listed(others)})" if others else ""
    raise ReadError(folder.name, f"the folder holds nothing that is read here{held}", f"Give {KINDS}.")


def is_desktop_file(name: str) -> bool:
    """Whether desktop systems add a file or folder of that name of their own accord."""
    return name.startswith(".") or name.lower() in _OF_DESKTOPS


def is_document(name: str) -> bool:
    """Whether a file of that name holds neither voxels nor surfaces."""
    return _DOCUMENT.fullmatch(Path(name).suffix) is not None


def _is_called_as_input(name: str) -> bool:
    return has_nifti_name(name) or is_surface(Path(name)) or name.lower().endswith(".nrrd")


def _refuse_missing(entry: Path) -> None:
    """Raise ReadError for an entry that stands for a structure whose file is not there."""
    stem, suffix = entry.stem, entry.suffix.lower()
    if entry.is_symlink() and not entry.exists():
        raise ReadError(entry.name, "it is a link to nothing", "Copy the file itself, or remove the link.")
    if entry.is_dir() and _is_called_as_input(entry.name):
        raise ReadError(
            entry.name,
            "it is a folder, called as a file of the input is",
            "Take the file out of it, or rename it.",
        )
    if suffix in UNFINISHED and _is_called_as_input(stem):
        raise ReadError(
            entry.name, f"its name says that {stem} is unfinished", "Copy the whole file, or remove this one."
        )


def _note_on_others(entries: list[Path], taken: tuple[Path, ...], kind: str) -> tuple[str, ...]:
    known = set(taken)
    others = [
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in entries
        if entry not in known and (entry.is_dir() or not is_document(entry.name))
    ]
    return (f"Passed over beside the {kind}: {listed(others, MAX_IGNORED_LISTED)}.",) if others else ()
