"""Voxel faces along a line p + s d: where the line leaves a voxel, and which voxel is at s.

`p` and `d` are 3-tuples in B, d a unit vector that points outward, from the target to the skin."""

from math import floor

from anatomy.runtime.jit import jit_inline

_NEVER = 1e30


_PARALLEL = 1e-12


_INTO = 1e-9
"""A start point on a face belongs to the voxel this far ahead. [mm]"""


@jit_inline
def face(p, d, i, spacing):  # type: ignore[no-untyped-def]
    """The s at which the line leaves voxel i of one axis; p, d, spacing are that axis's."""
    return face_ahead(p, inverse(d), i, spacing)


@jit_inline
def inverse(d):  # type: ignore[no-untyped-def]
    """1 / d; 0.0 where the line runs along the faces and never meets one."""
    return 1.0 / d if abs(d) > _PARALLEL else 0.0


@jit_inline
def face_ahead(p, inverse_d, i, spacing):  # type: ignore[no-untyped-def]
    """`face`, with the inverse of d given."""
    if inverse_d > 0.0:
        return ((i + 0.5) * spacing - p) * inverse_d
    if inverse_d < 0.0:
        return ((i - 0.5) * spacing - p) * inverse_d
    return _NEVER


@jit_inline
def next_voxel(p, d, i, j, k, sx, sy, sz, spacing):  # type: ignore[no-untyped-def]
    """(i, j, k, sx, sy, sz) of the voxel that follows (i, j, k), which the line leaves at the least of sx,
    sy, sz."""
    if sx <= sy and sx <= sz:
        i += 1 if d[0] > 0.0 else -1
        sx = face(p[0], d[0], i, spacing[0])
    elif sy <= sz:
        j += 1 if d[1] > 0.0 else -1
        sy = face(p[1], d[1], j, spacing[1])
    else:
        k += 1 if d[2] > 0.0 else -1
        sz = face(p[2], d[2], k, spacing[2])
    return i, j, k, sx, sy, sz


@jit_inline
def voxel_of(p, d, s, spacing):  # type: ignore[no-untyped-def]
    """Index along one axis of the voxel at p + s d, or just ahead of it."""
    return floor((p + d * (s + _INTO)) / spacing + 0.5)
