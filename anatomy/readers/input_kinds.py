"""Input kinds: the kind of a file or folder, and which of a folder's files are the input.

masks, or surfaces                              the input, of one kind
.name, ._name, __MACOSX, Thumbs.db, ...         ignored: desktop systems add them automatically
documents: .json, .csv, .txt, .pdf, ...         ignored: they hold no voxels, and plans may be saved there
a broken link                                   refused: needles would not avoid the missing structure
a folder with the name of a mask                refused
an unfinished download of a mask                refused
any other file, a folder                        ignored, with a note
"""

import re
from pathlib import Path

from anatomy.errors import ReadError
from anatomy.readers.file_names import NIFTI_SUFFIXES, is_surface
from anatomy.remarks import listed

KINDS = "a NIfTI label map with names, a folder of NIfTI masks, .seg.nrrd, or STL/OBJ/PLY surfaces"

UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".opdownload", ".tmp")
"""Suffixes that browsers and copy programs append to a file's name until it is complete."""

_DOCUMENT = re.compile(
    r"\.(csv|html?|ini|jpe?g|json|log|md|pdf|png|toml|tsv|txt|xlsx|xml|ya?ml)", re.IGNORECASE
)
"""Files without voxels and surfaces: TotalSegmentator's statistics, a plan saved next to its masks."""

_OF_DESKTOPS = frozenset(("__macosx", "thumbs.db", "desktop.ini"))

MAX_IGNORED_LISTED = 10
"""Names that the note lists."""


def has_nifti_name(name: str) -> bool:
    """Whether a file has the name of a NIfTI file."""
    return name.lower().endswith(NIFTI_SUFFIXES)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM, or is a zip file."""
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:132] == b"DICM" or (start[:2] == b"PK" and path.suffix.lower() == ".zip")


def dicom_error(path: Path) -> ReadError:
    """The error for DICOM and zip files."""
    return ReadError(
        path.name,
        "it is DICOM or a zip, which is not read here",
        f"Convert or unpack it first. Give {KINDS}.",
    )


def input_files(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The folder's files of the one kind that it holds, sorted, and a note on its other entries.

    Raises ReadError for a folder of no kind or of several kinds, and for an entry that looks like a missing
    structure.
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
    present = [kind for kind, members in kinds.items() if members]
    if len(present) > 1:
        raise ReadError(
            folder.name, f"the folder holds {' and '.join(present)}", "Keep one kind in it, or name one file."
        )
    if kinds[".seg.nrrd files"]:
        raise ReadError(folder.name, "the folder holds .seg.nrrd", "Give the file itself, not its folder.")
    if present:
        return kinds[present[0]], _note_on_others(entries, kinds[present[0]], present[0])
    if any(is_dicom(file) for file in files):
        raise dicom_error(folder)
    others = [entry.name for entry in entries]
    contents = f" (but {listed(others)})" if others else ""
    raise ReadError(folder.name, f"the folder holds nothing that is read here{contents}", f"Give {KINDS}.")


def is_desktop_file(name: str) -> bool:
    """Whether desktop systems add a file or folder of that name automatically."""
    return name.startswith(".") or name.lower() in _OF_DESKTOPS


def is_document(name: str) -> bool:
    """Whether a file of that name holds neither voxels nor surfaces."""
    return _DOCUMENT.fullmatch(Path(name).suffix) is not None


def _is_called_as_input(name: str) -> bool:
    return has_nifti_name(name) or is_surface(Path(name)) or name.lower().endswith(".nrrd")


def _refuse_missing(entry: Path) -> None:
    """Raise ReadError for an entry that means a structure whose file is missing."""
    stem, suffix = entry.stem, entry.suffix.lower()
    if entry.is_symlink() and not entry.exists():
        raise ReadError(entry.name, "it is a link to nothing", "Copy the file itself, or remove the link.")
    if entry.is_dir() and _is_called_as_input(entry.name):
        raise ReadError(
            entry.name,
            "it is a folder with the name of an input file",
            "Move the file out of it, or rename it.",
        )
    if suffix in UNFINISHED and _is_called_as_input(stem):
        raise ReadError(
            entry.name, f"its name says that {stem} is unfinished", "Copy the whole file, or remove this one."
        )


def _note_on_others(entries: list[Path], used_files: tuple[Path, ...], kind: str) -> tuple[str, ...]:
    used = set(used_files)
    others = [
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in entries
        if entry not in used and (entry.is_dir() or not is_document(entry.name))
    ]
    return (f"Ignored next to the {kind}: {listed(others, MAX_IGNORED_LISTED)}.",) if others else ()
