"""Kinds of damaged input that are surfaces: STL, OBJ and PLY, alone, in a folder, and as a target."""

from functools import partial
from pathlib import Path

import trimesh
from case_files import NAMES, body_labels, label_table, write_nifti
from fuzz_kind import FuzzKind

from anatomy.geometry.surface import Surface
from anatomy.readers.mesh.mesh_axes import MeshAxes
from anatomy.readers.mesh.mesh_files import axes_stated_in, read_surface
from anatomy.readers.read import read
from anatomy.structures import Segmentation

STL_TOKENS = (
    *(b"solid ", b"endsolid", b"facet normal ", b"outer loop", b"vertex ", b"endloop", b"endfacet", b"\0"),
    *(b"SPACE=RAS", b"SPACE=LPS", b"SPACE=LAS", b"\r\n", b"nan nan nan", b"\xff\xff\xff\xff", b"\xe9"),
)

OBJ_TOKENS = (
    *(b"v ", b"vn ", b"vt ", b"f ", b"f 1 2", b"f 1//1 2//2 3//3", b"f 1/1/1 2 3", b"f -1 -2 -3", b"f 0 0 0"),
    *(b"f 1 2 3 4 5", b"o x", b"g x", b"usemtl x", b"mtllib x.mtl", b"s off", b"l 1 2", b"p 1", b"\\\n"),
    *(b"# SPACE=RAS", b"\r\n", b"\0", b"\xe9", b"/", b"vertex"),
)

PLY_TOKENS = (
    *(b"ply\n", b"format ascii 1.0", b"format binary_little_endian 1.0", b"format binary_big_endian 1.0"),
    *(b"element vertex ", b"element face ", b"element edge 3\n", b"element x 0\n", b"property float x\n"),
    *(b"property double z\n", b"property list uchar int vertex_indices\n", b"property list float float x\n"),
    *(b"property uchar red\n", b"end_header\n", b"comment SPACE=RAS\n", b"comment TextureFile x.png\n"),
    *(b"property list uchar float texcoord\n", b"uchar", b"int64", b"\r\n", b"\0", b"\xe9", b"obj_info x\n"),
)

HEART_MM, BODY_MM, NODE_MM = 20.0, 35.0, 3.0
"""Radii of the balls: hardly larger than the least that a heart, a body and a target may have, for a small
grid."""

NODE_P = (-9.5, 38.5, 578.0)
"""Within the labels of case_files. [mm]"""


def _write(path: Path, radius_mm: float, ascii: bool = False, says: bytes = b"") -> Path:
    """A ball in a file of its suffix's kind, which says something in its header or comments."""
    kind = path.suffix[1:]
    ball = trimesh.creation.icosphere(subdivisions=1, radius=radius_mm).apply_translation(NODE_P)
    if kind == "stl" and ascii:
        content = ball.export(file_type="stl_ascii").encode()
        content = b"solid " + says + b"\n" + content.partition(b"\n")[2]
    elif kind == "stl":
        content = says.ljust(80, b"\0") + ball.export(file_type="stl")[80:]
    elif kind == "obj":
        content = b"# " + says + b"\n" + ball.export(file_type="obj").encode()
    else:
        content = ball.export(file_type="ply", encoding="ascii" if ascii else "binary")
        head, line, rest = content.partition(b"element vertex")
        content = head + b"comment " + says + b"\n" + line + rest
    path.write_bytes(content)
    return path


def _alone(kind: str, folder: Path) -> list[Path]:
    files = [_write(folder / f"heart.{kind}", HEART_MM, says=b"SPACE=RAS")]
    if kind != "obj":
        (folder / "ascii").mkdir()
        files.append(_write(folder / "ascii" / f"heart.{kind}", HEART_MM, ascii=True))
    return files


def _folder(folder: Path) -> list[Path]:
    _write(folder / "body.stl", BODY_MM, says=b"SPACE=LPS")
    return [
        _write(folder / "heart.obj", HEART_MM, says=b"SPACE=LPS"),
        _write(folder / "node_4R.ply", NODE_MM, says=b"SPACE=LPS"),
        _write(folder / "aorta.stl", HEART_MM, says=b"SPACE=RAS"),
    ]


def _targets(folder: Path) -> list[Path]:
    aside = folder / "case"
    aside.mkdir()
    write_nifti(aside / "labels.nii.gz", body_labels(), extension=label_table(NAMES))
    return [
        _write(folder / "gtv.stl", NODE_MM),
        _write(folder / "gtv.obj", NODE_MM),
        _write(folder / "gtv.ply", NODE_MM, ascii=True),
    ]


def _alone_read(path: Path) -> Surface:
    """As `read` does, less the grid that it makes, which takes most of its time."""
    return read_surface(path, axes_stated_in(path) or MeshAxes.LPS)


def _as_folder(path: Path) -> Segmentation:
    return read(path.parent)[0]


def _as_target(path: Path) -> object:
    return read(path.parent / "case" / "labels.nii.gz", targets=[path])


SURFACE_KINDS: dict[str, FuzzKind] = {
    "stl": FuzzKind(partial(_alone, "stl"), _alone_read, STL_TOKENS),
    "obj": FuzzKind(partial(_alone, "obj"), _alone_read, OBJ_TOKENS),
    "ply": FuzzKind(partial(_alone, "ply"), _alone_read, PLY_TOKENS),
    "surface-folder": FuzzKind(_folder, _as_folder, STL_TOKENS + OBJ_TOKENS + PLY_TOKENS),
    "surface-target": FuzzKind(_targets, _as_target, STL_TOKENS + OBJ_TOKENS + PLY_TOKENS),
}
