"""Segments against voxel boxes. Points are 3-tuples in B, mm.

The nearest points of two disjoint convex bodies are a corner of one and a face of the other, or two edges:

    a segment that meets no box     is nearest with one of its ends   (point to box)
                                    or at one of the box's 12 edges   (segment to segment)
"""

from planner.verify.compiled import loop
from planner.verify.geometry.segments import segment_segment2


@loop
def slab_clip(p, q, low, high):  # type: ignore[no-untyped-def]
    """(first, last): the t for which p + t (q - p), 0 <= t <= 1, is in a closed box; last < first if none."""
    first, last = 0.0, 1.0
    for a in range(3):
        d = q[a] - p[a]
        if d == 0.0:
            if p[a] < low[a] or p[a] > high[a]:
                return 1.0, 0.0
        else:
            t1 = (low[a] - p[a]) / d
            t2 = (high[a] - p[a]) / d
            first = max(first, min(t1, t2))
            last = min(last, max(t1, t2))
    return first, last


@loop
def point_box2(x, low, high):  # type: ignore[no-untyped-def]
    """Squared distance from a point to a closed box. [mm2]"""
    total = 0.0
    for a in range(3):
        beyond = max(0.0, max(low[a] - x[a], x[a] - high[a]))
        total += beyond * beyond
    return total


@loop
def segment_box2(p, q, low, high):  # type: ignore[no-untyped-def]
    """Squared distance from the segment p-q, which may be a point, to a closed box. [mm2]"""
    first, last = slab_clip(p, q, low, high)
    if first <= last:
        return 0.0
    least = min(point_box2(p, low, high), point_box2(q, low, high))
    for m in range(2):
        for n in range(2):
            x, y, z = (low[0], high[0]), (low[1], high[1]), (low[2], high[2])
            along_x = segment_segment2(p, q, (low[0], y[m], z[n]), (high[0], y[m], z[n]))
            along_y = segment_segment2(p, q, (x[m], low[1], z[n]), (x[m], high[1], z[n]))
            along_z = segment_segment2(p, q, (x[m], y[n], low[2]), (x[m], y[n], high[2]))
            least = min(least, min(along_x, min(along_y, along_z)))
    return least
