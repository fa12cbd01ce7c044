"""Digests: the sha256 of each input file of a plan."""

import hashlib
from pathlib import Path

from anatomy.readers.mesh.mesh_axes import MeshAxes
from anatomy.structures import InputDigest


def digest(path: Path, axes: MeshAxes | None = None) -> InputDigest:
    """A file's sha256 and base name, so that a plan contains no folder names of this machine; with the axes
    in which a surface was read."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return InputDigest(path.name, sha256, None if axes is None else str(axes))
