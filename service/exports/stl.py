"""STL: a closed surface as a binary file, in patient LPS mm."""

import numpy as np

from anatomy.geometry.surface import Surface

HEADER_BYTES = 80

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(surface: Surface, header: str) -> bytes:
    """The surface as binary STL. `header` may describe it, in ASCII. It must not begin with "solid", because
    readers would then take the file for text."""
    triangles = np.zeros(len(surface.faces), _TRIANGLE)
    corners = surface.vertices_P[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0.0)
    triangles["corners"] = corners
    count = np.array([len(triangles)], "<u4")
    return header.encode("ascii")[:HEADER_BYTES].ljust(HEADER_BYTES) + count.tobytes() + triangles.tobytes()
