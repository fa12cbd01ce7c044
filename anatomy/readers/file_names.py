"""File names: the format and the organ that a name indicates. No file is opened."""

from pathlib import Path

NIFTI_SUFFIXES = (".nii.gz", ".nii")

SURFACE_SUFFIXES = (".stl", ".obj", ".ply")


def organ_name(path: Path) -> str:
    """The file's name without its suffix: "aorta" for aorta.nii.gz."""
    for suffix in (*NIFTI_SUFFIXES, ".seg.nrrd"):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def is_surface(path: Path) -> bool:
    """Whether the file's name is that of a mesh."""
    return path.suffix.lower() in SURFACE_SUFFIXES
