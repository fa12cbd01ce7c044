"""Obstacle surfaces for the ray casters: the boundary of the forbidden voxels as triangles.

Voxel faces, two triangles each, in the box frame B: exactly the boxes that the planner keeps clear of, so
that all contestants are asked about one and the same solid.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.scene import Scene
from anatomy.structures import Role


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in B. [mm]"""

    vertices_B: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]


def obstacles(scene: Scene) -> Bool[np.ndarray, "nx ny nz"]:
    """Voxels that a needle may not enter: forbidden structures and what lies outside the body."""
    union = np.zeros(scene.grid.shape, dtype=bool)
    for structure in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE):
        structure.mask.paint(union, True)
    return union


def voxel_faces(mask: Bool[np.ndarray, "nx ny nz"], spacing_mm: Float[np.ndarray, " 3"]) -> Mesh:
    """The faces between set and unset voxels, outward, with shared corners.

    Corner (i, j, k) lies half a voxel below the centre of voxel (i, j, k).
    """
    padded = np.pad(mask, 1)
    corner_shape = np.array(mask.shape) + 1
    strides = np.array([corner_shape[1] * corner_shape[2], corner_shape[2], 1])
    triangles = []
    for axis in range(3):
        u, v = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
        below = np.take(padded, range(padded.shape[axis] - 1), axis=axis)
        above = np.take(padded, range(1, padded.shape[axis]), axis=axis)
        # Face n along `axis` lies between padded voxels n and n + 1: below original voxel n.
        for set_side, unset_side, outward in ((below, above, True), (above, below, False)):
            at = np.argwhere(set_side & ~unset_side)
            at[:, [a for a in range(3) if a != axis]] -= 1
            first = at @ strides
            square = [first, first + u, first + u + v, first + v]
            if not outward:
                square.reverse()
            triangles += [np.stack(square[:3], axis=1), np.stack([square[0], *square[2:]], axis=1)]
    faces = np.concatenate(triangles)
    used, faces = np.unique(faces, return_inverse=True)
    corners = np.stack(np.unravel_index(used, tuple(corner_shape)), axis=1)
    return Mesh((corners - 0.5) * spacing_mm, faces.reshape(-1, 3))
