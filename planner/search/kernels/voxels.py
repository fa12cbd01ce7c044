"""Voxel walks: through the original voxels, from face to face along a line p + s d.

    |  .  |  .  |  .  |       each step leaves the voxel (i, j, k) through the face that the line meets
    |  .  |  . p-->----->     first: the traversal of Amanatides and Woo (Eurographics 1987)

`p` and `d` are 3-tuples in B, d a unit vector that points outward, from the target to the skin.
"""

from anatomy.runtime.jit import jit_inline
from planner.measuring.tissue_codes import LUNG
from planner.measuring.voxel_faces import _NEVER, _PARALLEL, face, face_ahead, inverse, next_voxel, voxel_of
from planner.records.paths import LUNG_ROUNDING_MM
from planner.search.kernels.lookup import bounds_from_node, clamped
from planner.search.kernels.verdicts import CUT_EDGE, RE_ENTERS, SAFE, TIP_OUTSIDE, TOO_LONG


@jit_inline
def box_span(fields, p, d):  # type: ignore[no-untyped-def]
    """First and last s in the box around the target, which contains every tip; the last is before the first
    if the line misses it."""
    enter, leave = -_NEVER, _NEVER
    for a in range(3):
        low = (fields.target_first_V[a] - 0.5) * fields.spacing[a]
        high = low + fields.target.shape[a] * fields.spacing[a]
        if abs(d[a]) < _PARALLEL:
            if p[a] < low or p[a] > high:
                return 0.0, -1.0
        else:
            s1 = (low - p[a]) / d[a]
            s2 = (high - p[a]) / d[a]
            enter = max(enter, min(s1, s2))
            leave = min(leave, max(s1, s2))
    return (enter, leave) if enter < leave else (0.0, -1.0)


@jit_inline
def target_span(fields, p, d, enter, leave):  # type: ignore[no-untyped-def]
    """First and last s in a target voxel, and the length inside; the last is before the first if the line
    misses it.

    `enter` and `leave` are the result of `box_span`.
    """
    nx, ny, nz = fields.target.shape
    fx, fy, fz = fields.target_first_V
    hx, hy, hz = fields.spacing
    i = clamped(voxel_of(p[0], d[0], enter, hx) - fx, 0, nx - 1)
    j = clamped(voxel_of(p[1], d[1], enter, hy) - fy, 0, ny - 1)
    k = clamped(voxel_of(p[2], d[2], enter, hz) - fz, 0, nz - 1)
    vx, vy, vz = inverse(d[0]), inverse(d[1]), inverse(d[2])
    tx, ty, tz = 1 if d[0] > 0.0 else -1, 1 if d[1] > 0.0 else -1, 1 if d[2] > 0.0 else -1
    sx = face_ahead(p[0], vx, i + fx, hx)
    sy = face_ahead(p[1], vy, j + fy, hy)
    sz = face_ahead(p[2], vz, k + fz, hz)
    s = enter
    far_side, near_side, chord = 0.0, -1.0, 0.0
    while s < leave:
        out = max(s, min(min(sx, sy), min(sz, leave)))
        if fields.target[i, j, k] == 1:
            if chord == 0.0:
                far_side = s
            near_side = out
            chord += out - s
        s = out
        if sx <= sy and sx <= sz:
            i += tx
            if i < 0 or i >= nx:
                break
            sx = face_ahead(p[0], vx, i + fx, hx)
        elif sy <= sz:
            j += ty
            if j < 0 or j >= ny:
                break
            sy = face_ahead(p[1], vy, j + fy, hy)
        else:
            k += tz
            if k < 0 or k >= nz:
                break
            sz = face_ahead(p[2], vz, k + fz, hz)
    if chord == 0.0:
        return 0.0, -1.0, 0.0
    return far_side, near_side, chord


@jit_inline
def body_walk(fields, p, d, tip):  # type: ignore[no-untyped-def]
    """From the tip to the skin: (verdict, length, lung length, number of lung pieces, each in one lobe).

    Continues to the hub's end: the line must not enter the body again. Body in the outermost voxels is cut by
    the edge of the field of view: what lies beyond is not known, so a line must not leave the body from
    there.
    """
    nx, ny, nz = fields.tissue.shape
    hx, hy, hz = fields.spacing
    end = tip + fields.needle_length
    i = voxel_of(p[0], d[0], tip, hx)
    j = voxel_of(p[1], d[1], tip, hy)
    k = voxel_of(p[2], d[2], tip, hz)
    vx, vy, vz = inverse(d[0]), inverse(d[1]), inverse(d[2])
    tx, ty, tz = 1 if d[0] > 0.0 else -1, 1 if d[1] > 0.0 else -1, 1 if d[2] > 0.0 else -1
    sx, sy, sz = face_ahead(p[0], vx, i, hx), face_ahead(p[1], vy, j, hy), face_ahead(p[2], vz, k, hz)
    s = tip
    inner_i, inner_j, inner_k = i, j, k
    lung, pieces = 0.0, 0
    last, begun = 0, tip
    while s < end:
        if i < 0 or i >= nx or j < 0 or j >= ny or k < 0 or k >= nz:
            return CUT_EDGE, 0.0, 0.0, 0
        here = fields.tissue[i, j, k]
        if here == 0:
            break
        out = max(s, min(sx, min(sy, sz)))
        if here != last and out > s:
            if last >= LUNG and s - begun >= LUNG_ROUNDING_MM:
                lung += s - begun
                pieces += 1
            last, begun = here, s
        s = out
        inner_i, inner_j, inner_k = i, j, k
        if sx <= sy and sx <= sz:
            i += tx
            sx = face_ahead(p[0], vx, i, hx)
        elif sy <= sz:
            j += ty
            sy = face_ahead(p[1], vy, j, hy)
        else:
            k += tz
            sz = face_ahead(p[2], vz, k, hz)
    if last >= LUNG and s - begun >= LUNG_ROUNDING_MM:
        lung += s - begun
        pieces += 1
    if s == tip:
        return TIP_OUTSIDE, 0.0, 0.0, 0
    if s >= end:
        return TOO_LONG, 0.0, 0.0, 0
    if not (0 < inner_i < nx - 1 and 0 < inner_j < ny - 1 and 0 < inner_k < nz - 1):
        return CUT_EDGE, 0.0, 0.0, 0
    return _outside_walk(fields, p, d, s, end + fields.hub_length), s - tip, lung, pieces


@jit_inline
def _outside_walk(fields, p, d, entry, end):  # type: ignore[no-untyped-def]
    """Whether the line stays out of the body from `entry` to `end`.

    Beyond the field of view the nearest voxel is used.
    """
    nx, ny, nz = fields.tissue.shape
    hx, hy, hz = fields.spacing
    jump = 2.0 * max(hx, max(hy, hz))
    i, j, k = 0, 0, 0
    sx, sy, sz = 0.0, 0.0, 0.0
    s = entry
    placed = False
    while s < end:
        x = clamped(p[0] + s * d[0], fields.lower[0], fields.upper[0])
        y = clamped(p[1] + s * d[1], fields.lower[1], fields.upper[1])
        z = clamped(p[2] + s * d[2], fields.lower[2], fields.upper[2])
        free, _ = bounds_from_node(fields.body, fields.lower, fields.body_step, x, y, z)
        if free > jump:
            s += free
            placed = False
            continue
        if not placed:
            i, j, k = voxel_of(p[0], d[0], s, hx), voxel_of(p[1], d[1], s, hy), voxel_of(p[2], d[2], s, hz)
            sx, sy, sz = face(p[0], d[0], i, hx), face(p[1], d[1], j, hy), face(p[2], d[2], k, hz)
            placed = True
        if fields.tissue[clamped(i, 0, nx - 1), clamped(j, 0, ny - 1), clamped(k, 0, nz - 1)] != 0:
            return RE_ENTERS
        s = max(s, min(sx, min(sy, sz)))
        i, j, k, sx, sy, sz = next_voxel(p, d, i, j, k, sx, sy, sz, fields.spacing)
    return SAFE
