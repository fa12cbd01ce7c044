"""Shells: a skin segmented as a shell is not a body if the edge of the field of view leaves it open.

.-----.          .-----.          .-----
   |  body |        |  air     <- open at the edge of the field of view: no slice of it can be filled, and
    '-----'          '-----       lungs and heart would be the body
"""

import numpy as np
from scipy import ndimage

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.patient.body.body_parts import BodyParts

DEEP_MM = 8.0
"""A shell is thinner than twice this, a chest is thicker [U]."""

MIN_DEEP_SHARE = 0.05
"""At least this share of the area of a body's slice is deeper than DEEP_MM [U]."""

MIN_WIDTH_MM = 60.0
"""A slice that is narrower in both directions is an end, an arm or a finger, and is not judged [U]."""

MAX_THIN_SHARE = 0.25
"""A body may be thin in this share of its slices [U]: near rounded ends, and where only an arm is in view."""

SLICES_SAMPLED = 40
"""Number of evenly spaced slices that are judged [U]."""

MIN_SHARE_OF_BODY = 0.5
"""The largest part holds at least this share of the drawn body [U]: arms and chin are less."""


def refuse_no_body(parts: BodyParts, grid: Grid) -> None:
    """Raise StructureError if the drawn body is an open shell, or if its largest part, which is used as the
    body, holds little of it."""
    first, last = parts.drawn.lower[2], parts.drawn.upper[2]
    sampled = np.unique(np.linspace(first, last - 1, SLICES_SAMPLED).round().astype(int))
    thin = [_is_thin(parts.drawn.layer[:, :, k] == parts.drawn.label, grid) for k in sampled]
    if np.mean(thin) > MAX_THIN_SHARE:
        raise StructureError(
            "body",
            f"it is an open shell in {100 * np.mean(thin):.0f} % of its slices",
            "Give the body filled (TotalSegmentator: --task body).",
        )
    box = parts.body.slices
    both = np.count_nonzero(parts.body.cropped() & (parts.drawn.layer[box] == parts.drawn.label))
    if both < MIN_SHARE_OF_BODY * parts.drawn.count:
        raise StructureError(
            "body",
            f"its largest part, with the organs in it, holds {100 * both / parts.drawn.count:.0f} % of what "
            "was drawn as body",
            "Give the body filled and in one piece.",
        )


def _is_thin(drawn: np.ndarray, grid: Grid) -> bool:
    """Whether a slice (nx, ny), filled, is wide and nowhere deep. It continues beyond the border."""
    wide_mm = max(
        float(step) * _extent(np.asarray(drawn.any(axis=1 - axis)))
        for axis, step in enumerate(grid.spacing_mm[:2])
    )
    if wide_mm < MIN_WIDTH_MM:
        return False
    filled = ndimage.binary_fill_holes(drawn)
    reach = [2 * max(1, round(DEEP_MM / float(step))) + 1 for step in grid.spacing_mm[:2]]
    deep = ndimage.minimum_filter(filled.view(np.uint8), size=reach, mode="nearest")
    return bool(np.count_nonzero(deep) < MIN_DEEP_SHARE * np.count_nonzero(filled))


def _extent(hit: np.ndarray) -> int:
    """Distance from the first to the last index that is set."""
    indices = np.flatnonzero(hit)
    return int(indices[-1] - indices[0]) if len(indices) else 0
