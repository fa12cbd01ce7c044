"""Pareto front: the paths that no other path dominates. Exact.

A weighted sum can only find paths on the convex hull of what is possible; the front contains all of them.

In lexicographic order a path can only be dominated by an earlier one, and if any path dominates it, one on
the front does, because dominance is transitive. So one pass in that order, comparing each path with the front
so far, is exact. The cost is O(n log n + n f) for n paths and a front of f: fast while the front is small,
n^2 / 2 if no path dominates another.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from anatomy.runtime.jit import jit
from planner.paths.ranking import ROUNDING_DECIMALS
from planner.scores import Quantities
from planner.scores.clearance import CLEARANCE
from planner.scores.fissures import FISSURES
from planner.scores.length import LENGTH
from planner.scores.lung_length import LUNG_LENGTH
from planner.scores.pleural_punctures import PLEURAL_PUNCTURES

OBJECTIVES = (LUNG_LENGTH, PLEURAL_PUNCTURES, FISSURES, CLEARANCE, LENGTH)


def pareto_flags(paths: Sequence[Quantities]) -> list[bool]:
    """For each path, whether no other path dominates it in OBJECTIVES. Equal paths do not dominate each
    other."""
    values = np.array([[score.of(p) for score in OBJECTIVES] for p in paths], dtype=float)
    return [bool(flag) for flag in front(values.reshape(len(paths), len(OBJECTIVES)))]


def front(values: Float[np.ndarray, "n k"]) -> Bool[np.ndarray, "n"]:
    """Which rows are not dominated: no other row is nowhere larger and somewhere smaller. Smaller is better.

    Values are first rounded as in ranking. Of equal rows, all are on the front or none is.
    """
    rounded = np.round(values, ROUNDING_DECIMALS)
    order = np.lexsort(rounded.T[::-1])
    flags = np.zeros(len(values), bool)
    flags[order] = _undominated(np.ascontiguousarray(rounded[order]))
    return flags


@jit
def _undominated(rows):  # type: ignore[no-untyped-def]
    """Flags of rows (n, k) in lexicographic order."""
    n, k = rows.shape
    flags = np.zeros(n, np.bool_)
    front = np.empty((n, k))
    count = 0
    for i in range(n):
        dominated = False
        for f in range(count):
            below = False
            above = False
            for a in range(k):
                if front[f, a] > rows[i, a]:
                    above = True
                    break
                if front[f, a] < rows[i, a]:
                    below = True
            if below and not above:
                dominated = True
                break
        if not dominated:
            flags[i] = True
            for a in range(k):
                front[count, a] = rows[i, a]
            count += 1
    return flags
