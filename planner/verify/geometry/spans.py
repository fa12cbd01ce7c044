"""Spans: sets of places along an axis, as sorted, disjoint intervals (n, 2) of s, in mm from the tip."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from planner.verify.tolerances import LENGTH_MM

Spans = Float[np.ndarray, "_n 2"]

NONE = np.empty((0, 2))


def merged(intervals: Spans, join_mm: float = LENGTH_MM) -> Spans:
    """The union of any intervals. Those that come within `join_mm` of each other become one."""
    if len(intervals) == 0:
        return NONE
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    begins = np.concatenate([[True], ordered[1:, 0] > reach[:-1] + join_mm])
    ends = np.append(np.flatnonzero(begins)[1:], len(ordered)) - 1
    return np.column_stack([ordered[begins, 0], reach[ends]])


def union(several: Iterable[Spans]) -> Spans:
    """Places in any of `several`."""
    return merged(np.concatenate([NONE, *several]))


def between(spans: Spans, first: float, last: float) -> Spans:
    """Places of `spans` from `first` to `last`."""
    cut = np.clip(spans, first, last)
    return np.asarray(cut[cut[:, 1] > cut[:, 0]])


def minus(spans: Spans, removed: Spans) -> Spans:
    """Places of `spans` that are not in `removed`."""
    remaining = spans
    for first, last in removed:
        remaining = np.concatenate([between(remaining, -np.inf, first), between(remaining, last, np.inf)])
    return remaining[np.argsort(remaining[:, 0], kind="stable")]


def total(spans: Spans) -> float:
    """Their length. [mm]"""
    return float((spans[:, 1] - spans[:, 0]).sum())
