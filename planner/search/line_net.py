"""Line net: the coordinates of all lines through the target, and their grouping in cells that are split.

Directions are grouped in blocks about evenly distributed unit vectors w. In a block a line is given by two
points: a, where it crosses plane A, perpendicular to w at the target's far side, and c, where it crosses
plane C, perpendicular to w at about the depth of the skin.

        plane A                                  plane C          depth  0 ........ 1   along the line
      a  |....._____                               |
    -----o----target----_____----lung----____------o-- c          a cell: |da| <= h, |dc| <= h per coordinate
         |                                         |

Two lines of a cell are (1 - t) da + t dc apart at depth t, so between the planes a line is never farther from
the cell's centre line than at the worse of the two planes: sqrt(2) h. A net in a point and a slope, with the
same guarantee, needs sixteen times as many lines, because there the two errors add up.

A line belongs to the block whose w is nearest to its direction. Cells at a block's border are kept in all
blocks to which they may belong.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from planner.search.kernels.search_fields import SearchFields

BLOCKS = 162
"""Number of blocks: about 9 degrees from each direction to the border with the next, so that lines are nearly
perpendicular to their planes."""
NEIGHBOURS = 8
"""A block's cells are compared with this many neighbouring blocks: more than the borders that any block
has."""

COVERING = 2.75
"""No direction is farther from the nearest of n Fibonacci directions than this divided by sqrt(n). [rad]
True for 40 to 1000 directions (2.73 at most) [C]; checked in the tests."""

SKIN_MARGIN_MM = 8.0
"""Plane C lies this far beyond the deepest skin that the rays of a block meet. This needs a few more cells,
but avoids splitting most of the cells once more to reach the requested radius."""

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of one search, n of them. Frame B, mm.

    `w`, `e1`, `e2` (n, 3): outward direction and the two axes perpendicular to it. `centre` (3,): the
    target's middle. `depth_a`, `depth_c` (n,): where planes A and C cut w, from the centre; `depth_b` the
    target's near side. `neighbours` (n, k, 3): neighbours' w.
    """

    w: Float[np.ndarray, "n 3"]
    e1: Float[np.ndarray, "n 3"]
    e2: Float[np.ndarray, "n 3"]
    centre: Float[np.ndarray, "3"]
    depth_a: Float[np.ndarray, "n"]
    depth_b: Float[np.ndarray, "n"]
    depth_c: Float[np.ndarray, "n"]
    neighbours: Float[np.ndarray, "n k 3"]


def even_directions(count: int) -> Float[np.ndarray, "n 3"]:
    """Unit vectors distributed evenly over the sphere (Fibonacci lattice, 10.1007/s11004-009-9257-x)."""
    n = np.arange(count) + 0.5
    z = 1.0 - 2.0 * n / count
    r = np.sqrt(1.0 - z * z)
    turn = GOLDEN_ANGLE * np.arange(count)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def direction_blocks(fields: SearchFields, target_points_B: Float[np.ndarray, "m 3"]) -> Blocks:
    """The blocks for a target, which is given by its voxels' corners."""
    w = even_directions(BLOCKS)
    helper = np.where(np.abs(w[:, 2:3]) < 0.9, np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0]]))
    e1 = np.cross(helper, w)
    e1 /= np.linalg.norm(e1, axis=1)[:, None]
    e2 = np.cross(w, e1)
    centre = 0.5 * (target_points_B.min(axis=0) + target_points_B.max(axis=0))
    along = (target_points_B - centre) @ w.T
    _, order = cKDTree(w).query(w, k=NEIGHBOURS + 1)
    return Blocks(
        w,
        e1,
        e2,
        centre,
        along.min(axis=0),
        along.max(axis=0),
        _skin_depths(fields, centre, w, along.max(axis=0)),
        w[order[:, 1:]],
    )


def _skin_depths(
    fields: SearchFields, centre: np.ndarray, w: np.ndarray, near_side: np.ndarray
) -> np.ndarray:
    """The depth of plane C: that of the deepest skin in a block, by a few rays.

    Only the number of cells depends on it: the radius that a cell covers is computed from its own depths.
    """
    rays = even_directions(BLOCKS * 12)
    block = cKDTree(w).query(rays)[1]
    steps = np.arange(0.0, fields.needle_length, 2.0)
    p = centre + rays[:, None, :] * steps[None, :, None]
    index = np.round(np.clip(p, fields.lower, fields.upper) / np.array(fields.spacing)).astype(int)
    index = np.clip(index, 0, np.array(fields.tissue.shape) - 1)
    inside = fields.tissue[index[..., 0], index[..., 1], index[..., 2]] > 0
    skin = 2.0 * np.argmin(inside, axis=1) + SKIN_MARGIN_MM
    deepest = near_side + fields.needle_length + SKIN_MARGIN_MM
    depths = np.empty(len(w))
    for n in range(len(w)):
        met = skin[(block == n) & ~inside.all(axis=1)]
        rays_in_block = np.count_nonzero(block == n)
        depths[n] = met.max() if 2 * len(met) > rays_in_block else deepest[n]
    return np.clip(depths, near_side + 20.0, deepest)


@dataclass(frozen=True, eq=False)
class Cells:
    """m cells of one level: block (m,), centre coordinates (m, 4) as a1, a2, c1, c2 in mm, half widths (m, 2)
    at planes A and C. `depths` (m, 3), across the planes from A: before the first, no line touches the
    target; from the second, all safe lines are outside the body; at the third, obstacles are nearest. All are
    0.0 in root cells, where they are unknown."""

    block: Int[np.ndarray, "m"]
    centre: Float[np.ndarray, "m 4"]
    half: Float[np.ndarray, "m 2"]
    depths: Float[np.ndarray, "m 3"]

    def __len__(self) -> int:
        return len(self.block)

    def take(self, which: np.ndarray | slice) -> "Cells":
        """Some of the cells, by index, mask or slice."""
        return Cells(self.block[which], self.centre[which], self.half[which], self.depths[which])


def join_cells(parts: list[Cells]) -> Cells:
    """All cells of the parts, in order."""
    return Cells(
        np.concatenate([p.block for p in parts]),
        np.concatenate([p.centre for p in parts]),
        np.concatenate([p.half for p in parts]),
        np.concatenate([p.depths for p in parts]),
    )


def root_cells(b: Blocks, target_points_B: Float[np.ndarray, "m 3"], half_mm: float) -> Cells:
    """Cells of half width `half_mm` that contain every line through the target, block by block.

    The slope of a direction in the block relative to w is at most `lean` (see COVERING), so a line through
    the target point at depth s and offset q crosses a plane at depth z within q +- lean |z - s|.
    """
    parts = []
    lean = float(np.tan(COVERING / np.sqrt(len(b.w))))
    for n in range(len(b.w)):
        offset = (target_points_B - b.centre) @ np.stack([b.e1[n], b.e2[n]], axis=1)
        depth = (target_points_B - b.centre) @ b.w[n]
        spans = []
        for plane in (b.depth_a[n], b.depth_c[n]):
            reach = lean * float(np.abs(plane - depth).max())
            spans += [(offset[:, axis].min() - reach, offset[:, axis].max() + reach) for axis in (0, 1)]
        ticks = [_ticks(low, high, half_mm) for low, high in spans]
        mesh = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 4)
        # A line's slope is (c - a) / (distance of the planes); cells with larger slopes belong to other
        # blocks.
        gap = b.depth_c[n] - b.depth_a[n]
        steep = np.hypot(mesh[:, 2] - mesh[:, 0], mesh[:, 3] - mesh[:, 1]) - 2.0 * np.sqrt(2.0) * half_mm
        mesh = mesh[steep <= lean * gap]
        parts.append(
            Cells(np.full(len(mesh), n), mesh, np.full((len(mesh), 2), half_mm), np.zeros((len(mesh), 3)))
        )
    return join_cells(parts)


def _ticks(low: float, high: float, half: float) -> np.ndarray:
    """Centres of the intervals of half width `half` that cover low..high."""
    count = max(1, int(np.ceil((high - low) / (2.0 * half))))
    middle = 0.5 * (low + high)
    return np.asarray(middle + (2.0 * np.arange(count) - count + 1) * half)


QUARTERS, SIXTEENTHS = 4, 16
"""Number of children of a cell that is halved in the coordinates of plane C only, or of both planes."""


def child_cells(cells: Cells, row: np.ndarray, per_parent: int, depths: np.ndarray) -> Cells:
    """Children by row number, `per_parent` * parent + child. One bit of the child number for each halved
    coordinate."""
    parent, child = row // per_parent, row % per_parent
    half = cells.half[parent]
    bits = ((child[:, None] >> np.arange(4)) & 1) * 2.0 - 1.0
    shift = 0.5 * half[:, [1, 1, 0, 0]] * bits
    if per_parent == QUARTERS:
        shift[:, 2:] = 0.0
    half = half * np.array([0.5 if per_parent == SIXTEENTHS else 1.0, 0.5])
    return Cells(cells.block[parent], cells.centre[parent] + shift[:, [2, 3, 0, 1]], half, depths)


def lines_of(b: Blocks, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """The cells' centre lines in B: points on plane A (m, 3) and outward unit vectors (m, 3)."""
    n = cells.block
    at_a = b.centre + b.depth_a[n, None] * b.w[n]
    at_a = at_a + cells.centre[:, 0:1] * b.e1[n] + cells.centre[:, 1:2] * b.e2[n]
    at_c = b.centre + b.depth_c[n, None] * b.w[n]
    at_c = at_c + cells.centre[:, 2:3] * b.e1[n] + cells.centre[:, 3:4] * b.e2[n]
    d = at_c - at_a
    return at_a, d / np.linalg.norm(d, axis=1)[:, None]
