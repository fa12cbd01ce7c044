"""Lines for the line tests: through the target, from everywhere."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene


@dataclass(frozen=True, eq=False)
class Lines:
    """A point in the target and an outward unit direction for each line, both (n, 3), in B. [mm]"""

    point_B: Float[np.ndarray, "n 3"]
    outward_B: Float[np.ndarray, "n 3"]

    def first(self, n: int) -> "Lines":
        """The first n of them."""
        return Lines(self.point_B[:n], self.outward_B[:n])

    def __len__(self) -> int:
        return len(self.point_B)


def through_target(scene: Scene, n: int, seed: int = 0) -> Lines:
    """Draw n lines through points drawn evenly from the target, in directions even over the sphere."""
    random = np.random.default_rng(seed)
    voxels = np.argwhere(scene.target.cropped()) + np.array(scene.target.lower)
    chosen = voxels[random.integers(len(voxels), size=n)] + random.uniform(-0.5, 0.5, (n, 3))
    directions = random.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Lines(chosen * scene.grid.spacing_mm, directions)
