"""Size limits of one input, so that a small file cannot demand unbounded memory or time.

All are settings [U], far above any clinical input. A stated size is checked before anything is decompressed.
"""

import math
from pathlib import Path

from anatomy.errors import ReadError

MAX_VOXELS = 2**28
"""A grid of 512 x 512 x 1024 voxels."""

MAX_UNPACKED_BYTES = 2**31
"""One volume as stored, decompressed: the largest grid with 8 bytes per voxel."""

MAX_HEADER_BYTES = 2**24
"""A volume's header with all its extensions and segment tables."""

MAX_NAMES_BYTES = 2**22
"""A names table: a hundred times TotalSegmentator's."""

MAX_NAME_LENGTH = 200
"""Characters of a structure's name: what file systems allow for a file name, minus a suffix."""

MAX_SURFACE_BYTES = 2**29
"""One mesh file: ten million triangles of binary STL."""

MAX_STRUCTURES = 2000
"""Structures of one input: ten times the number that TotalSegmentator knows."""


def check_volume_size(file: str, shape: tuple[int, ...], bytes_per_voxel: int) -> None:
    """Raise ReadError if a volume, by its header, is empty or larger than the limits."""
    if not shape or min(shape) < 1:
        raise ReadError(
            file, f"its header says {shape} voxels", "Write the file again: every axis needs a voxel."
        )
    voxels = math.prod(shape)
    if voxels > MAX_VOXELS or voxels * bytes_per_voxel > MAX_UNPACKED_BYTES:
        raise ReadError(
            file,
            f"its header says {' x '.join(map(str, shape))} voxels of {bytes_per_voxel} bytes",
            f"At most {MAX_VOXELS} voxels in {MAX_UNPACKED_BYTES} bytes are read: crop or resample it.",
        )


def check_file_size(path: Path, limit_bytes: int) -> None:
    """Raise ReadError if a file is empty or larger than `limit_bytes`."""
    size = path.stat().st_size
    if size == 0:
        raise ReadError(path.name, "the file is empty", "Copy or write it again.")
    if size > limit_bytes:
        raise ReadError(path.name, f"it has {size} bytes", f"At most {limit_bytes} bytes are read.")


def check_structure_count(what: str, count: int) -> None:
    """Raise ReadError for more structures than MAX_STRUCTURES."""
    if count > MAX_STRUCTURES:
        raise ReadError(what, f"it names {count} structures", f"At most {MAX_STRUCTURES} are read.")
