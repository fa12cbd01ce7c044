"""Windows: connected regions of safe lines, in the space of lines.

Two lines are neighbours if they are close over their whole length. Each line belongs to a box in six
dimensions: its point at the target's middle, and its direction times DEPTH_MM. Lines whose boxes touch at a
face or an edge are connected. A rib or a vessel between two groups of lines separates them, even where their
entries or tips meet.
"""

from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

DEPTH_MM = 100.0
"""A difference in direction counts as the distance that it makes at this depth: about that of the chest
wall."""

BOX = 1.5
"""Size of the boxes, in distances between neighbouring lines: gaps in which every second line is safe do not
split a window [U]."""


def windows(
    passes_B: Float[np.ndarray, "n 3"], outward_B: Float[np.ndarray, "n 3"], spread_mm: float
) -> Int[np.ndarray, "n"]:
    """Window number of each line. `passes_B` are the lines' points at the target's middle; `spread_mm` is the
    distance between neighbouring lines of the search."""
    if not len(passes_B):
        return np.zeros(0, int)
    place = np.concatenate([passes_B, outward_B * DEPTH_MM], axis=1) / (BOX * spread_mm)
    index = np.round(place).astype(np.int64)
    index -= index.min(axis=0) - 1
    widths = index.max(axis=0) + 2
    weight = np.concatenate([[1], np.cumprod(widths[:-1])]).astype(np.int64)
    boxes, box_of = np.unique(index @ weight, return_inverse=True)
    pairs = [_touching(boxes, int(step @ weight)) for step in _half_of_neighbours()]
    one = np.concatenate([p[0] for p in pairs])
    two = np.concatenate([p[1] for p in pairs])
    graph = coo_matrix((np.ones(len(one), bool), (one, two)), shape=(len(boxes), len(boxes)))
    return np.asarray(connected_components(graph, directed=False)[1][box_of.ravel()])


def _half_of_neighbours() -> list[np.ndarray]:
    """Steps to boxes that share a face or an edge, one of each opposite pair."""
    steps = []
    for axis in range(6):
        step = np.zeros(6, np.int64)
        step[axis] = 1
        steps.append(step)
    for (a, b), sign in product(combinations(range(6), 2), (1, -1)):
        step = np.zeros(6, np.int64)
        step[a], step[b] = 1, sign
        steps.append(step)
    return steps


def _touching(boxes: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.searchsorted(boxes, boxes + step)
    at[at == len(boxes)] = 0
    hit = np.flatnonzero(boxes[at] == boxes + step)
    return hit, at[hit]
