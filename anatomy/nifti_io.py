"""NIfTI: label maps, masks and CT, in any of their 48 storage orders, oblique and anisotropic.

The file is read front to back in slabs of whole slices, so a volume stored as float64 never stands in memory
as float64. NIfTI's world axes are RAS; everything that leaves here is LPS (`anatomy.frames`).
"""

import gzip
import io
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float, Int16, UInt
from nibabel.spatialimages import HeaderDataError

from anatomy.ct_values import ValuesSeen
from anatomy.errors import AnatomyError, ReadError
from anatomy.frames import Grid, canonical, grid_of_file, lps_from_ras
from anatomy.label_names import names_from_xml
from anatomy.label_values import LabelCount, whole_labels
from anatomy.limits import check_volume_size
from anatomy.nifti_header import HEADER_BYTES, checked_version, version_of

_SLAB_BYTES = 2**25
"""Float64 bytes of one slab."""

_DAMAGED = (EOFError, OSError, ValueError, zlib.error, HeaderDataError)
"""What nibabel, gzip and zlib raise on bytes that are cut short or no NIfTI (BadGzipFile is an OSError)."""

_XML_CODES = (0, 6, 30)
"""NIfTI extension codes that label tables were seen under: unknown, comment, Caret."""

_MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}

_Image = nib.Nifti1Image | nib.Nifti2Image


def is_nifti(path: Path) -> bool:
    """Whether the file's first bytes, unpacked if need be, are a NIfTI header."""
    try:
        with _opened(path) as stream:
            return version_of(stream.read(HEADER_BYTES)) is not None
    except _DAMAGED:
        return False


def embedded_names(path: Path) -> dict[int, str] | None:
    """The label names that the file itself carries, as TotalSegmentator writes them, or None."""
    with _loaded(path) as volume:
        for extension in volume.image.header.extensions:
            if extension.get_code() in _XML_CODES:
                names = names_from_xml(bytes(extension.get_content()), path.name)
                if names is not None:
                    return names
    return None


def read_labels(path: Path, names: Mapping[int, str]) -> tuple[UInt[np.ndarray, "nx ny nz"], Grid]:
    """A label map as a canonical uint8 or uint16 array.

    Raises ReadError for a damaged file or values that are no labels of `names`, GridError for an affine
    that is no frame.
    """
    count = LabelCount()
    with _loaded(path) as volume:
        small = max(names) <= 255
        labels = np.empty(volume.shape, np.uint8 if small else np.uint16, order="F")
        for where, values in volume.slabs():
            whole = whole_labels(values, path.name)
            count.add(whole)
            labels[:, :, where] = whole
    count.check_named(names, path.name)
    return canonical(labels, volume.X_PV)


def read_mask(path: Path) -> tuple[Bool[np.ndarray, "nx ny nz"], Grid]:
    """A one-organ mask as a canonical boolean array.

    One value besides 0 is accepted, whichever it is (1 or 255). More than one is refused: a label map or a
    CT taken for a mask would become one big organ, or a thresholded probability a smaller one.
    """
    count = LabelCount()
    with _loaded(path) as volume:
        mask = np.empty(volume.shape, bool, order="F")
        for where, values in volume.slabs():
            whole = whole_labels(values, path.name)
            count.add(whole)
            mask[:, :, where] = whole != 0
    present = count.present()
    if len(present) > 1:
        raise ReadError(
            path.name,
            f"it holds {len(present)} different values besides 0, so it is no mask of one organ",
            "Give a mask with one value, or read a label map with its names table.",
        )
    return canonical(mask, volume.X_PV)


def read_ct(path: Path) -> tuple[Int16[np.ndarray, "nx ny nz"], Grid]:
    """CT as a canonical int16 array of Hounsfield units, rounded, and clipped where int16 ends.

    Raises ReadError for a damaged file, and for values that are no CT's; GridError for an affine that is no
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
    return canonical(ct_hu, volume.X_PV)


@dataclass(frozen=True, eq=False)
class _Volume:
    """An open volume whose header has been checked; `X_PV` maps stored indices to LPS mm."""

    file: str
    image: _Image
    shape: tuple[int, int, int]
    X_PV: Float[np.ndarray, "4 4"]

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Slabs of whole slices along the last axis, front to back, with header scaling applied."""
        nx, ny, nz = self.shape
        step = max(1, _SLAB_BYTES // (8 * nx * ny))
        trailing = (0,) * (len(self.image.shape) - 3)
        for start in range(0, nz, step):
            where = slice(start, min(nz, start + step))
            try:
                values = np.asanyarray(self.image.dataobj[(slice(None), slice(None), where, *trailing)])
            except _DAMAGED:
                raise ReadError(
                    self.file, "its voxels are cut short or damaged", "Copy or write the file again."
                ) from None
            yield where, values


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        else:
            yield raw


@contextmanager
def _loaded(path: Path) -> Iterator[_Volume]:
    """Open a NIfTI file and check its header, before any voxel is unpacked."""
    file = path.name
    with _opened(path) as stream:
        try:
            image = _image(stream, file)
            dtype = image.get_data_dtype()
            stored = tuple(int(n) for n in image.shape)
            qform_code, sform_code = int(image.header["qform_code"]), int(image.header["sform_code"])
            X_RAS = np.asarray(image.affine, float)
            unit = str(image.header.get_xyzt_units()[0])
        except (*_DAMAGED, KeyError, TypeError, OverflowError) as error:
            if isinstance(error, AnatomyError):
                raise
            raise ReadError(
                file, "it is cut short, damaged, or no NIfTI", "Give a .nii or .nii.gz file, copied whole."
            ) from None
        if dtype.kind not in "iuf":
            raise ReadError(file, f"its voxels are of type {dtype}", "Write them as whole or real numbers.")
        shape = _three(stored, file)
        check_volume_size(file, shape, dtype.itemsize)
        if qform_code <= 0 and sform_code <= 0:
            raise ReadError(
                file,
                "its affine has neither an sform nor a qform code, so left and right are not known",
                "Write the file with the scanner's affine and a positive sform or qform code.",
            )
        X_PV = lps_from_ras(X_RAS)
        X_PV[:3] *= _MM_PER_UNIT.get(unit, 1.0)
        grid_of_file(file, shape, X_PV)  # refuses NaN, shear and absurd spacings before the axes are sorted
        yield _Volume(file, image, shape, X_PV)


def _image(stream: io.BufferedIOBase, file: str) -> _Image:
    start = stream.read(HEADER_BYTES)
    stream.seek(0)
    version = checked_version(start, file)
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    with _silent():
        return kind.from_stream(stream)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep nibabel from printing what it mends in a header: what matters of it is refused here."""
    log = nib.imageglobals.logger
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        log.disabled = before


def _three(stored: tuple[int, ...], file: str) -> tuple[int, int, int]:
    if len(stored) < 3 or any(n != 1 for n in stored[3:]):
        raise ReadError(
            file,
            f"it has {len(stored)} dimensions, {stored}",
            "Give one 3D volume: split a series or a multi-channel image first.",
        )
    return stored[0], stored[1], stored[2]
