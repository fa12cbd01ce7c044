"""A structure's surface and an axis, in P: where the axis is inside, and how far away it passes otherwise.

Inside: the line's crossings with all triangles, in order. Faces look outward, so entering counts +1 and
leaving -1, and the line is inside where the sum is above zero. On a closed surface the sum starts and ends at
zero and is never below it; where it does not, the line runs through an edge or a corner and must be shifted.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float

from anatomy.geometry.surface import Surface
from planner.verify.compiled import loop
from planner.verify.geometry.segments import point_segment2
from planner.verify.geometry.spans import Spans, merged
from planner.verify.geometry.triangles import edge_side, piercing_depth, segment_triangle2
from planner.verify.tolerances import CORNER_MM


@loop
def crossings_of(origin, direction, vertices, faces):  # type: ignore[no-untyped-def]
    """(s, +1 entering or -1 leaving) of each triangle that the line origin + s direction pierces."""
    crossings = []
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        leaving = edge_side(origin, direction, vertices, i, j)
        if (
            edge_side(origin, direction, vertices, j, k) == leaving
            and edge_side(origin, direction, vertices, k, i) == leaving
        ):
            a = (vertices[i, 0], vertices[i, 1], vertices[i, 2])
            b = (vertices[j, 0], vertices[j, 1], vertices[j, 2])
            c = (vertices[k, 0], vertices[k, 1], vertices[k, 2])
            crossings.append((piercing_depth(origin, direction, a, b, c), -1.0 if leaving else 1.0))
    return crossings


def spans_in_surface(
    surface: Surface, origin_P: Float[np.ndarray, "3"], direction_P: Float[np.ndarray, "3"]
) -> Spans | None:
    """Where the whole line lies in the closed surface, as s along the unit vector `direction_P`. [mm]

    None where this is not known: the line runs through a corner within rounding, or the crossings do not
    match, because the line runs through an edge or the surface is not closed.
    """
    across = np.cross(surface.vertices_P - origin_P, direction_P)
    if (across**2).sum(axis=1).min(initial=np.inf) < CORNER_MM**2:
        return None
    crossings = np.array(
        crossings_of(tuple(origin_P), tuple(direction_P), surface.vertices_P, surface.faces), dtype=float
    ).reshape(-1, 2)
    crossings = crossings[np.argsort(crossings[:, 0], kind="stable")]
    inside = np.cumsum(crossings[:, 1])
    if not np.isfinite(crossings).all() or (inside < 0).any() or (len(inside) and inside[-1] != 0):
        return None
    return merged(np.column_stack([crossings[:-1, 0], crossings[1:, 0]])[inside[:-1] > 0])


@loop
def least_distance_to_faces(pieces, vertices, faces, cap):  # type: ignore[no-untyped-def]
    """Smallest distance from any of `pieces` (n, 6), ends in P, to any triangle, at most `cap`. [mm]

    A triangle is skipped if its first corner is farther away than the least distance so far plus the longest
    edge from this corner.
    """
    best = cap
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        a = (vertices[i, 0], vertices[i, 1], vertices[i, 2])
        b = (vertices[j, 0], vertices[j, 1], vertices[j, 2])
        c = (vertices[k, 0], vertices[k, 1], vertices[k, 2])
        extent = sqrt(max(point_segment2(b, a, a), point_segment2(c, a, a)))
        for m in range(pieces.shape[0]):
            p = (pieces[m, 0], pieces[m, 1], pieces[m, 2])
            q = (pieces[m, 3], pieces[m, 4], pieces[m, 5])
            reach = best + extent
            if point_segment2(a, p, q) <= reach * reach:
                best = min(best, sqrt(segment_triangle2(p, q, a, b, c)))
    return best
