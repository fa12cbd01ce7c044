"""A structure's voxel boxes and an axis: where the axis is inside, and how far away it passes otherwise.

Inside: each straight piece is clipped to the slab of each index i, the result to each row j of that slab, and
this result to each box k. No step depends on the one before.

Distance: an axis that enters no box is nearest to a box at the structure's boundary, which has a free
neighbour.
"""

from math import floor, sqrt

import numpy as np
from jaxtyping import Float, Int

from anatomy.geometry.masks import VoxelMask
from planner.verify.compiled import loop
from planner.verify.geometry.axis import Pieces
from planner.verify.geometry.boxes import segment_box2, slab_clip
from planner.verify.geometry.segments import point_segment2
from planner.verify.geometry.spans import Spans, merged


@loop
def interval_clip(p, d, low, high, first, last):  # type: ignore[no-untyped-def]
    """The part of [first, last] for which low <= p + t d <= high, for one axis; last < first if none."""
    if d == 0.0:
        return (first, last) if low <= p <= high else (1.0, 0.0)
    t1 = (low - p) / d
    t2 = (high - p) / d
    return max(first, min(t1, t2)), min(last, max(t1, t2))


@loop
def index_range(p, d, first, last, spacing, lower, upper):  # type: ignore[no-untyped-def]
    """Half-open range of indices, within [lower, upper), whose slabs p + t d can meet for t in [first, last].

    One more at both ends than the formula gives, because of rounding: each slab is then tested exactly.
    """
    one, two = p + first * d, p + last * d
    begin = floor(min(one, two) / spacing + 0.5) - 1
    end = floor(max(one, two) / spacing + 0.5) + 2
    return max(begin, lower), min(end, upper)


@loop
def spans_of_piece(layer, label, lower, upper, spacing, p, q):  # type: ignore[no-untyped-def]
    """(t0, t1) of each box of the structure that the segment p + t (q - p), 0 <= t <= 1, meets."""
    spans = []
    d = (q[0] - p[0], q[1] - p[1], q[2] - p[2])
    hx, hy, hz = spacing
    i0, i1 = index_range(p[0], d[0], 0.0, 1.0, hx, lower[0], upper[0])
    for i in range(i0, i1):
        a0, a1 = interval_clip(p[0], d[0], (i - 0.5) * hx, (i + 0.5) * hx, 0.0, 1.0)
        if a0 > a1:
            continue
        j0, j1 = index_range(p[1], d[1], a0, a1, hy, lower[1], upper[1])
        for j in range(j0, j1):
            b0, b1 = interval_clip(p[1], d[1], (j - 0.5) * hy, (j + 0.5) * hy, a0, a1)
            if b0 > b1:
                continue
            k0, k1 = index_range(p[2], d[2], b0, b1, hz, lower[2], upper[2])
            for k in range(k0, k1):
                if layer[i, j, k] == label:
                    low = ((i - 0.5) * hx, (j - 0.5) * hy, (k - 0.5) * hz)
                    high = ((i + 0.5) * hx, (j + 0.5) * hy, (k + 0.5) * hz)
                    t0, t1 = slab_clip(p, q, low, high)
                    if t0 <= t1:
                        spans.append((t0, t1))
    return spans


def spans_in_mask(mask: VoxelMask, spacing_mm: tuple[float, float, float], pieces: Pieces) -> Spans:
    """Where the pieces lie in the mask's closed boxes, as s along the axis. [mm]"""
    intervals = [
        row[0] + t * (row[1] - row[0])
        for row in pieces
        for pair in spans_of_piece(
            mask.layer, mask.label, mask.lower, mask.upper, spacing_mm, tuple(row[2:5]), tuple(row[5:8])
        )
        for t in pair
    ]
    return merged(np.array(intervals, dtype=float).reshape(-1, 2))


@loop
def free_side(layer, label, lower, upper, i, j, k):  # type: ignore[no-untyped-def]
    """Whether a voxel of the structure has a face without a neighbour in the structure."""
    return (
        i == lower[0]
        or i + 1 == upper[0]
        or j == lower[1]
        or j + 1 == upper[1]
        or k == lower[2]
        or k + 1 == upper[2]
        or layer[i - 1, j, k] != label
        or layer[i + 1, j, k] != label
        or layer[i, j - 1, k] != label
        or layer[i, j + 1, k] != label
        or layer[i, j, k - 1] != label
        or layer[i, j, k + 1] != label
    )


@loop
def list_voxels(layer, label, lower, upper, outer_only, out):  # type: ignore[no-untyped-def]
    """Write the indices of the structure's voxels into `out` (n, 3) as far as it goes; returns how many."""
    count = 0
    for i in range(lower[0], upper[0]):
        for j in range(lower[1], upper[1]):
            for k in range(lower[2], upper[2]):
                if layer[i, j, k] == label and (
                    not outer_only or free_side(layer, label, lower, upper, i, j, k)
                ):
                    if count < out.shape[0]:
                        out[count, 0] = i
                        out[count, 1] = j
                        out[count, 2] = k
                    count += 1
    return count


def voxels_of(mask: VoxelMask, outer_only: bool) -> Int[np.ndarray, "n 3"]:
    """Indices of a mask's voxels, or only of those with a free side: one of these is nearest to any place
    outside."""
    arguments = (mask.layer, mask.label, mask.lower, mask.upper, outer_only)
    count = list_voxels(*arguments, np.empty((0, 3), np.int32))
    indices = np.empty((count, 3), np.int32)
    list_voxels(*arguments, indices)
    return indices


@loop
def least_distance(pieces, voxels, spacing, cap):  # type: ignore[no-untyped-def]
    """Smallest distance from any of `pieces` to any box of `voxels` (n, 3), at most `cap`. [mm]

    A box is skipped if its centre is farther away than the least distance so far plus half its diagonal.
    """
    hx, hy, hz = spacing
    half_diagonal = 0.5 * sqrt(hx * hx + hy * hy + hz * hz)
    best = cap
    for m in range(pieces.shape[0]):
        p = (pieces[m, 2], pieces[m, 3], pieces[m, 4])
        q = (pieces[m, 5], pieces[m, 6], pieces[m, 7])
        for n in range(voxels.shape[0]):
            centre = (voxels[n, 0] * hx, voxels[n, 1] * hy, voxels[n, 2] * hz)
            reach = best + half_diagonal
            if point_segment2(centre, p, q) <= reach * reach:
                low = (centre[0] - 0.5 * hx, centre[1] - 0.5 * hy, centre[2] - 0.5 * hz)
                high = (centre[0] + 0.5 * hx, centre[1] + 0.5 * hy, centre[2] + 0.5 * hz)
                best = min(best, sqrt(segment_box2(p, q, low, high)))
    return best


def near_axis(
    voxels: Int[np.ndarray, "n 3"],
    spacing_mm: tuple[float, float, float],
    p_B: Float[np.ndarray, "3"],
    outward_B: Float[np.ndarray, "3"],
    reach_mm: float,
) -> Int[np.ndarray, "m 3"]:
    """Those voxels whose boxes can lie within `reach_mm` of the line p_B + s outward_B."""
    from_p = voxels * np.array(spacing_mm) - p_B
    across = from_p - np.multiply.outer(from_p @ outward_B, outward_B)
    half_diagonal = 0.5 * float(np.linalg.norm(spacing_mm))
    return np.asarray(voxels[(across**2).sum(axis=1) <= (reach_mm + half_diagonal) ** 2])
