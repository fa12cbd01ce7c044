"""Voxelisation kernels: triangles in voxel coordinates to masks, for `anatomy.geometry.surfaces`.

In voxel coordinates every voxel is a unit cube about an integer point. Scaling by the spacing keeps straight
lines straight and contacts in contact, so both kernels are exact on anisotropic grids too.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.runtime.jit import jit_checked

REACH = 1e-7
"""Voxel boxes are enlarged by this share of a voxel in contact tests, so that rounding loses no voxel."""


def fill_centres(
    p_V: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], mask: Bool[np.ndarray, "nx ny nz"]
) -> None:
    """Set, in place, voxels whose centre has a winding number other than 0."""
    used = p_V[np.unique(faces)]
    lower = np.maximum(np.ceil(used.min(axis=0)).astype(int), 0)
    upper = np.minimum(np.floor(used.max(axis=0)).astype(int) + 1, mask.shape)
    if (upper <= lower).any():
        return
    # Signed crossings below each centre, only in the surface's own box.
    turns = np.zeros(tuple(upper - lower), np.int16)
    _cross_columns(p_V - lower, faces, turns)
    np.cumsum(turns, axis=2, out=turns)
    box = tuple(slice(int(a), int(b)) for a, b in zip(lower, upper, strict=True))
    mask[box] |= turns != 0


@jit_checked
def _cross_columns(p, faces, turns):  # type: ignore[no-untyped-def]
    """Add each triangle's crossings with the columns of voxel centres.

    A row y = j cuts an edge if one end is below or on it and the other above; the cut's x is computed from
    the lower end, identically for both triangles of the edge. Columns between a triangle's two cuts (a
    half-open interval) cross it, so the crossings of a closed surface always cancel along a column.
    """
    nx, ny, nz = turns.shape
    cut_x = np.empty(2)
    cut_z = np.empty(2)
    for f in range(faces.shape[0]):
        y0, y1, y2 = p[faces[f, 0], 1], p[faces[f, 1], 1], p[faces[f, 2], 1]
        first = max(0, int(np.ceil(min(y0, y1, y2))))
        last = min(ny - 1, int(np.floor(max(y0, y1, y2))))
        z_low = min(p[faces[f, 0], 2], p[faces[f, 1], 2], p[faces[f, 2], 2])
        z_high = max(p[faces[f, 0], 2], p[faces[f, 1], 2], p[faces[f, 2], 2])
        for j in range(first, last + 1):
            cuts = 0
            for n in range(3):
                a, b = faces[f, n], faces[f, (n + 1) % 3]
                a_above, b_above = p[a, 1] > j, p[b, 1] > j
                if a_above == b_above:
                    continue
                low, high, side = (b, a, 1) if a_above else (a, b, 0)
                t = (j - p[low, 1]) / (p[high, 1] - p[low, 1])
                cut_x[side] = p[low, 0] + t * (p[high, 0] - p[low, 0])
                cut_z[side] = p[low, 2] + t * (p[high, 2] - p[low, 2])
                cuts += 1
            if cuts < 2 or cut_x[0] == cut_x[1]:
                continue
            sign = 1 if cut_x[0] > cut_x[1] else -1
            left, right = min(cut_x[0], cut_x[1]), max(cut_x[0], cut_x[1])
            slope = (cut_z[1] - cut_z[0]) / (cut_x[1] - cut_x[0])
            for i in range(max(0, int(np.ceil(left))), min(nx - 1, int(np.ceil(right)) - 1) + 1):
                z = min(max(cut_z[0] + slope * (i - cut_x[0]), z_low), z_high)
                k = int(np.floor(z)) + 1
                if k < nz:
                    turns[i, j, max(k, 0)] += sign


def mark_touched(
    p_V: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], mask: Bool[np.ndarray, "nx ny nz"]
) -> None:
    """Set, in place, voxels whose closed box meets a triangle."""
    _touch_boxes(np.ascontiguousarray(p_V), faces, mask, 0.5 + REACH)


@jit_checked
def _touch_boxes(p, faces, mask, half):  # type: ignore[no-untyped-def]
    """Separating axes between each triangle and each box of its bounding box (Akenine-Moller 2001,
    10.1080/10867651.2001.10487535). Along the axis closest to the triangle's normal, its plane limits which
    boxes need the test."""
    corner = np.empty((3, 3))
    first = np.empty(3, np.int64)
    last = np.empty(3, np.int64)
    centre = np.empty(3)
    for f in range(faces.shape[0]):
        for n in range(3):
            corner[n] = p[faces[f, n]]
        empty = False
        for c in range(3):
            low = min(corner[0, c], corner[1, c], corner[2, c])
            high = max(corner[0, c], corner[1, c], corner[2, c])
            first[c] = max(0, int(np.ceil(low - half)))
            last[c] = min(mask.shape[c] - 1, int(np.floor(high + half)))
            empty = empty or first[c] > last[c]
        if empty:
            continue
        normal = np.cross(corner[1] - corner[0], corner[2] - corner[0])
        w = int(np.argmax(np.abs(normal)))
        u, v = (w + 1) % 3, (w + 2) % 3
        for i in range(first[u], last[u] + 1):
            for j in range(first[v], last[v] + 1):
                near, far = first[w], last[w]
                if normal[w] != 0.0:
                    level = (
                        corner[0, w]
                        - (normal[u] * (i - corner[0, u]) + normal[v] * (j - corner[0, v])) / normal[w]
                    )
                    reach = half * (1.0 + (abs(normal[u]) + abs(normal[v])) / abs(normal[w])) + 1e-6
                    near = max(near, int(np.ceil(level - reach)))
                    far = min(far, int(np.floor(level + reach)))
                for k in range(near, far + 1):
                    centre[u], centre[v], centre[w] = i, j, k
                    if _meets(corner, centre, normal, half):
                        mask[int(centre[0]), int(centre[1]), int(centre[2])] = True


@jit_checked
def _meets(corner, centre, normal, half):  # type: ignore[no-untyped-def]
    """Whether a triangle meets the cube of half side `half` about `centre`; contact at a face counts."""
    distance = 0.0
    reach = 0.0
    for c in range(3):
        distance += normal[c] * (corner[0, c] - centre[c])
        reach += half * abs(normal[c])
    if abs(distance) > reach:
        return False
    for n in range(3):
        m = (n + 1) % 3
        o = (n + 2) % 3
        for c in range(3):
            # The axis is the cross product of an edge and a cube axis c; its c component is 0.
            d, e = (c + 1) % 3, (c + 2) % 3
            edge_d = corner[m, d] - corner[n, d]
            edge_e = corner[m, e] - corner[n, e]
            on_edge = edge_d * (corner[n, e] - centre[e]) - edge_e * (corner[n, d] - centre[d])
            opposite = edge_d * (corner[o, e] - centre[e]) - edge_e * (corner[o, d] - centre[d])
            side = half * (abs(edge_d) + abs(edge_e))
            if min(on_edge, opposite) > side or max(on_edge, opposite) < -side:
                return False
    return True
