"""Segmentations in .seg.nrrd, as 3D Slicer writes them: segments in one or more layers, which may overlap.

    3D:  axes (x, y, z)             one layer of labels
    4D:  axes (layer, x, y, z)      one layer of labels for each index of the first axis
    Segment<N>_Name, _Layer, _LabelValue name a segment and say where it lies.

`Segment<N>_Extent` only repeats where the voxels are, is often stale, and is not used.
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import nrrd
import numpy as np
from jaxtyping import Float, UInt

from anatomy.errors import ReadError
from anatomy.frames import Grid, canonical, grid_of_file, lps_from_ras
from anatomy.label_values import LARGEST_LABEL, LabelCount, whole_labels
from anatomy.limits import MAX_HEADER_BYTES, check_structure_count, check_volume_size
from anatomy.structures import Structure, masks_from_labels

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
"""Patient axes that are read, and whether they are RAS."""

_RAW, _GZIP = ("raw",), ("gzip", "gz")


@dataclass(frozen=True)
class _Segment:
    name: str
    layer: int
    label: int


def is_nrrd(path: Path) -> bool:
    """Whether the file begins as NRRD."""
    with path.open("rb") as stream:
        return stream.read(4) == b"NRRD"


def read_segments(path: Path) -> tuple[Grid, tuple[Structure, ...]]:
    """The segments of a .seg.nrrd file as structures on one grid.

    Raises ReadError for a damaged or unsupported file, or voxels of no segment; GridError for axes that are
    no frame.
    """
    file = path.name
    with path.open("rb") as stream:
        header = _header(stream, file)
        sizes = tuple(int(n) for n in cast(Iterable[int], header["sizes"]))
        dtype = _dtype(header, file)
        layered = len(sizes) == 4
        if len(sizes) not in (3, 4):
            raise ReadError(file, f"it has {len(sizes)} dimensions", "Give a 3D or layered segmentation.")
        check_volume_size(file, sizes, dtype.itemsize)
        shape = sizes[-3:]
        segments = _segments(header, layered, file)
        count_of_layers = sizes[0] if layered else 1
        for segment in segments:
            if segment.layer >= count_of_layers:
                raise ReadError(
                    file, f"{segment.name} is said to lie in layer {segment.layer}", "Save the file again."
                )
        X_PV = _matrix(header, file)
        grid_of_file(
            file, (shape[0], shape[1], shape[2]), X_PV
        )  # refuses NaN, shear and absurd spacings first
        layers = _layers(stream, header, sizes, dtype, segments, file)
    structures: dict[str, Structure] = {}
    grid: Grid | None = None
    for index in range(count_of_layers):
        # Each layer is let go as soon as it stands in canonical order.
        layer, grid = canonical(layers.pop(0), X_PV)
        own = [s for s in segments if s.layer == index]
        masks = masks_from_labels(layer, [s.label for s in own])
        structures.update({s.name: Structure(s.name, masks[s.label]) for s in own})
    assert grid is not None
    return grid, tuple(structures[s.name] for s in segments)


def _header(stream: BinaryIO, file: str) -> Mapping[str, object]:
    """The parsed header; the stream is left at the first byte of data."""
    start = stream.read(MAX_HEADER_BYTES)
    end = re.search(rb"\r?\n\r?\n", start)
    if not start.startswith(b"NRRD") or end is None:
        raise ReadError(file, "it does not begin with a NRRD header", "Give a .seg.nrrd file, copied whole.")
    try:
        header = nrrd.read_header(io.BytesIO(start[: end.end()]))
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ReadError(file, f"its header is damaged ({error})", "Save the file again.") from None
    for needed in ("sizes", "type", "encoding", "space", "space directions", "space origin"):
        if needed not in header:
            raise ReadError(file, f"its header has no {needed!r}", "Save it again as a segmentation.")
    stated, axes = header.get("dimension"), len(cast(Sequence[int], header["sizes"]))
    if stated != axes:
        raise ReadError(
            file, f"its header is damaged (dimension {stated}, but {axes} sizes)", "Save the file again."
        )
    for foreign in ("data file", "datafile", "line skip", "byte skip"):
        if header.get(foreign) not in (None, 0):
            raise ReadError(file, f"its header has {foreign!r}", "Save header and data in one plain file.")
    stream.seek(end.end())
    return cast(Mapping[str, object], header)


def _dtype(header: Mapping[str, object], file: str) -> np.dtype:
    for code, names in _DTYPES.items():
        if header["type"] in names:
            little = str(header.get("endian", "little")).lower() == "little"
            return np.dtype(("<" if little else ">") + code)
    raise ReadError(file, f"its voxels are of type {header['type']!r}", "Save it with whole-number labels.")


def _matrix(header: Mapping[str, object], file: str) -> Float[np.ndarray, "4 4"]:
    """Stored index of the three space axes to LPS mm."""
    space = str(header["space"]).lower()
    if space not in _SPACES:
        raise ReadError(
            file, f"its space is {space!r}", "Save it in left-posterior-superior or right-anterior-superior."
        )
    units = header.get("space units")
    if units is not None and any(unit not in ("mm", "", "none", "None") for unit in cast(list[str], units)):
        raise ReadError(file, f"its space units are {units}", "Save it in mm.")
    rows = [row for row in cast(np.ndarray, header["space directions"]) if _is_axis(row)]
    origin = np.asarray(header["space origin"], float)
    if len(rows) != 3 or origin.shape != (3,):
        raise ReadError(file, "it does not have three space directions and an origin", "Save it again.")
    X = np.eye(4)
    X[:3, :3] = np.array(rows, float).T
    X[:3, 3] = origin
    return lps_from_ras(X) if _SPACES[space] else X


def _is_axis(row: object) -> bool:
    """Whether a row of the space directions is a direction; the layer axis has none."""
    return row is not None and not np.isnan(np.asarray(row, float)).all()


def _segments(header: Mapping[str, object], layered: bool, file: str) -> tuple[_Segment, ...]:
    indices = sorted(
        {int(found.group(1)) for key in header if (found := re.fullmatch(r"Segment(\d{1,6})_\w+", key))}
    )
    if not indices:
        raise ReadError(
            file,
            "its header names no segment",
            "Save it as a segmentation (.seg.nrrd), or convert it to a NIfTI label map with a names table.",
        )
    check_structure_count(file, len(indices))
    segments = []
    for n in indices:
        name = str(header.get(f"Segment{n}_Name") or header.get(f"Segment{n}_ID") or "").strip()
        # Before layers could hold several segments, each had one of its own, with label 1.
        layer = _whole(header, f"Segment{n}_Layer", n if layered else 0, file)
        label = _whole(header, f"Segment{n}_LabelValue", 1, file)
        if not name or not name.isprintable():
            raise ReadError(file, f"segment {n} has no printable name", "Name it and save the file again.")
        if not 1 <= label <= LARGEST_LABEL:
            raise ReadError(file, f"{name} has the label {label}", f"Labels are 1 to {LARGEST_LABEL}.")
        segments.append(_Segment(name, layer, label))
    if len({s.name for s in segments}) < len(segments):
        raise ReadError(file, "two segments have one name", "Give each segment a name of its own.")
    if len({(s.layer, s.label) for s in segments}) < len(segments):
        raise ReadError(file, "two segments share one label in one layer", "Save the file again.")
    return tuple(segments)


def _whole(header: Mapping[str, object], key: str, default: int, file: str) -> int:
    text = str(header.get(key, default)).strip()
    if not text.isdecimal():
        raise ReadError(file, f"its header has {key} = {text!r}", "It must be a whole number from 0.")
    return int(text)


def _layers(
    stream: BinaryIO,
    header: Mapping[str, object],
    sizes: tuple[int, ...],
    dtype: np.dtype,
    segments: tuple[_Segment, ...],
    file: str,
) -> list[UInt[np.ndarray, "nx ny nz"]]:
    """Each layer's labels, read slice by slice. The data's first axis runs fastest."""
    encoding = str(header["encoding"]).lower()
    if encoding not in _RAW + _GZIP:
        raise ReadError(file, f"its encoding is {encoding!r}", "Save it raw or gzip-compressed.")
    source = cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if encoding in _GZIP else stream
    count, shape = (sizes[0], sizes[1:]) if len(sizes) == 4 else (1, sizes)
    small = max(s.label for s in segments) <= 255
    layers = [np.empty(shape, np.uint8 if small else np.uint16, order="F") for _ in range(count)]
    counts = [LabelCount() for _ in range(count)]
    per_slice = count * shape[0] * shape[1]
    for k in range(shape[2]):
        try:
            content = source.read(per_slice * dtype.itemsize)
        except (EOFError, OSError, zlib.error):
            content = b""
        if len(content) < per_slice * dtype.itemsize:
            raise ReadError(file, "its voxels are cut short or damaged", "Copy or save the file again.")
        stored = np.frombuffer(content, dtype).reshape((count, shape[0], shape[1]), order="F")
        whole = whole_labels(stored, file)
        for index in range(count):
            counts[index].add(whole[index])
            layers[index][:, :, k] = whole[index]
    for index in range(count):
        counts[index].check_named({s.label: s.name for s in segments if s.layer == index}, file)
    return layers
