r"""Isodose surfaces: triangle meshes in P where dose equals a level, by marching tetrahedra.

    Each cube of eight nodes is six tetrahedra around its diagonal from node 0 to node 7, the same in every
    cube, so that neighbours share faces and edges (Kuhn 1960, 10.1147/rd.45.0518). The surface crosses a
    tetrahedron in nothing, a triangle, or a quadrangle:

                d                       a has the level, b, c, d have not:
               / \
              *   \                     the triangle is cut from the edges ab, ac, ad at *,
             / `-. \                    and faces away from a
            a---*`-*c     (b below)

Unlike in marching cubes (Lorensen and Cline 1987, 10.1145/37402.37422), no case is ambiguous: each cut edge
has one vertex, shared by all triangles at this edge, so that the surface is closed by construction.

Along an edge, dose to the power -1/2 is interpolated linearly, because near a seed it is nearly proportional
to the distance. For a point source and a step h, linear interpolation of dose would put the surface up to
3 h^2 / (8 r) too far out on an edge that runs away from the source.
"""

from itertools import permutations, product

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.geometry.surface import Surface
from planner.dose.dose_grid import DoseGrid
from planner.errors import RequestError

EDGE_MARGIN = 1e-3
"""Least distance of a cut from the ends of its edge, as a part of the edge: vertices at the same node would
make triangles without area."""

MIN_PART = 1e-6
"""Doses below this part of the level are raised to it, because 0 Gy has no power -1/2."""

_CORNERS = np.array(list(product((0, 1), repeat=3)))
"""Corner n of a cube as steps along i, j, k: 0 is (0, 0, 0), 7 is (1, 1, 1)."""


def _even(order: tuple[int, ...]) -> bool:
    return sum(a > b for n, a in enumerate(order) for b in order[n + 1 :]) % 2 == 0


def _tetrahedra() -> Int[np.ndarray, "6 4"]:
    """Corners of the six tetrahedra, each ordered so that b, c, d turn right-handed about a -> centre."""
    tetrahedra = []
    for order in permutations(range(3)):
        steps = np.cumsum(np.eye(3, dtype=int)[list(order)], axis=0)
        a, b, c, d = 0, *(int(s @ (4, 2, 1)) for s in steps)
        tetrahedra.append((a, b, c, d) if _even(order) else (a, c, b, d))
    return np.array(tetrahedra)


_Edge = tuple[int, int]


def _cases() -> dict[int, tuple[tuple[_Edge, _Edge, _Edge], ...]]:
    """For each set of corners inside, as bits, the triangles as triples of edges, seen right-handed from
    outside. Renaming corners by an even permutation keeps a tetrahedron's hand, and so the triangles'."""
    cases: dict[int, tuple[tuple[_Edge, _Edge, _Edge], ...]] = {}
    for a, b, c, d in filter(_even, permutations(range(4))):
        cases[1 << a] = (((a, b), (a, c), (a, d)),)
        cases[15 - (1 << a)] = (((a, b), (a, d), (a, c)),)
        cases[(1 << a) + (1 << b)] = (((a, c), (a, d), (b, d)), ((a, c), (b, d), (b, c)))
    return cases


_TETRAHEDRA, _CASES = _tetrahedra(), _cases()


def isodose_surface(dose_grid: DoseGrid, level_gy: float) -> Surface:
    """The surface of all that gets `level_gy` or more: closed, outward oriented, in P. [Gy, mm]

    It may have several bodies and cavities. If no place gets the level, it has no triangles. Raises
    RequestError for a level that is not positive or that reaches the sides of the grid, beyond which the
    surface is not known.
    """
    if not level_gy > 0.0:
        raise RequestError("isodose level", f"it is {level_gy:g} Gy", "Give a dose above 0 Gy.")
    if dose_grid.border_gy >= level_gy:
        raise RequestError(
            "isodose level", f"{level_gy:g} Gy reach the sides of the lattice", "Take a wider lattice."
        )
    inside = dose_grid.doses_gy >= level_gy
    edges = _triangles_as_edges(inside)
    if np.linalg.det(dose_grid.grid.X_PV[:3, :3]) < 0.0:
        # A left-handed grid mirrors all tetrahedra.
        edges = edges[:, ::-1]
    cut, faces = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    return Surface(_cuts(dose_grid, level_gy, cut), faces.reshape(-1, 3).astype(np.int64))


def _triangles_as_edges(inside: Bool[np.ndarray, "nx ny nz"]) -> Int[np.ndarray, "f 3 2"]:
    """Triangles as three cut edges each, an edge as its two nodes' flat indices, the lower first."""
    shape = np.array(inside.shape)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    corners = _CORNERS @ strides
    low = np.argwhere(_mixed(inside)) @ strides
    flat = inside.reshape(-1)
    triangle_edges = [np.empty((0, 3, 2), dtype=np.int64)]
    for tetrahedron in _TETRAHEDRA:
        nodes = low[:, None] + corners[tetrahedron]
        case = flat[nodes] @ (1, 2, 4, 8)
        for bits, triangles in _CASES.items():
            case_nodes = nodes[case == bits]
            triangle_edges += [np.sort(case_nodes[:, np.array(triangle)], axis=2) for triangle in triangles]
    return np.concatenate(triangle_edges)


def _mixed(inside: Bool[np.ndarray, "nx ny nz"]) -> Bool[np.ndarray, "mx my mz"]:
    """Cubes, by their lowest corner, with corners on both sides."""
    a, b, c = (size - 1 for size in inside.shape)
    views = [inside[i : i + a, j : j + b, k : k + c] for i, j, k in _CORNERS]
    return np.asarray(np.logical_or.reduce(views) & ~np.logical_and.reduce(views))


def _cuts(dose_grid: DoseGrid, level_gy: float, edges: Int[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Where each edge, as two flat indices, reaches the level, in P. [mm]"""
    doses = np.maximum(dose_grid.doses_gy.reshape(-1)[edges], MIN_PART * level_gy) ** -0.5
    part = (level_gy**-0.5 - doses[:, 0]) / (doses[:, 1] - doses[:, 0])
    part = np.clip(part, EDGE_MARGIN, 1.0 - EDGE_MARGIN)[:, None]
    ends_V = np.stack(np.unravel_index(edges, dose_grid.grid.shape), axis=-1).astype(float)
    p_V = ends_V[:, 0] + part * (ends_V[:, 1] - ends_V[:, 0])
    return dose_grid.grid.to_patient(p_V * dose_grid.grid.spacing_mm)
