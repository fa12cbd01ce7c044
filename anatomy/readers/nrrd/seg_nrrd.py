"""Segmentations in .seg.nrrd, as 3D Slicer writes them: segments in one or more layers; segments may overlap.

    3D:  axes (x, y, z)             one layer of labels
    4D:  axes (layer, x, y, z)      one layer of labels for each index of the first axis
    4D:  axes (x, y, z, layer)      the same, from tools that append an axis
    Segment<N>_Name, _Layer, _LabelValue give the name of a segment, its layer and its label.

`Segment<N>_Extent` only repeats where the voxels are, is often outdated, and is not used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt

from anatomy.errors import ReadError
from anatomy.geometry.frames import Grid, canonical, grid_of_file, lps_from_ras
from anatomy.geometry.masks import masks_from_labels
from anatomy.readers.byte_stream import ByteStream, gunzip_stream
from anatomy.readers.label_values import MAX_LABEL, LabelCount, to_labels
from anatomy.readers.nrrd.header import NrrdHeader, damaged_header, parse_header
from anatomy.readers.size_limits import (
    MAX_HEADER_BYTES,
    MAX_NAME_LENGTH,
    MAX_UNPACKED_BYTES,
    check_structure_count,
    check_volume_size,
)
from anatomy.structures import Structure

_DTYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i1": ("signed char", "int8", "int8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_SPACES = {
    "left-posterior-superior": False,
    "lps": False,
    "right-anterior-superior": True,
    "ras": True,
}
"""Supported patient axes, and whether they are RAS."""

_RAW, _GZIP = ("raw",), ("gzip", "gz")

_SLAB_BYTES = 2**22
"""Bytes processed at a time: narrow volumes have many slices of a few bytes each."""

_SEGMENT_KEY = re.compile(r"Segment([0-9]{1,6})_\w+")


def is_nrrd(path: Path) -> bool:
    """Whether the file begins as NRRD."""
    with path.open("rb") as stream:
        return stream.read(4) == b"NRRD"


def read_segments(path: Path) -> tuple[Grid, tuple[Structure, ...]]:
    """The segments of a .seg.nrrd file as structures on one grid.

    Raises ReadError for a damaged or unsupported file, or for voxels that belong to no segment; GridError for
    axes that are no frame.
    """
    file = path.name
    with path.open("rb") as raw:
        header = parse_header(raw.read(MAX_HEADER_BYTES), file)
        axes = _axes(header)
        dtype = _dtype(header)
        check_volume_size(file, axes.sizes, dtype.itemsize)
        check_structure_count(file, axes.layers)
        segments = _segments(header, axes.layered)
        for segment in segments:
            if segment.layer >= axes.layers:
                raise ReadError(
                    file,
                    f"its header puts {segment.name} in layer {segment.layer}, which does not exist",
                    "Save the file again.",
                )
        X_PV = _matrix(header, axes)
        grid_of_file(file, axes.shape, X_PV)  # refuses NaN, shear and absurd spacings first
        raw.seek(header.size)
        packed = _is_packed(header)
        layers = _layers(
            gunzip_stream(raw, file) if packed else ByteStream(raw, file), axes, dtype, segments, file
        )
    structures: dict[str, Structure] = {}
    grid: Grid | None = None
    for index in range(axes.layers):
        # The memory of each layer is freed as soon as it is in canonical order.
        layer, grid = canonical(layers.pop(0), X_PV)
        own = [s for s in segments if s.layer == index]
        masks = masks_from_labels(layer, [s.label for s in own])
        structures.update({s.name: Structure(s.name, masks[s.label]) for s in own})
    assert grid is not None
    return grid, tuple(structures[s.name] for s in segments)


@dataclass(frozen=True)
class _Segment:
    name: str
    layer: int
    label: int


@dataclass(frozen=True, eq=False)
class _Axes:
    """Sizes as stored, the axis that counts layers (None for a single layer), and the directions of the
    others."""

    sizes: tuple[int, ...]
    layer_axis: int | None
    directions: tuple[Float[np.ndarray, "3"], ...]

    @property
    def layered(self) -> bool:
        return self.layer_axis is not None

    @property
    def layers(self) -> int:
        return 1 if self.layer_axis is None else self.sizes[self.layer_axis]

    @property
    def shape(self) -> tuple[int, int, int]:
        nx, ny, nz = (n for axis, n in enumerate(self.sizes) if axis != self.layer_axis)
        return nx, ny, nz


def _axes(header: NrrdHeader) -> _Axes:
    """Sizes and directions of the axes: three spatial axes, with the layer axis before or after them."""
    file = header.file
    for foreign in ("data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip"):
        if header.fields.get(foreign, "0") != "0":
            raise ReadError(file, f"its header has {foreign!r}", "Save header and data in one plain file.")
    sizes, stated = header.whole_numbers("sizes"), header.fields.get("dimension")
    if stated != str(len(sizes)):
        raise damaged_header(file, f"dimension {stated}, but {len(sizes)} sizes")
    if len(sizes) not in (3, 4):
        raise ReadError(file, f"it has {len(sizes)} dimensions", "Give a 3D or layered segmentation.")
    vectors = header.vectors("space directions")
    directions = tuple(v for v in vectors if v is not None)
    if len(vectors) != len(sizes) or [v.shape for v in directions] != [(3,)] * 3:
        raise ReadError(file, "it does not have three space directions and an origin", "Save it again.")
    layer_axis = next((axis for axis, v in enumerate(vectors) if v is None), None)
    if layer_axis not in (None, 0, 3):
        raise ReadError(
            file,
            f"its layers lie along axis {layer_axis + 1} of 4, between axes of space",
            "Save it with the layers along the first axis, as 3D Slicer does, or along the last.",
        )
    return _Axes(sizes, layer_axis, directions)


def _is_packed(header: NrrdHeader) -> bool:
    encoding = header.field("encoding").lower()
    if encoding not in _RAW + _GZIP:
        raise ReadError(header.file, f"its encoding is {encoding!r}", "Save it raw or gzip-compressed.")
    return encoding in _GZIP


def _dtype(header: NrrdHeader) -> np.dtype:
    for code, names in _DTYPES.items():
        if header.field("type").lower() in names:
            little = header.fields.get("endian", "little").lower() == "little"
            return np.dtype(("<" if little else ">") + code)
    kind = header.field("type")
    raise ReadError(header.file, f"its voxels are of type {kind!r}", "Save it with whole-number labels.")


def _matrix(header: NrrdHeader, axes: _Axes) -> Float[np.ndarray, "4 4"]:
    """Matrix from stored index along the three spatial axes to LPS mm."""
    file, space = header.file, header.field("space").lower()
    if space not in _SPACES:
        raise ReadError(
            file, f"its space is {space!r}", "Save it in left-posterior-superior or right-anterior-superior."
        )
    units = header.fields.get("space units", "").replace('"', " ").split()
    if any(unit not in ("mm", "none", "None") for unit in units):
        raise ReadError(file, f"its space units are {', '.join(units)}", "Save it in mm.")
    origin = header.vectors("space origin")
    if len(origin) != 1 or origin[0] is None or origin[0].shape != (3,):
        raise ReadError(file, "it has no space origin of three numbers that are not NaN", "Save it again.")
    X = np.eye(4)
    X[:3, :3] = np.array(axes.directions).T
    X[:3, 3] = origin[0]
    grid_of_file(file, axes.shape, X)  # before a multiplication with infinity
    return lps_from_ras(X) if _SPACES[space] else X


def _segments(header: NrrdHeader, layered: bool) -> tuple[_Segment, ...]:
    file, pairs = header.file, header.pairs
    indices = sorted({int(match.group(1)) for key in pairs if (match := _SEGMENT_KEY.fullmatch(key))})
    if not indices:
        raise ReadError(
            file,
            "its header names no segment",
            "Save it as a segmentation (.seg.nrrd), or convert it to a NIfTI label map with a names table.",
        )
    check_structure_count(file, len(indices))
    segments = []
    for n in indices:
        name = pairs.get(f"Segment{n}_Name") or pairs.get(f"Segment{n}_ID") or ""
        # In older files each segment has its own layer, with label 1.
        layer = header.whole_number(f"Segment{n}_Layer", n if layered else 0)
        label = header.whole_number(f"Segment{n}_LabelValue", 1)
        if not name or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
            raise ReadError(
                file,
                f"segment {n} has no printable name of up to {MAX_NAME_LENGTH} characters in UTF-8",
                "Name it and save the file again.",
            )
        if not 1 <= label <= MAX_LABEL:
            raise ReadError(file, f"{name} has the label {label}", f"Labels are 1 to {MAX_LABEL}.")
        segments.append(_Segment(name, layer, label))
    if len({s.name for s in segments}) < len(segments):
        raise ReadError(file, "two segments have one name", "Give each segment a name of its own.")
    if len({(s.layer, s.label) for s in segments}) < len(segments):
        raise ReadError(file, "two segments share one label in one layer", "Save the file again.")
    return tuple(segments)


def _layers(
    stream: ByteStream, axes: _Axes, dtype: np.dtype, segments: tuple[_Segment, ...], file: str
) -> list[UInt[np.ndarray, "nx ny nz"]]:
    """Each layer's labels, read in slabs to the file's end."""
    small = max(s.label for s in segments) <= 255
    layers = [np.empty(axes.shape, np.uint8 if small else np.uint16, order="F") for _ in range(axes.layers)]
    counts = [LabelCount() for _ in layers]
    try:
        for first, where, stored in _slabs(stream, axes, dtype):
            slab = to_labels(stored, file)
            for index, labels in enumerate(slab, first):
                layers[index][:, :, where] = labels
                counts[index].add(layers[index][:, :, where])
        stream.finish()
    except ReadError:
        # If the values are wrong because the file is damaged, the checksum shows it.
        stream.drain(MAX_UNPACKED_BYTES)
        raise
    for index, count in enumerate(counts):
        count.check_named({s.label: s.name for s in segments if s.layer == index}, file)
    return layers


def _slabs(stream: ByteStream, axes: _Axes, dtype: np.dtype) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Slabs of whole slices in stored order: the first layer of each slab, its range of slices, and its
    values (layers, nx, ny, slices). The data's first axis varies fastest.

    Many slices at a time: narrow volumes may have as many slices as voxels.
    """
    nx, ny, nz = axes.shape
    together, apart = (1, axes.layers) if axes.layer_axis == 3 else (axes.layers, 1)
    slice_bytes = together * nx * ny * dtype.itemsize
    step = max(1, _SLAB_BYTES // slice_bytes)
    for first in range(apart):
        for start in range(0, nz, step):
            where = slice(start, min(nz, start + step))
            shape = (together, nx, ny, where.stop - start)
            content = stream.read_exactly(slice_bytes * shape[3], "voxels")
            yield first, where, np.frombuffer(content, dtype).reshape(shape, order="F")
