"""Surface bodies: the connected bodies of one surface, which of them are cavities, and which no voxel holds.

Whether a body lies within others is asked of all of it, so that the order of triangles decides nothing.
"""

import numpy as np
from jaxtyping import Float, Int

from anatomy.frames import Grid
from anatomy.structures import Surface
from anatomy.voxelisation import fill_centres

LATTICE = 64
"""Points along each side of a body's box at which it is asked whether the body lies within others [U]."""

ROUNDING = 1e-3
"""A body that sticks out of others by less than this part of its volume lies within them [U]: two meshes of
one skin do not agree to the last digit."""

MOSTLY = 0.5
"""A body that faces inwards is a cavity of larger ones that hold more than this part of its volume [U]: a
cavity may break through its wall, and a part that is inside out may begin in another."""


def volume_mm3(vertices_P: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> float:
    """Signed volume, positive where triangles face outwards (divergence theorem)."""
    a, b, c = (vertices_P[faces[:, n]] - vertices_P[faces[0, 0]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def outward(surface: Surface) -> Surface:
    """Turn inside-out bodies. One that lies for the larger share in larger, outward bodies is a cavity, and
    stays; what of it breaks through its wall counts as inside, by a winding number of -1."""
    faces = surface.faces
    count, body_of_face = _bodies(faces)
    volumes = _volumes_mm3(surface, count, body_of_face)
    inward = np.flatnonzero(volumes < 0.0)
    if len(inward) == count:
        # All of it faces inwards: the exporter's convention, cavities included.
        faces = faces[:, ::-1]
    else:
        for n in inward:
            own = body_of_face == n
            larger = (volumes > -volumes[n])[body_of_face]
            outside = Surface(surface.vertices_P, surface.faces[larger])
            if _share_within(outside, surface.faces[own]) <= MOSTLY:
                faces = np.where(own[:, None], faces[:, ::-1], faces)
    return Surface(surface.vertices_P, np.ascontiguousarray(faces))


def _volumes_mm3(surface: Surface, count: int, body_of_face: Int[np.ndarray, "f"]) -> Float[np.ndarray, "b"]:
    """Signed volume of each connected body."""
    return np.array([volume_mm3(surface.vertices_P, surface.faces[body_of_face == n]) for n in range(count)])


def _bodies(faces: Int[np.ndarray, "f 3"]) -> tuple[int, Int[np.ndarray, "f"]]:
    """Number of connected bodies, and each face's body."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(faces.max()) + 1
    start, end = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    links = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(size, size))
    _, of_vertex = connected_components(links, directed=False)
    bodies, of_face = np.unique(of_vertex[faces[:, 0]], return_inverse=True)
    return len(bodies), np.asarray(of_face, np.int64)


def bodies_without_voxels(surface: Surface, grid: Grid) -> int:
    """How many connected bodies of a surface hold no voxel centre; cavities, which face inwards, are none.

    Nor are bodies that lie as a whole in those that hold one, or in larger ones that are counted: of a part
    that is meshed twice, each mesh lies within the other, and one of them counts.
    """
    count, body_of_face = _bodies(surface.faces)
    volumes = _volumes_mm3(surface, count, body_of_face)
    p_V = grid.to_box(surface.vertices_P) / grid.spacing_mm
    bare = np.array(
        [
            v >= 0.0 and not _holds_centre(p_V, surface.faces[body_of_face == n], grid)
            for n, v in enumerate(volumes)
        ]
    )
    told = ~bare  # in which the rest may lie: what holds a centre with its cavities, then what is counted
    for n in sorted(np.flatnonzero(bare), key=lambda n: -volumes[n]):
        others = Surface(surface.vertices_P, surface.faces[told[body_of_face]])
        told[n] = _share_within(others, surface.faces[body_of_face == n]) < 1.0 - ROUNDING
    return int(np.count_nonzero(told & bare))


def _holds_centre(p_V: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], grid: Grid) -> bool:
    """Whether the body of these faces, by itself, holds the centre of a voxel."""
    used, corners = np.unique(faces, return_inverse=True)
    own = p_V[used]
    first = np.clip(np.ceil(own.min(axis=0)), 0, grid.shape).astype(int)
    last = np.clip(np.floor(own.max(axis=0)) + 1, first, grid.shape).astype(int)
    held = np.zeros(last - first, bool)
    fill_centres(own - first, corners.reshape(faces.shape), held)
    return bool(held.any())


def _share_within(others: Surface, faces: Int[np.ndarray, "f 3"]) -> float:
    """The part of a body's volume that lies in the others' solid; its faces refer to the others' vertices.

    Measured on a lattice over the body's own box, so that the order of faces says nothing, nor does a skin
    that both have in common. A body too thin to hold a point of the lattice lies in nothing.
    """
    if len(others.faces) == 0:
        return 0.0
    own_P = others.vertices_P[np.unique(faces)]
    low, size = own_P.min(axis=0), np.ptp(own_P, axis=0)
    p = (others.vertices_P - low) / np.maximum(size, 1e-9) * LATTICE - 0.5
    held, around = (np.zeros((LATTICE,) * 3, bool) for _ in range(2))
    fill_centres(p, faces, held)
    fill_centres(p, others.faces, around)
    return int(np.count_nonzero(held & around)) / max(int(np.count_nonzero(held)), 1)
