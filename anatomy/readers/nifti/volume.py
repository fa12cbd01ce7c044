"""NIfTI: label maps, masks and CT, in any of their 48 storage orders, oblique and anisotropic.

The file is read from front to back in slabs of whole slices, so that a volume stored as float64 is never
completely in memory as float64; and it is read to its end, so that damage is found. NIfTI's world axes are
RAS; results are in LPS (`anatomy.geometry.frames`). Decisions about a file are returned as `anatomy.remarks`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int16, UInt

from anatomy.errors import ReadError
from anatomy.geometry.frames import Grid, canonical, canonical_zeros, stored_view
from anatomy.readers.byte_stream import ByteStream, open_stream
from anatomy.readers.ct_values import ValuesSeen
from anatomy.readers.label_values import LabelCount, to_labels
from anatomy.readers.nifti.header import (
    SHORTEST_BYTES,
    Header,
    decode_header,
    extensions,
    header_size,
    nifti_version,
)
from anatomy.readers.nifti.pose import voxel_to_patient
from anatomy.readers.size_limits import MAX_UNPACKED_BYTES, check_volume_size

_SLAB_BYTES = 2**25
"""Bytes of one slab in float64."""

Remarks = tuple[str, ...]


def is_nifti(path: Path) -> bool:
    """Whether the file's first bytes, decompressed if necessary, are a NIfTI header."""
    try:
        with open_stream(path) as stream:
            return nifti_version(stream.read_up_to(SHORTEST_BYTES)) is not None
    except ReadError:
        return False


def embedded_extensions(path: Path) -> tuple[bytes, ...]:
    """The content of the file's header extensions. Raises ReadError if its header is damaged."""
    with _opened(path) as (_, _, content):
        return content


def read_labels(path: Path, names: Mapping[int, str]) -> tuple[UInt[np.ndarray, "nx ny nz"], Grid, Remarks]:
    """A label map as a canonical uint8 or uint16 array.

    Raises ReadError for a damaged file or values that are not labels in `names`, GridError for an affine that
    is no frame.
    """
    count = LabelCount()
    with _loaded(path) as volume:
        small = max(names) <= 255
        labels = np.empty(volume.shape, np.uint8 if small else np.uint16, order="F")
        for where, values in volume.slabs():
            slab = to_labels(values, path.name)
            count.add(slab)
            labels[:, :, where] = slab
    count.check_named(names, path.name)
    return *canonical(labels, volume.X_PV), volume.remarks


def read_mask(path: Path) -> tuple[Bool[np.ndarray, "nx ny nz"], Grid, Remarks]:
    """A one-organ mask as a canonical boolean array.

    One value besides 0 is accepted, whatever it is (1 or 255). More values are refused: a label map or a CT
    read as a mask would become one large organ, and a thresholded probability a smaller one.
    """
    count = LabelCount()
    with _loaded(path) as volume:
        mask, grid = canonical_zeros(volume.shape, volume.X_PV)
        stored = stored_view(mask, volume.X_PV)
        for where, values in volume.slabs():
            # Most slabs of a mask are empty, and a folder holds a hundred masks. NaN is refused below.
            with np.errstate(invalid="ignore"):
                is_empty = not values.any()
            if not is_empty:
                slab = to_labels(values, path.name)
                count.add(slab)
                stored[:, :, where] = slab != 0
    present = count.present()
    if len(present) > 1:
        raise ReadError(
            path.name,
            f"it holds {len(present)} different values besides 0, so it is not the mask of one organ",
            "Give a mask with one value, or read a label map with its names table.",
        )
    return mask, grid, volume.remarks


def read_ct(path: Path) -> tuple[Int16[np.ndarray, "nx ny nz"], Grid, Remarks]:
    """CT as a canonical int16 array of Hounsfield units, rounded, and clipped to the range of int16.

    Raises ReadError for a damaged file and for values that no CT has, GridError for an affine that is no
    frame.
    """
    seen = ValuesSeen()
    limits = np.iinfo(np.int16)
    with _loaded(path) as volume:
        ct_hu = np.empty(volume.shape, np.int16, order="F")
        for where, values in volume.slabs():
            if values.dtype.kind == "f":
                if not np.isfinite(values).all():
                    raise ReadError(
                        path.name, "it holds NaN or infinite voxels", "Write the CT again, in HU."
                    )
                values = np.rint(values)
            ct_hu[:, :, where] = np.clip(values, limits.min, limits.max)
            seen.add(ct_hu[:, :, where])
    seen.refuse_labels(path.name)
    return *canonical(ct_hu, volume.X_PV), volume.remarks


@dataclass(frozen=True, eq=False)
class _Volume:
    """A stream at the first voxel, and what the header says of the voxels; `X_PV` maps stored indices to LPS
    mm."""

    stream: ByteStream
    header: Header
    shape: tuple[int, int, int]
    X_PV: Float[np.ndarray, "4 4"]
    remarks: Remarks

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Slabs of whole slices along the last axis, from front to back, with header scaling applied; then
        the rest of the file is read. Raises ReadError if it is damaged."""
        nx, ny, nz = self.shape
        step = max(1, _SLAB_BYTES // (8 * nx * ny))
        dtype = self.header.dtype
        for start in range(0, nz, step):
            where = slice(start, min(nz, start + step))
            shape = (nx, ny, where.stop - start)
            content = self.stream.read_exactly(nx * ny * shape[2] * dtype.itemsize, "voxels")
            yield where, self._scaled(np.frombuffer(content, dtype).reshape(shape, order="F"))
        self.stream.finish()

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        if self.header.slope is None or (self.header.slope == 1 and self.header.inter == 0):
            return stored
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # values that are not finite are refused by the callers
            return stored.astype(np.float64) * self.header.slope + self.header.inter


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ByteStream, Header, tuple[bytes, ...]]]:
    """A stream at the first voxel, the header, and the extensions between them."""
    with open_stream(path) as stream:
        start = stream.read_exactly(SHORTEST_BYTES, "NIfTI header")
        start += stream.read_exactly(header_size(start, path.name) - len(start), "NIfTI header")
        header = decode_header(start, path.name)
        between = stream.read_exactly(header.voxels_at - len(start), "header extensions")
        yield stream, header, tuple(extensions(between, header.order, path.name))


@contextmanager
def _loaded(path: Path) -> Iterator[_Volume]:
    """Open a NIfTI file and check its header before any voxel is decompressed."""
    file = path.name
    with _opened(path) as (stream, header, _):
        shape = _three(header.shape, file)
        check_volume_size(file, shape, header.dtype.itemsize)
        X_PV, remarks = voxel_to_patient(header, shape, file)
        try:
            yield _Volume(stream, header, shape, X_PV, remarks)
        except ReadError:
            # If the values are wrong because the file is damaged, the checksum shows it.
            stream.drain(MAX_UNPACKED_BYTES)
            raise


def _three(stored: tuple[int, ...], file: str) -> tuple[int, int, int]:
    if len(stored) < 3 or any(n != 1 for n in stored[3:]):
        raise ReadError(
            file,
            f"it has {len(stored)} dimensions, {stored}",
            "Give one 3D volume: split a series or a multi-channel image first.",
        )
    return stored[0], stored[1], stored[2]
