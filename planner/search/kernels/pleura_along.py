"""Pleural punctures and fissures of a line of the search, by a walk through voxels."""

import numpy as np

from anatomy.runtime.jit import jit, jit_inline
from planner.measuring.pleura import MIN_RUN_MM, punctures_and_fissures
from planner.measuring.tissue_codes import LUNG, VOID
from planner.measuring.voxel_faces import face, next_voxel, voxel_of
from planner.records.paths import LUNG_ROUNDING_MM


@jit_inline
def counts_along(fields, p, d, tip, length, lung, pieces):  # type: ignore[no-untyped-def]
    """Pleural punctures and fissures, for the length, the lung length and the number of lung pieces that
    `body_walk` returned. One piece is one run in one lobe; positions are needed only if there are more
    pieces."""
    if pieces > 1:
        return _counts_of_pieces(fields, p, d, tip, tip + length, pieces)
    return (1 if lung >= MIN_RUN_MM else 0), 0


@jit
def _counts_of_pieces(fields, p, d, tip, end, most):  # type: ignore[no-untyped-def]
    """Both counts from s = `tip` to `end`, where the line leaves the body at least one voxel inside the field
    of view; there are at most `most` pieces."""
    hx, hy, hz = fields.spacing
    i, j, k = voxel_of(p[0], d[0], tip, hx), voxel_of(p[1], d[1], tip, hy), voxel_of(p[2], d[2], tip, hz)
    sx, sy, sz = face(p[0], d[0], i, hx), face(p[1], d[1], j, hy), face(p[2], d[2], k, hz)
    lobes, leaves = np.empty(most, np.int64), np.empty(most, np.bool_)
    starts, ends = np.empty(most), np.empty(most)
    count = 0
    s, begun = tip, tip
    last, outside = np.int64(0), 0.0
    while s < end:
        out = min(end, max(s, min(sx, min(sy, sz))))
        here = np.int64(fields.tissue[i, j, k])
        if here != last and out > s:
            if last >= LUNG and s - begun >= LUNG_ROUNDING_MM and count < most:
                lobes[count], starts[count], ends[count] = last, begun, s
                leaves[count] = outside >= LUNG_ROUNDING_MM
                outside = 0.0
                count += 1
            last, begun = here, s
        if here < VOID:
            outside += out - s
        s = out
        i, j, k, sx, sy, sz = next_voxel(p, d, i, j, k, sx, sy, sz, fields.spacing)
    if last >= LUNG and s - begun >= LUNG_ROUNDING_MM and count < most:
        lobes[count], starts[count], ends[count] = last, begun, s
        leaves[count] = outside >= LUNG_ROUNDING_MM
        count += 1
    return punctures_and_fissures(lobes[:count], starts[:count], ends[:count], leaves[:count])
