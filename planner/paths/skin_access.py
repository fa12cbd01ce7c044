"""Skin access: where safe paths enter the skin, and the least lung that a path from there crosses."""

import numpy as np
from jaxtyping import Float, Int

from anatomy.geometry.frames import Grid
from planner.records.plan import SkinAccess

SQUARE_MM = 4.0
"""Entries are grouped in boxes of this size: about the precision of a finger on the skin [U]."""


def skin_access(
    entry_B: Float[np.ndarray, "n 3"], lung_length_mm: Float[np.ndarray, " n"], grid: Grid
) -> SkinAccess:
    """The best line of each box of skin."""
    order = np.lexsort((lung_length_mm, *_boxes(entry_B).T))
    boxes = _boxes(entry_B)[order]
    first = np.ones(len(order), bool)
    first[1:] = (boxes[1:] != boxes[:-1]).any(axis=1)
    best = order[first]
    return SkinAccess(grid.to_patient(entry_B[best]), lung_length_mm[best].astype(float))


def area_mm2(entry_B: Float[np.ndarray, "n 3"]) -> float:
    """Skin area through which these lines enter, counted in boxes of SQUARE_MM. [mm2]"""
    return len(np.unique(_boxes(entry_B), axis=0)) * SQUARE_MM**2


def _boxes(entry_B: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n 3"]:
    return np.floor(entry_B / SQUARE_MM).astype(np.int64)
