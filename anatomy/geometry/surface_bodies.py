"""Surface bodies: the connected bodies of one surface, which of them are cavities, and which contain no voxel
centre.

Whether a body lies within others is measured over its whole volume, so that the order of triangles does not
matter. Only bodies with overlapping boxes are compared: a closed body winds around no point outside its box.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.errors import SurfaceError
from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface
from anatomy.geometry.voxelisation import fill_centres

SAMPLES_PER_SIDE = 64
"""Sample points along each side of a body's box, to measure which part of the body lies within others [U]."""

ROUNDING = 1e-3
"""A body of which less than this share of its volume lies outside others counts as within them [U]: two
meshes of one skin do not agree to the last digit."""

CAVITY_SHARE = 0.5
"""A body that faces inwards is a cavity if larger bodies hold more than this share of its volume [U]: a
cavity may break through its wall, and a part that is inside out may begin inside another."""


MAX_VISITS = 2**32
"""Triangles and voxels that may be visited to find which bodies lie within which [U]: half a minute of work.
A thousand small fragments within the box of a mesh of a million triangles need a quarter of it."""

BODY_VISITS = 200
"""Fixed cost of comparing with one body, in triangle visits [U]."""

BODY_BASE_VISITS = 20_000
"""Fixed cost of examining one body, in triangle visits [U]."""


def orient_outward(file: str, surface: Surface) -> Surface:
    """Reverse the triangles of bodies that are inside out. A body that lies for its larger share in larger,
    outward bodies is a cavity and is left as it is; a part of it that breaks through the wall counts as
    inside, with a winding number of -1.

    Raises SurfaceError, which names the file, if the bodies are too many and too entangled to be separated.
    """
    bodies = _parted(surface)
    inward = np.flatnonzero(bodies.volumes_mm3 < 0.0).tolist()
    turned = np.zeros(bodies.count, bool)
    if len(inward) == bodies.count:
        # All bodies face inwards, cavities included: that is the exporter's convention.
        turned[:] = True
    else:
        visits = _Visits(file)
        for n in inward:
            larger = bodies.volumes_mm3 > -bodies.volumes_mm3[n]
            turned[n] = _share_within(bodies, n, larger, visits) <= CAVITY_SHARE
    faces = np.where(turned[bodies.of_face][:, None], surface.faces[:, ::-1], surface.faces)
    return Surface(surface.vertices_P, np.ascontiguousarray(faces))


@dataclass(frozen=True, eq=False)
class _Bodies:
    """The connected bodies of a surface: vertices and faces in the order of bodies, the index at which those
    of each body begin, and the bodies' boxes, axis by axis. `of_face` is the body of each face of the
    surface."""

    of_face: Int[np.ndarray, "f"]
    vertices_P: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    vertices_from: Int[np.ndarray, "starts"]
    faces_from: Int[np.ndarray, "starts"]
    low_P: Float[np.ndarray, "3 b"]
    high_P: Float[np.ndarray, "3 b"]
    volumes_mm3: Float[np.ndarray, "b"]

    @property
    def count(self) -> int:
        return len(self.volumes_mm3)

    def only(self, chosen: Iterable[int]) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
        """The vertices of some bodies, and their faces, which index these vertices."""
        vertices, faces, used = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
        for n in chosen:
            first, last = self.vertices_from[n], self.vertices_from[n + 1]
            vertices.append(self.vertices_P[first:last])
            faces.append(self.faces[self.faces_from[n] : self.faces_from[n + 1]] - (first - used))
            used += last - first
        return np.concatenate(vertices), np.concatenate(faces)

    def faces_of(self, chosen: Int[np.ndarray, "n"]) -> int:
        """How many faces some bodies have."""
        return int((self.faces_from[chosen + 1] - self.faces_from[chosen]).sum())


class _Visits:
    """Counts the triangles and voxels that are visited."""

    def __init__(self, file: str) -> None:
        self._file, self._left = file, MAX_VISITS

    def take(self, count: int) -> None:
        """Add to the count. Raises SurfaceError above MAX_VISITS."""
        self._left -= count
        if self._left < 0:
            raise SurfaceError(
                self._file,
                "its parts are too many, or overlap in too many ways, to be separated",
                "Remove noise from the surface, or give its parts as separate files.",
            )


def _parted(surface: Surface) -> _Bodies:
    """The surface's bodies. Every vertex must belong to a face."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces, size = surface.faces, len(surface.vertices_P)
    start, end = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    links = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(size, size))
    count, of_vertex = connected_components(links, directed=False)
    of_face = of_vertex[faces[:, 0]].astype(np.int64)
    vertex_order, face_order = (np.argsort(of, kind="stable") for of in (of_vertex, of_face))
    new_index = np.empty(size, np.int64)
    new_index[vertex_order] = np.arange(size)
    vertices_P, own_faces = surface.vertices_P[vertex_order], new_index[faces[face_order]]
    vertices_from, faces_from = (
        np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))]) for of in (of_vertex, of_face)
    )
    return _Bodies(
        of_face=of_face,
        vertices_P=vertices_P,
        faces=own_faces,
        vertices_from=vertices_from,
        faces_from=faces_from,
        low_P=np.ascontiguousarray(np.minimum.reduceat(vertices_P, vertices_from[:-1]).T),
        high_P=np.ascontiguousarray(np.maximum.reduceat(vertices_P, vertices_from[:-1]).T),
        volumes_mm3=_volumes_mm3(vertices_P, own_faces, faces_from),
    )


def _volumes_mm3(
    vertices_P: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], faces_from: Int[np.ndarray, "starts"]
) -> Float[np.ndarray, "b"]:
    """Signed volume of each body, of faces in the order of bodies, about its own first vertex."""
    about = np.repeat(vertices_P[faces[faces_from[:-1], 0]], np.diff(faces_from), axis=0)
    a, b, c = (vertices_P[faces[:, n]] - about for n in range(3))
    return np.asarray(np.add.reduceat(np.einsum("ij,ij->i", a, np.cross(b, c)), faces_from[:-1]) / 6.0)


def bodies_without_voxels(file: str, surface: Surface, grid: Grid) -> int:
    """How many connected bodies of a surface contain no voxel centre.

    Not counted are cavities, which face inwards, and bodies that lie completely in a body that contains a
    voxel centre, or in a larger one that is counted: if a part is meshed twice, each mesh lies within the
    other, and one of them counts. Raises SurfaceError as `orient_outward` does.
    """
    bodies, visits = _parted(surface), _Visits(file)
    bare = np.array(
        [
            v >= 0.0 and not _holds_centre(bodies, n, grid, visits)
            for n, v in enumerate(bodies.volumes_mm3.tolist())
        ]
    )
    # Bodies in which the rest may lie: those with a voxel centre, with their cavities, then the counted ones.
    enclosing = ~bare
    for n in sorted(np.flatnonzero(bare).tolist(), key=lambda n: -bodies.volumes_mm3[n]):
        enclosing[n] = _share_within(bodies, n, enclosing, visits) < 1.0 - ROUNDING
    return int(np.count_nonzero(enclosing & bare))


def _holds_centre(bodies: _Bodies, n: int, grid: Grid, visits: _Visits) -> bool:
    """Whether a body, by itself, contains the centre of a voxel."""
    vertices_P, faces = bodies.only([n])
    own = grid.to_box(vertices_P) / grid.spacing_mm
    first = np.clip(np.ceil(own.min(axis=0)), 0, grid.shape).astype(int)
    last = np.clip(np.floor(own.max(axis=0)) + 1, first, grid.shape).astype(int)
    # The row in its middle first: it is enough for most bodies, and a small part of a large body's box.
    middle = (int(first[1]) + int(last[1])) // 2
    for low, high in ((middle, min(middle + 1, int(last[1]))), (int(first[1]), int(last[1]))):
        filled = np.zeros((last[0] - first[0], high - low, last[2] - first[2]), bool)
        visits.take(BODY_BASE_VISITS + filled.size + len(faces))
        fill_centres(own - (first[0], low, first[2]), faces, filled)
        if filled.any():
            return True
    return False


def _share_within(bodies: _Bodies, n: int, among: Bool[np.ndarray, "b"], visits: _Visits) -> float:
    """The share of a body's volume that lies inside those of the other bodies that `among` marks.

    Measured at sample points in the body's own box, so that neither the order of faces nor a shared skin
    changes the result. A body too thin to contain a sample point lies in no other.
    """
    visits.take(BODY_BASE_VISITS + bodies.count)
    low, high = bodies.low_P[:, n], bodies.high_P[:, n]
    overlapping = among.copy()
    for axis in range(3):
        overlapping &= (bodies.low_P[axis] <= high[axis]) & (bodies.high_P[axis] >= low[axis])
    others = np.flatnonzero(overlapping)
    if len(others) == 0:
        return 0.0
    visits.take(bodies.faces_of(others) + BODY_VISITS * len(others) + SAMPLES_PER_SIDE**3)
    own, around = (np.zeros((SAMPLES_PER_SIDE,) * 3, bool) for _ in range(2))
    for mask, body_numbers in ((own, [n]), (around, others.tolist())):
        vertices_P, faces = bodies.only(body_numbers)
        p = (vertices_P - low) / np.maximum(high - low, 1e-9) * SAMPLES_PER_SIDE - 0.5
        fill_centres(p, faces, mask)
    return int(np.count_nonzero(own & around)) / max(int(np.count_nonzero(own)), 1)
