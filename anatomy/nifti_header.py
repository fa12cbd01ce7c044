"""NIfTI header: what its raw bytes must say before nibabel reads them, which mends some of it in silence."""

import struct

from anatomy.errors import GridError, ReadError
from anatomy.limits import MAX_HEADER_BYTES

HEADER_BYTES = 540
"""The longer of the two headers, NIfTI-2's."""


def version_of(start: bytes) -> int | None:
    """1 or 2 where the first bytes are the header of a single-file NIfTI, else None."""
    if len(start) >= 348 and start[344:348] == b"n+1\0":
        return 1
    return 2 if len(start) >= HEADER_BYTES and start[4:8] == b"n+2\0" else None


def checked_version(start: bytes, file: str) -> int:
    """1 or 2, by a file's first bytes.

    Raises ReadError where they begin no NIfTI file or place its voxels absurdly, GridError where the affine
    rests on spacings that are not there.
    """
    version = version_of(start)
    if version is None:
        raise ReadError(
            file, "it does not begin as a NIfTI file", "Give a single-file NIfTI (.nii or .nii.gz)."
        )
    order = "<" if struct.unpack("<i", start[:4])[0] in (348, 540) else ">"
    (offset,) = struct.unpack_from(*(f"{order}f", start, 108) if version == 1 else (f"{order}q", start, 168))
    if not 0 <= offset <= MAX_HEADER_BYTES:
        raise ReadError(
            file,
            f"its voxels are said to begin at byte {offset:g}",
            "Write the file again: its header is damaged.",
        )
    _refuse_no_spacing(start, version, order, file)
    return version


def _refuse_no_spacing(start: bytes, version: int, order: str, file: str) -> None:
    """A qform takes its spacings from pixdim, where nibabel would put 1 mm for 0 and drop a minus sign."""
    if version == 1:
        qform, sform = struct.unpack_from(f"{order}2h", start, 252)
        spacing = struct.unpack_from(f"{order}3f", start, 80)
    else:
        qform, sform = struct.unpack_from(f"{order}2i", start, 344)
        spacing = struct.unpack_from(f"{order}3d", start, 112)
    if qform > 0 and sform <= 0 and min(spacing) <= 0:
        shown = ", ".join(f"{s:.4g}" for s in spacing)
        raise GridError(
            file,
            f"its header gives voxel spacings of {shown} mm",
            "Write it again with the scanner's affine.",
        )
