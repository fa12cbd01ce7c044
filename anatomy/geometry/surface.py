"""Surface: a closed triangle mesh, the original form of a structure that was given as one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed, outward-oriented triangle mesh in P. [mm]"""

    vertices_P: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
