"""NIfTI header: its fields as stored, in either version and byte order. Nothing is corrected here.

NIfTI-1   https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
NIfTI-2   https://nifti.nimh.nih.gov/pub/dist/doc/nifti2.h

| header 348 or 540 | flag 4 | extensions: size, code, content; ... | voxels, from voxels_at on |
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.errors import ReadError
from anatomy.readers.size_limits import MAX_HEADER_BYTES

SHORTEST_BYTES = 348
"""Size of the shorter header, NIfTI-1's; it contains what distinguishes the versions."""

FLAG_BYTES = 4
"""Bytes between header and extensions; the first one says whether there are extensions."""

_EXTENSION_HEAD = 8
"""Bytes of an extension's size and code, which are included in its size."""

_REWRITE = "Write the file again: its header is damaged."


@dataclass(frozen=True)
class _Layout:
    """The fields of a version: struct format and offset of each."""

    size: int
    dim: tuple[str, int]
    datatype: tuple[str, int]
    pixdim: tuple[str, int]
    vox_offset: tuple[str, int]
    scaling: tuple[str, int]
    unit: tuple[str, int]
    codes: tuple[str, int]
    qform: tuple[str, int]
    sform: tuple[str, int]


_LAYOUTS = {
    1: _Layout(
        size=348,
        dim=("8h", 40),
        datatype=("h", 70),
        pixdim=("8f", 76),
        vox_offset=("f", 108),
        scaling=("2f", 112),
        unit=("B", 123),
        codes=("2h", 252),
        qform=("6f", 256),
        sform=("12f", 280),
    ),
    2: _Layout(
        size=540,
        dim=("8q", 16),
        datatype=("h", 12),
        pixdim=("8d", 104),
        vox_offset=("q", 168),
        scaling=("2d", 176),
        unit=("i", 500),
        codes=("2i", 344),
        qform=("6d", 352),
        sform=("12d", 400),
    ),
}

_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}

_OTHER_TYPES = {
    1: "binary",
    32: "complex64",
    128: "RGB",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA",
}


@dataclass(frozen=True, eq=False)
class Header:
    """One header's fields. `spacing` and both forms are in the file's unit, world axes RAS.

    `shape` has as many sizes as the header states. `slope` and `inter` scale stored values if `slope` is not
    None. `qform` holds the quaternion's b, c, d and the offset; `qfac` is pixdim[0].
    """

    order: str
    shape: tuple[int, ...]
    dtype: np.dtype
    voxels_at: int
    slope: float | None
    inter: float
    unit: int
    qform_code: int
    sform_code: int
    qfac: float
    spacing: Float[np.ndarray, "3"]
    qform: Float[np.ndarray, "6"]
    sform: Float[np.ndarray, "3 4"]


def nifti_version(start: bytes) -> int | None:
    """1 or 2 if the first bytes are the header of a single-file NIfTI, else None."""
    if start[4:8] == b"n+2\0":
        return 2
    return 1 if start[344:348] == b"n+1\0" else None


def header_size(start: bytes, file: str) -> int:
    """Size in bytes of the header that begins like this. Raises ReadError if it is not of a single-file
    NIfTI."""
    version = nifti_version(start)
    if version is None:
        raise ReadError(
            file,
            "it does not begin as a NIfTI file",
            "Give a single-file NIfTI (.nii or .nii.gz), copied whole.",
        )
    return _LAYOUTS[version].size


def decode_header(start: bytes, file: str) -> Header:
    """The fields of a complete header.

    Raises ReadError for sizes, a voxel type or a voxel offset that are invalid.
    """
    layout = _LAYOUTS[2 if header_size(start, file) == 540 else 1]
    order = next((o for o in "<>" if struct.unpack_from(f"{o}i", start)[0] == layout.size), None)
    if order is None:
        stated = struct.unpack_from("<i", start)[0]
        raise ReadError(file, f"its header is said to have {stated} bytes, not {layout.size}", _REWRITE)

    def field(where: tuple[str, int]) -> tuple[float, ...]:
        return struct.unpack_from(order + where[0], start, where[1])

    count, *sizes = (int(n) for n in field(layout.dim))
    if not 1 <= count <= 7:
        raise ReadError(file, f"its header counts {count} dimensions", _REWRITE)
    slope, inter = field(layout.scaling)
    scaled = math.isfinite(slope) and slope != 0
    if scaled and not math.isfinite(inter):
        raise ReadError(file, f"its values are scaled by {slope:g} x + {inter:g}", _REWRITE)
    qform_code, sform_code = (int(n) for n in field(layout.codes))
    pixdim = field(layout.pixdim)
    return Header(
        order=order,
        shape=tuple(sizes[:count]),
        dtype=_dtype(int(field(layout.datatype)[0]), order, file),
        voxels_at=_voxels_at(field(layout.vox_offset)[0], layout.size + FLAG_BYTES, file),
        slope=slope if scaled else None,
        inter=inter,
        unit=int(field(layout.unit)[0]) & 0b111,
        qform_code=qform_code,
        sform_code=sform_code,
        qfac=pixdim[0],
        spacing=np.array(pixdim[1:4], float),
        qform=np.array(field(layout.qform), float),
        sform=np.array(field(layout.sform), float).reshape(3, 4),
    )


def extensions(content: bytes, order: str, file: str) -> Iterator[bytes]:
    """The content of each extension, of any code, in the bytes between header and voxels.

    Zeros after the last extension are padding. Raises ReadError if a size extends beyond `content`.
    """
    if content[:1] in (b"", b"\0"):
        return
    at = FLAG_BYTES
    while len(content) - at >= _EXTENSION_HEAD:
        (size,) = struct.unpack_from(f"{order}i", content, at)
        if size == 0:
            return
        if not _EXTENSION_HEAD <= size <= len(content) - at:
            raise ReadError(file, f"a header extension is said to have {size} bytes", _REWRITE)
        yield content[at + _EXTENSION_HEAD : at + size]
        at += size


def _dtype(code: int, order: str, file: str) -> np.dtype:
    if code not in _DTYPES:
        named = _OTHER_TYPES.get(code, f"{code}, which NIfTI does not have")
        raise ReadError(file, f"its voxels are of type {named}", "Write them as whole or real numbers.")
    return np.dtype(order + _DTYPES[code])


def _voxels_at(offset: float, first: int, file: str) -> int:
    if not first <= offset <= MAX_HEADER_BYTES or offset != int(offset):
        raise ReadError(
            file,
            f"its voxels are said to begin at byte {offset:g}",
            f"They begin at a whole byte from {first} to {MAX_HEADER_BYTES}. {_REWRITE}",
        )
    return int(offset)
