"""Seeds that stand alike in the cells of a grid: there a plan's samples, at the middles of cells, err alike.

Of n seeds, each with an error e, the sum errs by e sqrt(n) where they stand at random, by e n where all stand
alike. With groups of m seeds that stand alike it is e sqrt(sum of m^2 over groups): sqrt(mean m) times the
first, the mean taken over seeds.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from anatomy.frames import Grid

SAME_PLACE = 0.05
"""Seeds whose places in their cells differ by less of a cell's side, along each axis, stand alike [U]."""


def alike(centres_P: Float[np.ndarray, "n 3"], grid: Grid, part_mm: float) -> float:
    """How many seeds stand as one does, itself included, on average: 1.0 where none do.

    Cells are voxels, cut into equal parts of at most `part_mm` along each axis. [mm]
    """
    if not len(centres_P):
        return 1.0
    cells_mm = grid.spacing_mm / np.ceil(grid.spacing_mm / part_mm - 1e-9)
    # Cells repeat: the place is on a torus.
    places = cKDTree((grid.to_box(centres_P) / cells_mm) % 1.0 % 1.0, boxsize=1.0)
    return float(places.count_neighbors(places, SAME_PLACE, p=np.inf)) / len(centres_P)
