r"""Segments and lines against triangles. Points are 3-tuples, mm, all in one frame.

            c
           / \
          / x \       x: a line seen end on
         a-----b

A line pierces a triangle if it passes all three edges on the same side, which is the sign of the volume that
line and edge span. A shared edge is always taken from its lower vertex index to the higher one, so that
exactly one of two neighbouring triangles is pierced.
"""

from planner.verify.compiled import loop
from planner.verify.geometry.segments import cross, dot, minus, segment_segment2


@loop
def side(origin, direction, a, b, turned):  # type: ignore[no-untyped-def]
    """Whether the line passes the edge a-b on its positive side; `turned` when the face runs it b-a."""
    volume = dot(direction, cross(minus(a, origin), minus(b, origin)))
    return (volume >= 0.0) != turned


@loop
def edge_side(origin, direction, vertices, i, j):  # type: ignore[no-untyped-def]
    """`side` for the edge from vertex i to j of `vertices` (v, 3), the same from both faces that share it."""
    low, high = (i, j) if i < j else (j, i)
    a = (vertices[low, 0], vertices[low, 1], vertices[low, 2])
    b = (vertices[high, 0], vertices[high, 1], vertices[high, 2])
    return side(origin, direction, a, b, i > j)


@loop
def piercing_depth(origin, direction, a, b, c):  # type: ignore[no-untyped-def]
    """Where the line origin + s direction meets a triangle's plane, as s; infinity if they are parallel."""
    normal = cross(minus(b, a), minus(c, a))
    rate = dot(direction, normal)
    return dot(minus(a, origin), normal) / rate if rate != 0.0 else float("inf")


@loop
def foot_inside2(x, a, b, c):  # type: ignore[no-untyped-def]
    """Squared distance from x to the plane if its foot there is in the triangle, else infinity. [mm2]"""
    u, v, w = minus(b, a), minus(c, a), minus(x, a)
    normal = cross(u, v)
    area2 = dot(normal, normal)
    if area2 == 0.0:
        return float("inf")
    beta = dot(cross(w, v), normal)
    gamma = dot(cross(u, w), normal)
    if beta < 0.0 or gamma < 0.0 or beta + gamma > area2:
        return float("inf")
    height = dot(w, normal)
    return height * height / area2


@loop
def pierced(p, q, a, b, c):  # type: ignore[no-untyped-def]
    """Whether the segment p-q passes through the triangle, its plane crossed strictly."""
    normal = cross(minus(b, a), minus(c, a))
    from_p, from_q = dot(minus(p, a), normal), dot(minus(q, a), normal)
    if from_p * from_q >= 0.0:
        return False
    d = minus(q, p)
    first = side(p, d, a, b, False)
    return first == side(p, d, b, c, False) and first == side(p, d, c, a, False)


@loop
def segment_triangle2(p, q, a, b, c):  # type: ignore[no-untyped-def]
    """Squared distance from the segment p-q, which may be a point, to a triangle. [mm2]

    0.0 where they meet; else nearest at an end of the segment over the triangle's inside, or at an edge.
    """
    if pierced(p, q, a, b, c):
        return 0.0
    edges = min(segment_segment2(p, q, a, b), min(segment_segment2(p, q, b, c), segment_segment2(p, q, c, a)))
    return min(edges, min(foot_inside2(p, a, b, c), foot_inside2(q, a, b, c)))
