"""Where an axis runs within a margin of voxel boxes: exactly, as spans of s.

.---------.        A box grown by a margin all round is
| .-----. |            three boxes, each grown along one axis alone,
| | box | |            twelve cylinders about its edges,
| '-----' |            eight balls about its corners.
'---------'        A line meets each of these in one interval with ends in closed form. All together are
                   convex, so what it meets of them is one interval as well.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float, Int

from planner.records.request.point import Point
from planner.verify.compiled import loop
from planner.verify.geometry.spans import Spans, merged
from planner.verify.geometry.voxels import interval_clip

JOIN_MM = 1e-10
"""Stretches this close are joined: rounding separates boxes that share a face by less, and the planner joins
stretches that are ten times as far apart."""


@loop
def round_clip(w, d, radius):  # type: ignore[no-untyped-def]
    """The t for which w + t d, in any dimensions, lies within the radius of 0; last < first if none."""
    dd, wd, ww = 0.0, 0.0, 0.0
    for a in range(len(w)):
        dd += d[a] * d[a]
        wd += w[a] * d[a]
        ww += w[a] * w[a]
    if dd == 0.0:
        return (-np.inf, np.inf) if ww <= radius * radius else (1.0, 0.0)
    # Relative to the nearest point, so that no digits are lost if the start is far away.
    nearest = -wd / dd
    away2 = 0.0
    for a in range(len(w)):
        x = w[a] + nearest * d[a]
        away2 += x * x
    if away2 > radius * radius:
        return 1.0, 0.0
    half = sqrt((radius * radius - away2) / dd)
    return nearest - half, nearest + half


@loop
def grown_box_clip(p, d, low, high, margin):  # type: ignore[no-untyped-def]
    """(first, last): the t for which p + t d is within `margin` of a box; last < first if none. [mm]"""
    first, last = np.inf, -np.inf
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        # The box, grown along a.
        t0, t1 = interval_clip(p[a], d[a], low[a] - margin, high[a] + margin, -np.inf, np.inf)
        t0, t1 = interval_clip(p[b], d[b], low[b], high[b], t0, t1)
        t0, t1 = interval_clip(p[c], d[c], low[c], high[c], t0, t1)
        if t0 <= t1:
            first, last = min(first, t0), max(last, t1)
        # The cylinders about the edges along a.
        for m in range(2):
            for n in range(2):
                y, z = (high[b] if m else low[b]), (high[c] if n else low[c])
                t0, t1 = round_clip((p[b] - y, p[c] - z), (d[b], d[c]), margin)
                t0, t1 = interval_clip(p[a], d[a], low[a], high[a], t0, t1)
                if t0 <= t1:
                    first, last = min(first, t0), max(last, t1)
    for m in range(8):
        x = high[0] if m & 1 else low[0]
        y = high[1] if m & 2 else low[1]
        z = high[2] if m & 4 else low[2]
        t0, t1 = round_clip((p[0] - x, p[1] - y, p[2] - z), d, margin)
        if t0 <= t1:
            first, last = min(first, t0), max(last, t1)
    return first, last


@loop
def grown_clips(voxels, spacing, p, d, margin):  # type: ignore[no-untyped-def]
    """(first, last) of every box of `voxels` (n, 3) that p + t d comes within `margin` of: (m, 2)."""
    clips = np.empty((voxels.shape[0], 2))
    count = 0
    for n in range(voxels.shape[0]):
        low = (
            (voxels[n, 0] - 0.5) * spacing[0],
            (voxels[n, 1] - 0.5) * spacing[1],
            (voxels[n, 2] - 0.5) * spacing[2],
        )
        high = (low[0] + spacing[0], low[1] + spacing[1], low[2] + spacing[2])
        first, last = grown_box_clip(p, d, low, high, margin)
        if first <= last:
            clips[count, 0], clips[count, 1] = first, last
            count += 1
    return clips[:count]


def spans_within(
    margin_mm: float,
    voxels: Int[np.ndarray, "n 3"],
    spacing_mm: Point,
    p_B: Float[np.ndarray, "3"],
    outward_B: Float[np.ndarray, "3"],
) -> Spans:
    """Where the line p_B + s outward_B lies within the margin of any of the voxels' closed boxes. [mm]"""
    line = tuple(p_B.tolist()), tuple(outward_B.tolist())
    return merged(grown_clips(voxels, spacing_mm, *line, margin_mm), JOIN_MM)
