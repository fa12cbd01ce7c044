"""Surfaces: closed triangle meshes, what they enclose, and which voxels they fill.

Inside means a winding number other than 0: bodies that overlap in one file are all inside, a shell that
faces inwards is a cavity, and a mesh that cuts through itself is never hollow by accident.

           (+1)  .-------.                  depth:  crossings of a line, summed from the entry
               .'  .--.   '.        line    0 --- +1 ====== 0 --- +1 === 0
              :   ( 0  )    : ------------->      inside         inside
               '.  '--'   .'
"""

from collections.abc import Iterable, Sequence

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int

from anatomy.errors import SurfaceError
from anatomy.geometry.extents import refuse_absurd_extent
from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface, volume_mm3
from anatomy.geometry.surface_bodies import orient_outward
from anatomy.geometry.voxelisation import fill_centres, mark_touched

MIN_VOLUME_MM3 = 1.0
"""A closed mesh with a smaller volume is no organ and no node [U]: one cubic millimetre."""

MERGE_DIGITS = 4
"""Vertices that agree to this many decimals of a millimetre are one vertex: STL stores the corners of each
triangle separately, in float32, whose step at 1 m is 0.0001 mm."""


def checked_surface(
    name: str, vertices_P: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Surface:
    """A closed, outward-facing surface from raw triangles in P. [mm]

    Repairs what has only one possible repair: corners stored separately, degenerate and duplicate triangles,
    triangles that face the wrong way, bodies that are inside out. Raises SurfaceError for everything else: no
    triangle, NaN, open edges, a one-sided surface, no volume, a size that no patient has, or more bodies than
    `anatomy.geometry.surface_bodies` can separate. Holes are not closed: what was there is not known.
    """
    vertices_P = np.asarray(vertices_P, float)
    if len(faces) == 0 or len(vertices_P) == 0:
        raise SurfaceError(name, "the surface has no triangle", "Export the structure again.")
    if not np.isfinite(vertices_P).all():
        raise SurfaceError(name, "the surface has NaN or infinite vertices", "Export the structure again.")
    refuse_absurd_extent(name, vertices_P)
    if faces.min() < 0 or faces.max() >= len(vertices_P):
        raise SurfaceError(name, "a triangle names a vertex that does not exist", "Export it again.")
    mesh = trimesh.Trimesh(vertices_P, faces, process=False)
    mesh.merge_vertices(digits_vertex=MERGE_DIGITS, merge_tex=True, merge_norm=True)
    corners = np.sort(mesh.faces, axis=1)
    mesh.update_faces((corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]))
    mesh.update_faces(mesh.unique_faces())
    mesh.remove_unreferenced_vertices()
    if len(mesh.faces) == 0:
        raise SurfaceError(name, "the surface has only degenerate triangles", "Export it again.")
    if not mesh.is_watertight:
        raise SurfaceError(
            name,
            f"the surface is open: {_unpaired_edges(mesh)} edges do not belong to exactly two triangles",
            "Close it (fill holes, cap the ends) or export it as a closed surface.",
        )
    if not mesh.is_winding_consistent:
        trimesh.repair.fix_winding(mesh)
    if not mesh.is_winding_consistent:
        raise SurfaceError(
            name, "the surface has no inside: its triangles cannot all face outwards", "Export it again."
        )
    surface = orient_outward(name, Surface(np.array(mesh.vertices, float), np.array(mesh.faces, np.int64)))
    if abs(volume_mm3(surface.vertices_P, surface.faces)) < MIN_VOLUME_MM3:
        raise SurfaceError(
            name,
            f"the surface encloses less than {MIN_VOLUME_MM3:g} mm3",
            "Check that it is in mm and does not fold onto itself.",
        )
    return surface


def _unpaired_edges(mesh: trimesh.Trimesh) -> int:
    _, counts = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    return int(np.count_nonzero(counts != 2))


def _turns(
    surface: Surface, entry_P: Float[np.ndarray, "3"], tip_P: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Where the whole line through entry and tip crosses the surface: depths from the entry, ascending, and
    +1 going in or -1 going out.

    In a frame whose z runs along the line, each edge that crosses y = 0 is cut there, at an x that both of
    its triangles compute identically. A triangle is crossed if x = 0 lies between its two cuts (a half-open
    interval). So a closed surface is crossed as often inwards as outwards, whatever the rounding.
    """
    along = (tip_P - entry_P) / np.linalg.norm(tip_P - entry_P)
    across = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
    across /= np.linalg.norm(across)
    R = np.stack([across, np.cross(along, across), along], axis=1)
    p = (surface.vertices_P - entry_P) @ R
    above = p[:, 1] > 0.0
    stepping = surface.faces[above[surface.faces].any(axis=1) & ~above[surface.faces].all(axis=1)]
    up = np.empty((len(stepping), 2))
    down = np.empty((len(stepping), 2))
    for n in range(3):
        a, b = stepping[:, n], stepping[:, (n + 1) % 3]
        # Cut every edge from its lower to its higher vertex, so that both triangles get the same last bit.
        low, high = np.where(above[a], b, a), np.where(above[a], a, b)
        rises, falls = ~above[a] & above[b], above[a] & ~above[b]
        for goes, cut in ((rises, up), (falls, down)):
            lo, hi = p[low[goes]], p[high[goes]]
            t = lo[:, 1] / (lo[:, 1] - hi[:, 1])
            cut[goes] = (lo + t[:, None] * (hi - lo))[:, [0, 2]]
    turn = (up[:, 0] > 0.0).astype(np.int64) - (down[:, 0] > 0.0)
    hit = turn != 0
    up, down, turn = up[hit], down[hit], turn[hit]
    t = up[:, 0] / (up[:, 0] - down[:, 0])
    depth = up[:, 1] + t * (down[:, 1] - up[:, 1])
    order = np.lexsort((-turn, depth))
    return depth[order], turn[order]


def crossings(
    surface: Surface, entry_P: Float[np.ndarray, "3"], tip_P: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 2"]:
    """Depths from the entry between which the segment lies inside the solid, ascending. [mm]

    Clipped to the segment: a segment that starts inside begins at 0.0. Exact up to rounding (1e-9 mm).
    """
    length = float(np.linalg.norm(tip_P - entry_P))
    depth, turn = _turns(surface, entry_P, tip_P)
    inside = np.cumsum(turn) != 0
    # The sum is 0 after the last crossing, so each interval inside has an end.
    before = np.concatenate([[False], inside[:-1]])
    starts, ends = depth[inside & ~before], depth[before & ~inside]
    spans = np.clip(np.stack([starts, ends], axis=1), 0.0, length)
    return np.asarray(spans[spans[:, 1] > spans[:, 0]])


def voxelise(surface: Surface, grid: Grid, *, touching: bool) -> Bool[np.ndarray, "nx ny nz"]:
    """The surface's inside as a mask on `grid`.

    `touching` True takes every voxel whose box meets the closed solid: a superset of the solid, for
    structures that a needle must avoid. False takes the voxels whose centre is inside: on average neither
    larger nor smaller.
    """
    p_V = grid.to_box(surface.vertices_P) / grid.spacing_mm
    mask = np.zeros(grid.shape, dtype=bool)
    fill_centres(p_V, surface.faces, mask)
    if touching:
        mark_touched(p_V, surface.faces, mask)
    return mask


def grid_around(
    surfaces: Iterable[Surface], voxel_mm: float = 1.0, padding_mm: float = 10.0, max_voxels: int = 60_000_000
) -> Grid:
    """A grid of cubic voxels along LPS over all surfaces, with `padding_mm` of air around them, so that the
    skin is not cut.

    Voxels are larger than `voxel_mm` if the grid would otherwise exceed `max_voxels` [U].
    """
    bounds: Sequence[np.ndarray] = [
        corner for s in surfaces for corner in (s.vertices_P.min(axis=0), s.vertices_P.max(axis=0))
    ]
    if not bounds:
        raise SurfaceError("the surfaces", "there are none", "Give at least one closed surface.")
    low, high = np.min(bounds, axis=0) - padding_mm, np.max(bounds, axis=0) + padding_mm
    size_mm = max(voxel_mm, float(np.cbrt(np.prod(high - low) / max_voxels)))
    while np.prod(np.ceil((high - low) / size_mm)) > max_voxels:
        size_mm *= 1.01
    shape = np.ceil((high - low) / size_mm).astype(int)
    X_PV = np.diag([size_mm, size_mm, size_mm, 1.0])
    X_PV[:3, 3] = low + 0.5 * size_mm
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), X_PV)
