"""The winding number of a surface about a point, by solid angles: an inside test without a tree or rays."""

import numpy as np


def winding_number(vertices_P: np.ndarray, faces: np.ndarray, x_P: np.ndarray) -> float:
    """By the solid angles of all faces (van Oosterom and Strackee, 10.1109/TBME.1983.325207)."""
    a, b, c = (vertices_P[faces[:, n]] - x_P for n in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c))
    ab, bc, ca = (np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (b, c), (c, a)))
    return float(np.arctan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb).sum() / (2 * np.pi))
