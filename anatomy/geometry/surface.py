"""Surface: a closed triangle mesh, the original form of a structure that was given as one, and its volume."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed, outward-oriented triangle mesh in P. [mm]"""

    vertices_P: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]


def volume_mm3(vertices_P: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> float:
    """Signed volume, positive if triangles face outwards (divergence theorem). [mm3]"""
    a, b, c = (vertices_P[faces[:, n]] - vertices_P[faces[0, 0]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)
