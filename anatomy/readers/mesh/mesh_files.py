"""Mesh files: closed surfaces from STL, OBJ and PLY, one structure per file, in mm."""

import io
import logging
import re
import struct
from pathlib import Path

import numpy as np
import trimesh

from anatomy.errors import ReadError
from anatomy.geometry.surface import Surface
from anatomy.geometry.surfaces import checked_surface
from anatomy.readers.mesh.mesh_axes import MeshAxes, is_ascii_stl, stated_axes
from anatomy.readers.size_limits import MAX_SURFACE_BYTES, check_file_size

_DAMAGED = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    NameError,
    struct.error,
)
"""Exceptions of trimesh's readers for bytes that are not a mesh; NameError if a header lacks expected
fields."""

_MATERIAL = re.compile(rb"usemtl [^\n]*")
"""From anywhere in a line to its end, as trimesh searches for it."""

# Our own errors say what is wrong with a file; trimesh would also log tracebacks.
logging.getLogger("trimesh").setLevel(logging.CRITICAL)


def axes_stated_in(path: Path) -> MeshAxes | None:
    """The axes that a mesh file states; None if it states none. Raises ReadError as `stated_axes` does."""
    check_file_size(path, MAX_SURFACE_BYTES)
    return stated_axes(path.name, _kind(path), path.read_bytes())


def read_surface(path: Path, axes: MeshAxes = MeshAxes.LPS) -> Surface:
    """One closed surface in P, from a file with coordinates in `axes`. [mm]

    Raises ReadError for a file that is not a mesh, SurfaceError for a mesh that bounds no volume.
    """
    check_file_size(path, MAX_SURFACE_BYTES)
    content = path.read_bytes()
    kind = _kind(path)
    _refuse_wrong_kind(path.name, kind, content)
    try:
        # trimesh would guess the encoding of bytes that are not UTF-8; only comments may contain such bytes.
        if kind == "obj" or is_ascii_stl(content):
            content = content.decode("utf-8", errors="replace").encode()
        if kind == "obj":
            content = _without_materials(content)
        # An index that overflows an integer would be cast to another index, which may exist.
        with np.errstate(invalid="raise", over="ignore", divide="ignore"):
            loaded = trimesh.load_mesh(
                io.BytesIO(content), file_type=kind, process=False, skip_materials=True
            )
            vertices_P, faces = np.array(loaded.vertices, float), np.array(loaded.faces, np.int64)
    except FloatingPointError:
        raise ReadError(
            path.name, "it holds numbers that are infinite, NaN, or too large", "Export or copy it again."
        ) from None
    except _DAMAGED:
        raise ReadError(
            path.name, f"it is cut short, damaged, or no {kind.upper()} mesh", "Export or copy it again."
        ) from None
    if vertices_P.ndim != 2 or vertices_P.shape[1:] != (3,) or faces.ndim != 2 or faces.shape[1:] != (3,):
        raise ReadError(path.name, "it holds no triangles", "Export the structure as a triangle mesh.")
    if axes is MeshAxes.RAS:
        # Two axes are reversed, which is a rotation: triangles still face outwards.
        vertices_P[:, :2] *= -1.0
    return checked_surface(path.name, vertices_P, faces)


def _without_materials(content: bytes) -> bytes:
    """An OBJ without material names: trimesh would make a mesh of all vertices for each material."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\\\n", b"")
    return _MATERIAL.sub(b"", lines)


def _kind(path: Path) -> str:
    return path.suffix.lower()[1:]


def _refuse_wrong_kind(file: str, kind: str, content: bytes) -> None:
    """Raise ReadError if the bytes are clearly not what the suffix says, or are cut short."""
    if kind == "ply":
        wrong = not content.startswith((b"ply\n", b"ply\r"))
    elif kind == "obj":
        wrong = b"\0" in content[:4096]
    elif is_ascii_stl(content):
        wrong = b"endsolid" not in content[-4096:].lower()
    else:
        # Binary STL: 80 bytes of header, a count, and 50 bytes for each triangle.
        wrong = len(content) < 84 or len(content) != 84 + 50 * struct.unpack_from("<I", content, 80)[0]
    if wrong:
        raise ReadError(file, f"it is no {kind.upper()} file, or is cut short", "Export or copy it again.")
