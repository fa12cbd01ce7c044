"""Digests: which bytes went into a plan."""

import hashlib
from pathlib import Path

from anatomy.readers.mesh.mesh_axes import MeshAxes
from anatomy.structures import InputDigest


def digest(path: Path, axes: MeshAxes | None = None) -> InputDigest:
    """The sha256 of a file's bytes under its base name, so that no folder of this machine enters a plan; with
    the axes that a surface was read in."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return InputDigest(path.name, sha256, None if axes is None else str(axes))
